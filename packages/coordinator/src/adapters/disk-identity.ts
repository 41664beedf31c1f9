// Whose disk this is: an identity made at random when the directory is first used, which is gone when the disk is, and with
// whom its cluster was founded. A disk without founders belongs to no cluster yet and has never voted.
//   disk length u8, disk, founded u8; if 1: the founders as a configuration, as in raft-batches.ts
import type { Disk } from '@atoll/base'
import { CommitLogError, WholeFile } from '@atoll/commit-log'
import type { Configuration, DiskId } from '@atoll/raft'
import type { Crc32c } from '@atoll/records'
import { decodeConfiguration, encodeConfiguration, joined } from './raft-batches.ts'

export interface DiskIdentity {
  readonly disk: DiskId
  /** Who voted first. */
  readonly founders: Configuration | undefined
}

export class DiskIdentityFile {
  readonly #path: string
  readonly #file: WholeFile

  constructor(disk: Disk, path: string, crc32c: Crc32c) {
    this.#path = path
    this.#file = new WholeFile(disk, path, 'diskIdentity', crc32c)
  }

  /** Undefined when the disk is new. Rejects with a CommitLogError: `corrupt`, `newer_format`; or with a DiskError. */
  async read(): Promise<DiskIdentity | undefined> {
    const body = await this.#file.read()
    if (body === undefined) return undefined
    const length = body[0] ?? 0
    if (length === 0 || body.length < length + 2) throw new CommitLogError('corrupt', `${this.#path}: cut short`)
    const disk = new TextDecoder().decode(body.subarray(1, 1 + length)) as DiskId
    return { disk, founders: body[1 + length] === 1 ? decodeConfiguration(body.subarray(2 + length)) : undefined }
  }

  /** Resolves when it would survive power loss. */
  write({ disk, founders }: DiskIdentity): Promise<void> {
    const name = new TextEncoder().encode(disk)
    const founded = founders === undefined ? Uint8Array.of(0) : joined([Uint8Array.of(1), encodeConfiguration(founders)])
    return this.#file.write(joined([Uint8Array.of(name.length), name, founded]))
  }
}
