// What a log has done to its files since they were synced last, and the syncs that make it durable: of the files, of the
// directory when names changed in it, of the state file when it was written anew.
import type { Disk } from '@atoll/base'
import type { FileTable } from './file-table.ts'
import type { LogStateFile } from './log-state.ts'

export class Unsynced {
  readonly #disk: Disk
  readonly #files: FileTable
  readonly #directory: string
  readonly #stateFile: LogStateFile
  /** Files with bytes that no sync covers; pinned, so that their errors reach us. */
  #paths = new Set<string>()
  #names = false
  #changes = 0
  #syncedChanges = 0

  constructor({ disk, files }: { readonly disk: Disk; readonly files: FileTable }, directory: string, stateFile: LogStateFile) {
    this.#disk = disk
    this.#files = files
    this.#directory = directory
    this.#stateFile = stateFile
  }

  /** Counts what was done to the log. */
  get changes(): number {
    return this.#changes
  }

  get syncedChanges(): number {
    return this.#syncedChanges
  }

  /** Bytes were written to an open file. */
  written(path: string): void {
    if (this.#paths.has(path)) return
    this.#paths.add(path)
    this.#files.pin(path)
  }

  /** The file is about to be removed: nothing of it needs to be durable. */
  removed(path: string): void {
    if (this.#paths.delete(path)) this.#files.unpin(path)
  }

  /** A name was made, changed or removed. */
  namesChanged(): void {
    this.#names = true
  }

  /** Something was done; a later sync has to cover it. */
  touch(): void {
    this.#changes++
  }

  /** Begins making everything so far durable. Throws or rejects with a DiskError, after which nothing is known. */
  begin(): readonly Promise<unknown>[] {
    const paths = [...this.#paths]
    this.#paths = new Set()
    const syncs: Promise<unknown>[] = paths.map(path => this.#syncFile(path))
    if (this.#names) {
      this.#names = false
      syncs.push(this.#disk.syncDirectory(this.#directory))
    }
    if (this.#stateFile.staged) syncs.push(this.#stateFile.commit())
    return syncs
  }

  /** The syncs begun when `changes` had been done are over. */
  ended(changes: number): void {
    this.#syncedChanges = changes
  }

  async #syncFile(path: string): Promise<void> {
    try {
      await this.#files.get(path).sync()
    } finally {
      this.#files.unpin(path)
    }
  }
}
