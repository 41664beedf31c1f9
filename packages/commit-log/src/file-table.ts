// The open files of a store: as many as are in use, up to a bound, the least recently used closed first. A file with
// bytes that wait for a sync stays open: if it were closed and opened again, an error of writing them could be reported
// to nobody (PostgreSQL's fsyncgate).
import type { Disk, DiskFile } from '@atoll/base'
import { assert } from '@atoll/base'

export class FileTable {
  readonly #disk: Disk
  readonly #filesMax: number
  /** In order of use, the latest last. */
  readonly #open = new Map<string, DiskFile>()
  /** How often each path is pinned. It outlives the file: one that is made anew under the name is pinned as well. */
  readonly #pins = new Map<string, number>()

  constructor(disk: Disk, filesMax: number) {
    assert(filesMax >= 1, 'a file can be open')
    this.#disk = disk
    this.#filesMax = filesMax
  }

  /** The file at `path`, open for reading and writing: for use in this turn. Throws a DiskError. */
  get(path: string): DiskFile {
    const found = this.#open.get(path)
    if (found === undefined) return this.#keep(path, this.#disk.open(path, 'update'))
    this.#open.delete(path)
    this.#open.set(path, found)
    return found
  }

  /** A new, empty file, in the place of one that was left behind if need be. */
  create(path: string): DiskFile {
    this.drop(path)
    return this.#keep(path, this.#disk.open(path, 'replace'))
  }

  /** Keeps the file open until it is unpinned as often. */
  pin(path: string): void {
    this.#pins.set(path, (this.#pins.get(path) ?? 0) + 1)
  }

  unpin(path: string): void {
    const pins = this.#pins.get(path) ?? 0
    assert(pins > 0, 'a file is unpinned as often as it was pinned')
    if (pins > 1) this.#pins.set(path, pins - 1)
    else {
      this.#pins.delete(path)
      this.#evict()
    }
  }

  /** Closes the file, pinned or not: it is about to go. */
  drop(path: string): void {
    this.#open.get(path)?.close()
    this.#open.delete(path)
  }

  /** The same for all files in a directory: others are to take their names, and what is open would go on in files without any. */
  dropIn(directory: string): void {
    for (const path of this.#open.keys()) if (path.startsWith(`${directory}/`)) this.drop(path)
  }

  closeAll(): void {
    for (const file of this.#open.values()) file.close()
    this.#open.clear()
  }

  #keep(path: string, file: DiskFile): DiskFile {
    this.#open.set(path, file)
    this.#evict(path)
    return file
  }

  #evict(kept?: string): void {
    if (this.#open.size <= this.#filesMax) return
    for (const path of this.#open.keys()) {
      if (this.#pins.has(path) || path === kept) continue
      this.drop(path)
      if (this.#open.size <= this.#filesMax) return
    }
  }
}
