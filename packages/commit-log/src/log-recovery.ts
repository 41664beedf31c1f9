// Opening a log: what is in its directory, how far it is good, and what that means. The record of durable ends decides:
// below it everything has to be there, and what is not is damage, of which nothing is changed; above it anything may
// have been torn by the crash, and is cut at the first batch that is not good (FAST 2018, protocol-aware recovery).
//
// What a killed predecessor left in the page cache looks durable and may not be. So the names and the last segments are
// synced before the log is used, and what survived above the record is written again before that: after a failed sync
// such bytes count as clean in the cache, and would never reach the device.
import type { Disk, DiskEntry } from '@atoll/base'
import type { BatchHeader, Crc32c, Offset } from '@atoll/records'
import { scanBatches } from './batch-scan.ts'
import { CommitLogError, type Damage, isDiskError } from './commit-log-error.ts'
import type { FileTable } from './file-table.ts'
import { type EpochStart, LeaderEpochs } from './leader-epochs.ts'
import { INDEX_INTERVAL_BYTES, SCAN_SLICE_BYTES, TRUNCATE_SLICE_BYTES } from './limits.ts'
import { type LogState, readState, STATE_NEXT_PREFIX } from './log-state.ts'
import { baseOffsetOf, Segment, segmentAt, suffixes } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'

export interface RecoveryContext {
  readonly disk: Disk
  readonly files: FileTable
  readonly crc32c: Crc32c
  /** The log's own. */
  readonly directory: string
  /** Exclusive; undefined when nothing was recorded. */
  readonly recordedEnd: Offset | undefined
  /** After a failed sync in this process: nothing from here on is trusted, whether it can be read or not. Exclusive. */
  readonly trustedEnd: Offset | undefined
  /** `all` looks at every batch of the log, `tail` at those of the segments that may have been written last. */
  readonly verify: 'tail' | 'all'
  /** What is wrong with a batch of a good checksum, as far as the log's owner can tell; undefined when nothing is. */
  readonly check: ((batch: Uint8Array) => string | undefined) | undefined
}

export interface RecoveredLog {
  readonly segments: Segment[]
  readonly state: LogState
  readonly epochs: LeaderEpochs
  readonly logEnd: Offset
  /** Below it nothing had to be looked at twice; what is above was written again and waits for a sync. */
  readonly durableEnd: Offset
  /** Segments of which nobody knows whether all of it is on the device, oldest first. */
  readonly unsure: readonly Segment[]
  /** The epochs of the state are not those of the log: it has to be written. */
  readonly stateChanged: boolean
  /** Bytes that were cut off. */
  readonly tornBytes: number
}

/** Undefined when there is no such log. Rejects with `corrupt` or `newer_format`, having changed nothing, or with a DiskError. */
export async function recoverLog(context: RecoveryContext): Promise<RecoveredLog | undefined> {
  const entries = await listIfThere(context)
  if (entries === undefined) return undefined
  const state = await stateOf(context, entries)
  if (state === undefined) return undefined
  const recovery = new Recovery(context, state, entries)
  await recovery.look()
  return recovery.mend()
}

/** Undefined when the directory is not there. A log of which something was recorded has to be. */
async function listIfThere({ disk, directory, recordedEnd }: RecoveryContext): Promise<readonly DiskEntry[] | undefined> {
  try {
    return await disk.list(directory)
  } catch (error) {
    if (!isDiskError(error) || error.code !== 'not_found') throw error
    if ((recordedEnd ?? 0) > 0) throw new CommitLogError('corrupt', `${directory} is gone, and was durable up to offset ${recordedEnd}`)
    return undefined
  }
}

/** Undefined when the log was never finished: its first state is synced before anything else is written. */
async function stateOf(
  { disk, directory, crc32c, recordedEnd }: RecoveryContext,
  entries: readonly DiskEntry[],
): Promise<LogState | undefined> {
  try {
    return await readState(disk, directory, crc32c)
  } catch (error) {
    if (!isDiskError(error) || error.code !== 'not_found') throw error
    const begun = entries.some(({ name }) => baseOffsetOf(name) !== undefined)
    if (begun || (recordedEnd ?? 0) > 0) throw new CommitLogError('corrupt', `${directory} has lost its state`)
    return undefined
  }
}

/** Where a segment stops being good. */
interface Break {
  readonly segment: Segment
  readonly position: number
  readonly why: string
}

class Recovery {
  readonly #context: RecoveryContext
  readonly #state: LogState
  readonly #names: readonly string[]
  /** Everything below has to be there. Exclusive. */
  readonly #recordedEnd: Offset
  readonly #epochs: LeaderEpochs
  /** Segments wholly below the log start: left behind when their removal was cut short. */
  readonly #below: readonly Segment[]
  readonly #segments: Segment[]
  #logEnd: Offset
  #break: Break | undefined

