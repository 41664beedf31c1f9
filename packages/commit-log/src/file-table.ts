// The open files of a store: as many as are in use, up to a bound, the least recently used closed first. A file with
// bytes that wait for a sync stays open: if it were closed and opened again, an error of writing them could be reported
// to nobody (PostgreSQL's fsyncgate).
import type { Disk, DiskFile } from '@atoll/base'
import { assert, present } from '@atoll/base'

interface Open {
  readonly file: DiskFile
  pins: number
}

export class FileTable {
  readonly #disk: Disk
  readonly #filesMax: number
  /** In order of use, the latest last. */
  readonly #open = new Map<string, Open>()

  constructor(disk: Disk, filesMax: number) {
    assert(filesMax >= 1, 'a file can be open')
    this.#disk = disk
    this.#filesMax = filesMax
  }

  get size(): number {
    return this.#open.size
  }

  /** The file at `path`, open for reading and writing: for use in this turn. Throws a DiskError. */
  get(path: string): DiskFile {
    const found = this.#open.get(path)
    if (found === undefined) return this.#keep(path, this.#disk.open(path, 'update'))
    this.#open.delete(path)
    this.#open.set(path, found)
    return found.file
  }

  /** A new, empty file, in the place of one that was left behind if need be. */
  create(path: string): DiskFile {
    this.drop(path)
    return this.#keep(path, this.#disk.open(path, 'replace'))
  }

  /** Keeps an open file open until it is unpinned as often. */
  pin(path: string): void {
    present(this.#open.get(path), `open file ${path}`).pins++
  }

  unpin(path: string): void {
    const found = this.#open.get(path)
    // Dropped meanwhile.
    if (found === undefined) return
    found.pins--
    assert(found.pins >= 0, 'a file is unpinned as often as it was pinned')
    this.#evict()
  }

  /** Closes the file, pinned or not: it is about to go. */
  drop(path: string): void {
    this.#open.get(path)?.file.close()
    this.#open.delete(path)
  }

  closeAll(): void {
    for (const { file } of this.#open.values()) file.close()
    this.#open.clear()
  }

  #keep(path: string, file: DiskFile): DiskFile {
    this.#open.set(path, { file, pins: 0 })
    this.#evict(path)
    return file
  }

  #evict(kept?: string): void {
    if (this.#open.size <= this.#filesMax) return
    for (const [path, { file, pins }] of this.#open) {
      if (pins > 0 || path === kept) continue
      file.close()
      this.#open.delete(path)
      if (this.#open.size <= this.#filesMax) return
    }
  }
}
