// A small file that is there as a whole or not at all: written under another name, synced, renamed, and the directory
// synced. What it is and its format version stand in front, under checksums, as in every file of ours.
import { type Disk, DiskError, directoryOf } from '@atoll/base'
import type { Crc32c } from '@atoll/records'
import { decodeOwn, encodeOwn, type Kind } from './own-format.ts'

/** Far more than any of these files has. */
const FILE_BYTES_MAX = 65_536

export class WholeFile {
  readonly #disk: Disk
  readonly #path: string
  readonly #kind: Kind
  readonly #crc32c: Crc32c

  constructor(disk: Disk, path: string, kind: Kind, crc32c: Crc32c) {
    this.#disk = disk
    this.#path = path
    this.#kind = kind
    this.#crc32c = crc32c
  }

  /** Undefined when it was never written. Rejects with a CommitLogError: `corrupt`, `newer_format`; or with a DiskError. */
  async read(): Promise<Uint8Array | undefined> {
    try {
      const file = this.#disk.open(this.#path, 'read')
      try {
        return decodeOwn(this.#kind, await file.read(0, FILE_BYTES_MAX), this.#path, this.#crc32c)
      } finally {
        file.close()
      }
    } catch (error) {
      if (error instanceof DiskError && error.code === 'not_found') return undefined
      throw error
    }
  }

  /** Resolves when it would survive power loss. Rejects with a DiskError; only after `disk_full` may it be tried again. */
  async write(body: Uint8Array): Promise<void> {
    const next = `${this.#path}.next`
    const file = this.#disk.open(next, 'replace')
    try {
      file.write(encodeOwn(this.#kind, body, this.#crc32c), 0)
      await file.sync()
    } finally {
      file.close()
    }
    this.#disk.rename(next, this.#path)
    await this.#disk.syncDirectory(directoryOf(this.#path))
  }
}