  constructor(context: RecoveryContext, state: LogState, entries: readonly DiskEntry[]) {
    this.#context = context
    this.#state = state
    this.#names = entries.map(({ name }) => name)
    this.#recordedEnd = Math.max(context.recordedEnd ?? 0, state.logStart) as Offset
    this.#epochs = new LeaderEpochs(state.epochs)
    const all = entries.flatMap(({ name, sizeBytes }) => {
      const base = baseOffsetOf(name)
      return base === undefined ? [] : [new Segment(context.directory, base, sizeBytes, undefined)]
    })
    const first = Math.max(0, segmentAt(all, state.logStart))
    this.#below = all.slice(0, first)
    this.#segments = all.slice(first)
    this.#logEnd = state.logStart
  }

  /** Finds out how far the log is good. Changes nothing on disk. */
  async look(): Promise<void> {
    const [head] = this.#segments
    if (head === undefined) {
      this.#checkEnd()
      return
    }
    if (head.baseOffset > this.#state.logStart) throw this.#damaged(head, 0, this.#state.logStart, 'the beginning of the log is gone')
    const first = this.#context.verify === 'all' ? 0 : this.#firstUnsure()
    this.#logEnd = (this.#segments[first] as Segment).baseOffset
    for (const segment of this.#segments.slice(first)) {
      if (segment.baseOffset !== this.#logEnd) {
        this.#break = { segment, position: 0, why: `begins at offset ${segment.baseOffset}, the one before ends at ${this.#logEnd}` }
        break
      }
      await this.#lookAt(segment)
      if (this.#break !== undefined) break
    }
    this.#checkEnd()
  }

  /** Cuts what was torn, writes the rest of the tail again, removes what was left behind. */
  async mend(): Promise<RecoveredLog> {
    const tornBytes = await this.#cut()
    await this.#removeLeftovers()
    // What ends below the recorded end was synced. Without a record all of it may be new.
    const durableEnd = Math.min(this.#recordedEnd, this.#logEnd) as Offset
    const unsure = await this.#rewriteFrom(durableEnd)
    const same = (known: EpochStart, index: number): boolean => {
      const found = this.#epochs.starts[index]
      return found?.epoch === known.epoch && found.start === known.start
    }
    const known = this.#state.epochs
    const stateChanged = known.length !== this.#epochs.starts.length || !known.every(same)
    return {
      segments: this.#segments,
      state: this.#state,
      epochs: this.#epochs,
      logEnd: this.#logEnd,
      durableEnd,
      unsure,
      stateChanged,
      tornBytes,
    }
  }

  /** The segment in which the recorded end lies; the ones before it were synced before they were closed. */
  #firstUnsure(): number {
    return Math.max(0, segmentAt(this.#segments, this.#recordedEnd))
  }

  async #lookAt(segment: Segment): Promise<void> {
    const index = new SegmentIndex(segment.baseOffset, INDEX_INTERVAL_BYTES)
    const { files, crc32c, check } = this.#context
    const { position, why } = await scanBatches({
      from: 0,
      to: segment.sizeBytes,
      crc32c,
      read: (at, length) => files.get(segment.path).read(at, length),
      visit: (header, at, batch) => {
        const wrong = check?.(batch) ?? this.#followed(header)
        if (wrong === undefined) index.add(header, at)
        return wrong
      },
    })
    segment.index = index
    if (why !== undefined) this.#break = { segment, position, why }
  }

  /** What is wrong with a batch that comes next; undefined when nothing is, and then the log goes up to its end. */
  #followed(header: BatchHeader): string | undefined {
    if (header.baseOffset !== this.#logEnd) return `offset ${header.baseOffset} where ${this.#logEnd} should be`
    if (header.lastOffset >= (this.#context.trustedEnd ?? Number.POSITIVE_INFINITY)) return 'its sync failed'
    const wrong = header.lastOffset < this.#state.logStart ? undefined : this.#wrongEpoch(header)
    if (wrong === undefined) this.#logEnd = (header.lastOffset + 1) as Offset
    return wrong
  }

  /** Takes in an epoch that begins with this batch. Below the log start nothing is known of epochs. */
  #wrongEpoch({ baseOffset, leaderEpoch }: BatchHeader): string | undefined {
    const from = Math.max(baseOffset, this.#state.logStart) as Offset
    const { last } = this.#epochs
    const epoch = this.#epochs.epochAt(from)
    if (leaderEpoch > (last?.epoch ?? -1) && from >= (last?.start ?? 0)) {
      // The state is durable no later than the records it describes, so it knows every epoch below the recorded end.
      if (from < (this.#context.recordedEnd ?? 0)) return `epoch ${leaderEpoch} is not known`
      this.#epochs.assign(leaderEpoch, from)
      return undefined
    }
    return epoch === undefined || epoch === leaderEpoch ? undefined : `epoch ${leaderEpoch} where ${epoch} should be`
  }

  #checkEnd(): void {
    if (this.#logEnd >= this.#recordedEnd) return
    // What is missing was put aside, and is owed: the log goes on from where it ends.
    const { owedEnd } = this.#state
    if (this.#break === undefined && owedEnd !== undefined && owedEnd >= this.#recordedEnd) return
    const segment =
      this.#break?.segment ?? this.#segments.at(-1) ?? new Segment(this.#context.directory, this.#state.logStart, 0, undefined)
    throw this.#damaged(segment, this.#break?.position ?? segment.sizeBytes, this.#logEnd, this.#break?.why ?? 'the log ends too early')
  }

  #damaged(segment: Segment, position: number, goodEnd: Offset, why: string): CommitLogError {
    const damage: Damage = { path: segment.path, position, goodEnd, recordedEnd: this.#recordedEnd, why }
    const message = `${segment.path} at byte ${position}: ${why}; good up to offset ${goodEnd}, durable was ${this.#recordedEnd}`
    return new CommitLogError('corrupt', message, { damage })
  }

  /** Cuts the log where it stops being good, the newest segments first: a beginning of it is left at any time. */
  async #cut(): Promise<number> {
    const found = this.#break
    if (found === undefined) return 0
    let tornBytes = 0
    while (this.#segments.at(-1) !== found.segment) {
      const last = this.#segments.pop() as Segment
      tornBytes += last.sizeBytes
      await removeSegment(this.#context, last)
    }
    tornBytes += found.segment.sizeBytes - found.position
    if (found.position === 0 && found.segment.baseOffset !== this.#logEnd) {
      this.#segments.pop()
      await removeSegment(this.#context, found.segment)
    } else {
      await cutFile(this.#context, found.segment, found.position)
    }
    this.#epochs.truncateFrom((this.#logEnd + 1) as Offset)
    return tornBytes
  }

  async #removeLeftovers(): Promise<void> {
    const { disk, directory } = this.#context
    for (const segment of this.#below) await removeSegment(this.#context, segment)
    for (const name of this.#names) if (name.startsWith(STATE_NEXT_PREFIX)) await removeIfThere(disk, `${directory}/${name}`)
    const bases = new Set(this.#segments.map(({ baseOffset }) => baseOffset))
    for (const name of this.#names) {
      const stem = [suffixes.index, suffixes.timeIndex].find(suffix => name.endsWith(suffix))
      const base = stem && baseOffsetOf(name.slice(0, -stem.length) + suffixes.log)
      if (base !== undefined && !bases.has(base)) await removeIfThere(disk, `${directory}/${name}`)
    }
    // Epochs beyond the end: their first records never were durable.
    this.#epochs.truncateFrom((this.#logEnd + 1) as Offset)
  }

  async #rewriteFrom(durableEnd: Offset): Promise<readonly Segment[]> {
    const touched = this.#segments.slice(Math.max(0, segmentAt(this.#segments, durableEnd)))
    if (durableEnd >= this.#logEnd) return touched
    const { files } = this.#context
    for (const segment of touched) {
      // The whole batch around the end, or more: what lies before it is the same bytes again.
      const from = segment.baseOffset >= durableEnd ? 0 : (segment.index?.positionOf(durableEnd) ?? 0)
      for (let position = from; position < segment.sizeBytes; position += SCAN_SLICE_BYTES) {
        const slice = await files.get(segment.path).read(position, Math.min(SCAN_SLICE_BYTES, segment.sizeBytes - position))
        files.get(segment.path).write(slice, position)
      }
    }
    return touched
  }
}

/** Cuts the file of a segment to `sizeBytes`, a slice at a time. */
export async function cutFile({ files }: Pick<RecoveryContext, 'files'>, segment: Segment, sizeBytes: number): Promise<void> {
  for (let end = files.get(segment.path).size(); end > sizeBytes; ) {
    end = Math.max(sizeBytes, end - TRUNCATE_SLICE_BYTES)
    files.get(segment.path).truncate(end)
    // A turn of the event loop.
    if (end > sizeBytes) await files.get(segment.path).read(0, 1)
  }
  segment.sizeBytes = sizeBytes
}

/** Removes a segment, the log before its indexes. */
export async function removeSegment({ disk, files }: Pick<RecoveryContext, 'disk' | 'files'>, segment: Segment): Promise<void> {
  for (const path of [segment.path, segment.indexPath, segment.timeIndexPath]) {
    files.drop(path)
    await removeIfThere(disk, path)
  }
}

async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path)
  } catch (error) {
    if (!isDiskError(error) || error.code !== 'not_found') throw error
  }
}
