// A replica that copies its leader's log. Its next fetch is its position; what it is answered it appends as it stands. It
// never cuts its log to its high watermark, which may be old: where its log and the leader's part, the leader says, epoch by
// epoch (KIP-101, KIP-279, KIP-595).
import type { NodeId } from '@atoll/base'
import { unreachable } from '@atoll/base'
import type { BatchHeader, LeaderEpoch } from '@atoll/records'
import { batchSizeAt, readBatchHeader } from '@atoll/records'
import type { Assignment } from './assignment.ts'
import type { Cut } from './effects.ts'
import { keptEnd } from './fetch-check.ts'
import type { Fetched, FetchPosition, FetchResult } from './inputs.ts'
import type { PartitionState } from './partition-state.ts'

export class Following {
  readonly leader: NodeId
  readonly epoch: LeaderEpoch
  readonly #state: PartitionState
  readonly #uncleanEpoch: LeaderEpoch | undefined
  /** Set once the leader turned out to lack what is committed: this replica touches nothing any more. */
  #halted = false
  /** Asks for nothing until then, after something that would only happen again at once. */
  #resumeAtMs: number | undefined
  /** True once a fetch of this leadership was answered with what fits: from then on reports of syncs mean something. */
  #agrees = false

  constructor(state: PartitionState, leader: NodeId, { leaderEpoch, uncleanEpoch }: Assignment) {
    this.#state = state
    this.leader = leader
    this.epoch = leaderEpoch
    this.#uncleanEpoch = uncleanEpoch
    state.log.forgetEmptyEpochs()
    state.outbox.tell({ kind: 'became_follower', epoch: this.epoch, leader })
    state.outbox.positionMoved = true
  }

  get halted(): boolean {
    return this.#halted
  }

  get agrees(): boolean {
    return this.#agrees
  }

  /** What to ask the leader for; undefined when nothing may be copied. */
  get position(): FetchPosition | undefined {
    const { log } = this.#state
    if (this.#halted || log.failed || this.#resumeAtMs !== undefined) return undefined
    const { logEnd, lastEpoch, durableEnd } = log
    const { logStart } = this.#state
    return { leaderEpoch: this.epoch, fetchOffset: logEnd, lastFetchedEpoch: lastEpoch, durableEnd, logStart }
  }

  /** When it asks again. */
  get nextAt(): number {
    return this.#resumeAtMs ?? Number.POSITIVE_INFINITY
  }

  run(now: number): void {
    if (this.#resumeAtMs === undefined || now < this.#resumeAtMs) return
    this.#resumeAtMs = undefined
    this.#state.outbox.positionMoved = true
  }

  fetched({ from, position, result }: Fetched, now: number): void {
    const { log } = this.#state
    // An answer to what was asked before the log changed, or another leader: nothing in it fits any more.
    if (from !== this.leader || position.leaderEpoch !== this.epoch || this.#halted) return
    if (position.fetchOffset !== log.logEnd || position.lastFetchedEpoch !== log.lastEpoch) return
    this.#obey(result, now)
  }

  #obey(result: FetchResult, now: number): void {
    switch (result.kind) {
      case 'records':
        return this.#append(result, now)
      case 'diverging':
        return this.#cut({ kind: 'truncate', to: keptEnd(this.#state.log, result.end) })
      case 'out_of_range':
        return this.#outOfRange(result)
      case 'refused':
        return this.#pause(now)
      default:
        return unreachable(result)
    }
  }

  #append({ records, highWatermark, logStart }: FetchResult & { readonly kind: 'records' }, now: number): void {
    const { log, outbox, producers } = this.#state
    if (records.length > 0) {
      // No leader sends what a later one wrote: an answer that was held up for long enough might (KAFKA-18723).
      const taken = newestEpoch(records) > this.epoch ? 'invalid' : log.appendPlaced(records)
      if (typeof taken === 'string') {
        if (taken === 'invalid') outbox.tell({ kind: 'invalid_records', from: this.leader })
        return this.#pause(now)
      }
      for (const header of taken) producers.appended(header, header.baseOffset, now)
      outbox.positionMoved = true
    }
    this.#agrees = true
    this.#state.raiseHighWatermark(highWatermark, this.epoch)
    this.#state.deleteBefore(logStart)
  }

  /**
   * Before the leader's start everything goes, so that no hole is left: what the leader dropped was committed once, and
   * dropped on purpose. After its end there is nothing of this log that the leader could have.
   */
  #outOfRange({ logStart, logEnd }: FetchResult & { readonly kind: 'out_of_range' }): void {
    const end = this.#state.log.logEnd
    if (end < logStart) this.#cut({ kind: 'restart', at: logStart })
    else if (end > logEnd) this.#cut({ kind: 'restart', at: logEnd })
  }

  #pause(now: number): void {
    this.#resumeAtMs = now + this.#state.settings.fetchRetryMs
    this.#state.outbox.positionMoved = true
  }

  #cut(cut: Cut): void {
    const { outbox, highWatermark } = this.#state
    const end = cut.kind === 'truncate' ? cut.to : cut.at
    if (!this.#state.mayCutAt(end, this.#uncleanEpoch)) {
      this.#halted = true
      outbox.positionMoved = true
      outbox.tell({ kind: 'committed_missing', highWatermark, to: end })
      return
    }
    outbox.cut = cut
    outbox.positionMoved = true
    outbox.tell({ kind: 'cutting', cut })
  }
}

/** Epochs rise within a log, so the last whole batch has the newest. -1 for bytes that are no batch. */
function newestEpoch(records: Uint8Array): number {
  let last: BatchHeader | undefined
  for (let start = 0; start < records.length; ) {
    const sizeBytes = batchSizeAt(records, start)
    if (sizeBytes === undefined || sizeBytes <= 0 || start + sizeBytes >= records.length) {
      try {
        last = readBatchHeader(records, start)
      } catch {
        return -1
      }
      break
    }
    start += sizeBytes
  }
  return last?.leaderEpoch ?? -1
}
