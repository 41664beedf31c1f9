// What a log knows about itself beside its records: where it begins, in which epochs it was written, and whether it lost
// something. Small, and replaced as a whole: written to a new file, synced, renamed, and the directory synced.
//   body: log start i64, owed end i64 (-1 none), count u32, then per epoch: epoch i32, start i64
import type { Disk } from '@atoll/base'
import type { Crc32c, LeaderEpoch, Offset } from '@atoll/records'
import { CommitLogError } from './commit-log-error.ts'
import type { EpochStart } from './leader-epochs.ts'
import { EPOCHS_MAX } from './limits.ts'
import { decodeOwn, encodeOwn } from './own-format.ts'

export interface LogState {
  /** Inclusive. */
  readonly logStart: Offset
  /** The end that was durable before this log lost a part of it; undefined when it never did, or has it all back. */
  readonly owedEnd: Offset | undefined
  readonly epochs: readonly EpochStart[]
}

export const STATE_NAME = 'log-state'
/** What is being written has a name that begins so; after a crash it is rubbish. */
export const STATE_NEXT_PREFIX = `${STATE_NAME}.next`
const FIXED_BYTES = 20
const EPOCH_BYTES = 12

/** Writes states one after another; what is written last is what ends up there. */
export class LogStateFile {
  readonly #disk: Disk
  readonly #directory: string
  readonly #crc32c: Crc32c
  /** Counts the files, so that one that is still being synced is not written over. */
  #count = 0
  #staged: string | undefined
  #commits: Promise<void> = Promise.resolve()

  constructor(disk: Disk, directory: string, crc32c: Crc32c) {
    this.#disk = disk
    this.#directory = directory
    this.#crc32c = crc32c
  }

  /** True while a state is written that `commit` has not begun to make durable. */
  get staged(): boolean {
    return this.#staged !== undefined
  }

  /** Writes `state` beside the present one. Throws a DiskError, and then nothing is staged that was not before. */
  stage(state: LogState): void {
    const path = this.#path(`${STATE_NEXT_PREFIX}-${++this.#count}`)
    const file = this.#disk.open(path, 'replace')
    try {
      file.write(encodeState(state, this.#crc32c), 0)
    } finally {
      file.close()
    }
    this.#staged = path
  }

  /** Resolves when what was staged is the log's state, power loss or not. Rejects with a DiskError. */
  commit(): Promise<void> {
    const work = this.#commits.then(() => this.#commitStaged())
    this.#commits = work.catch(() => {
      // Its caller hears of it; the next one is not held up.
    })
    return work
  }

  /** Resolves when no commit is under way. */
  idle(): Promise<void> {
    return this.#commits
  }

  async #commitStaged(): Promise<void> {
    const path = this.#staged
    if (path === undefined) return
    this.#staged = undefined
    const file = this.#disk.open(path, 'update')
    try {
      await file.sync()
    } finally {
      file.close()
    }
    this.#disk.rename(path, this.#path(STATE_NAME))
    await this.#disk.syncDirectory(this.#directory)
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`
  }
}

export async function readState(disk: Disk, directory: string, crc32c: Crc32c): Promise<LogState> {
  const path = `${directory}/${STATE_NAME}`
  const file = disk.open(path, 'read')
  try {
    return decodeState(await file.read(0, file.size()), path, crc32c)
  } finally {
    file.close()
  }
}

export function encodeState({ logStart, owedEnd, epochs }: LogState, crc32c: Crc32c): Uint8Array {
  const body = new Uint8Array(FIXED_BYTES + epochs.length * EPOCH_BYTES)
  const fields = new DataView(body.buffer)
  fields.setBigInt64(0, BigInt(logStart))
  fields.setBigInt64(8, BigInt(owedEnd ?? -1))
  fields.setUint32(16, epochs.length)
  for (const [index, { epoch, start }] of epochs.entries()) {
    fields.setInt32(FIXED_BYTES + index * EPOCH_BYTES, epoch)
    fields.setBigInt64(FIXED_BYTES + index * EPOCH_BYTES + 4, BigInt(start))
  }
  return encodeOwn('logState', body, crc32c)
}

export function decodeState(bytes: Uint8Array, path: string, crc32c: Crc32c): LogState {
  const body = decodeOwn('logState', bytes, path, crc32c)
  const fields = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const count = body.length < FIXED_BYTES ? 0 : fields.getUint32(16)
  if (count > EPOCHS_MAX || body.length !== FIXED_BYTES + count * EPOCH_BYTES)
    throw new CommitLogError('corrupt', `${path}: ${body.length} bytes for ${count} epochs`)
  const owedEnd = Number(fields.getBigInt64(8))
  return {
    logStart: Number(fields.getBigInt64(0)) as Offset,
    owedEnd: owedEnd === -1 ? undefined : (owedEnd as Offset),
    epochs: Array.from({ length: count }, (_, index) => ({
      epoch: fields.getInt32(FIXED_BYTES + index * EPOCH_BYTES) as LeaderEpoch,
      start: Number(fields.getBigInt64(FIXED_BYTES + index * EPOCH_BYTES + 4)) as Offset,
    })),
  }
}
