// Term and vote (Raft figure 2, "persistent state") in a file of their own. One that cannot be read must not be guessed at:
// a server that forgot its vote could vote twice, so it does not start under this identity.
//   term u64, voted u8; if 1: a configuration with one voter, as in raft-batches.ts
import type { Disk } from '@atoll/base'
import { CommitLogError, WholeFile } from '@atoll/commit-log'
import { type HardState, term } from '@atoll/raft'
import type { Crc32c } from '@atoll/records'
import { decodeConfiguration, encodeConfiguration } from './raft-batches.ts'

const HEAD_BYTES = 9

export class HardStateFile {
  readonly #path: string
  readonly #file: WholeFile

  constructor(disk: Disk, path: string, crc32c: Crc32c) {
    this.#path = path
    this.#file = new WholeFile(disk, path, 'hardState', crc32c)
  }

  /** Undefined when it was never written. Rejects with a CommitLogError: `corrupt`, `newer_format`; or with a DiskError. */
  async read(): Promise<HardState | undefined> {
    const body = await this.#file.read()
    if (body === undefined) return undefined
    if (body.length < HEAD_BYTES) throw new CommitLogError('corrupt', `${this.#path}: cut short`)
    const fields = new DataView(body.buffer, body.byteOffset, body.byteLength)
    const votedFor = body[8] === 1 ? decodeConfiguration(body.subarray(HEAD_BYTES)).voters[0] : undefined
    return { term: term(Number(fields.getBigUint64(0))), votedFor }
  }

  /** Resolves when it would survive power loss. */
  write({ term: inTerm, votedFor }: HardState): Promise<void> {
    const vote = votedFor === undefined ? new Uint8Array(0) : encodeConfiguration({ voters: [votedFor], learners: [] })
    const body = new Uint8Array(HEAD_BYTES + vote.length)
    new DataView(body.buffer).setBigUint64(0, BigInt(inTerm))
    body[8] = votedFor === undefined ? 0 : 1
    body.set(vote, HEAD_BYTES)
    return this.#file.write(body)
  }
}
