// One replica for unit tests, with a log in memory whose disk works when told to, and brokers that register when told to.
import { type NodeId, nodeId } from '@atoll/base'
import { encodeBatch, type LeaderEpoch, type Offset, readBatchHeader } from '@atoll/records'
import type { Assignment } from './assignment.ts'
import type { Answer, Effects, FetchCheck, ReplicaEvent } from './effects.ts'
import type { Acks, FetchPosition, FetchResult, Input } from './inputs.ts'
import { MemoryLog } from './memory-log.ts'
import { ProducerStates } from './producers.ts'
import { Replica } from './replica.ts'
import { defaultSettings, type ReplicaSettings } from './settings.ts'

export const node = (place: number): NodeId => nodeId(`b${place}`)
export const at = (value: number): Offset => value as Offset
export const epoch = (value: number): LeaderEpoch => value as LeaderEpoch

export interface BatchOptions {
  readonly records?: number
  readonly producer?: { readonly id: number; readonly epoch: number; readonly baseSequence: number }
  readonly baseOffset?: number
  readonly epoch?: number
}

/** A batch as a producer sends it or, with offset and epoch, as a leader does. */
export function batchOf({ records = 1, producer, baseOffset = 0, epoch: leaderEpoch = -1 }: BatchOptions = {}): Uint8Array {
  const record = { timestampMs: 0, key: null, value: new Uint8Array(10) }
  return encodeBatch(
    Array.from({ length: records }, () => record),
    {
      crc32c: () => 0,
      baseOffset: at(baseOffset),
      leaderEpoch: epoch(leaderEpoch),
      ...(producer && { producer }),
    },
  )
}

/** Replica `b1` of three. */
export class ScriptedReplica {
  readonly log: MemoryLog
  readonly replica: Replica
  readonly answers: Answer[] = []
  readonly events: ReplicaEvent[] = []
  readonly brokerEpochs = new Map<NodeId, number>([1, 2, 3].map(place => [node(place), place * 10]))
  readonly fenced = new Set<NodeId>()
  now = 1_000
  last: Effects | undefined
  #requests = 0
  #partitionEpoch = 0

  constructor(
    options: { readonly minInSyncReplicas?: number; readonly log?: MemoryLog; readonly settings?: Partial<ReplicaSettings> } = {},
  ) {
    this.log = options.log ?? new MemoryLog()
    const producers = new ProducerStates()
    for (const { header } of this.log.batches) producers.appended(header, header.baseOffset, this.now)
    this.replica = new Replica({
      self: node(1),
      log: this.log,
      producers,
      registrations: { brokerEpoch: of => this.brokerEpochs.get(of), mayJoin: of => this.brokerEpochs.has(of) && !this.fenced.has(of) },
      settings: { ...defaultSettings, ...options.settings },
      minInSyncReplicas: options.minInSyncReplicas ?? 2,
    })
  }

  do(input: Input): Effects {
    const effects = this.replica.step(input, this.now)
    this.answers.push(...effects.answers)
    this.events.push(...effects.events)
    this.last = effects
    return effects
  }

  pass(ms: number): Effects {
    this.now += ms
    return this.do({ kind: 'tick' })
  }

  assign(leader: number | undefined, leaderEpoch: number, isr: readonly number[] = [1, 2, 3], more: Partial<Assignment> = {}): this {
    const assignment = {
      leaderEpoch: epoch(leaderEpoch),
      partitionEpoch: ++this.#partitionEpoch,
      leader: leader === undefined ? undefined : node(leader),
      replicas: [1, 2, 3].map(node),
      isr: isr.map(node),
      uncleanEpoch: undefined,
      ...more,
    }
    this.#partitionEpoch = assignment.partitionEpoch
    this.do({ kind: 'assign', assignment })
    return this
  }

  /** Leads in `leaderEpoch`. */
  lead(leaderEpoch = 1, isr: readonly number[] = [1, 2, 3]): this {
    return this.assign(1, leaderEpoch, isr)
  }

  follow(leader = 2, leaderEpoch = 1): this {
    return this.assign(leader, leaderEpoch)
  }

  /** Answers with the request's id. */
  produce(options: BatchOptions = {}, acks: Acks = 'all', timeoutMs = 5_000): number {
    const requestId = ++this.#requests
    const batch = batchOf(options)
    this.do({ kind: 'produce', requestId, batch, header: readBatchHeader(batch), acks, deadlineMs: this.now + timeoutMs })
    return requestId
  }

  sync(): Effects {
    this.log.sync()()
    return this.do({ kind: 'durable' })
  }

  position(end: number, more: Partial<FetchPosition> = {}): FetchPosition {
    return {
      leaderEpoch: this.replica.leaderEpoch,
      fetchOffset: at(end),
      lastFetchedEpoch: end === 0 ? undefined : this.log.epochStarts.findLast(({ start }) => start < end)?.epoch,
      durableEnd: at(end),
      logStart: at(0),
      ...more,
    }
  }

  /** A follower fetches from `end` on, with everything before on its disk unless told otherwise. */
  fetchFrom(place: number, end: number, more: Partial<FetchPosition> = {}): FetchCheck | undefined {
    const brokerEpoch = this.brokerEpochs.get(node(place)) ?? -1
    return this.do({ kind: 'follower_fetch', follower: node(place), brokerEpoch, position: this.position(end, more) }).check
  }

  /** The leader this replica follows answers its fetch. */
  fetched(result: FetchResult): Effects {
    const { leader, position } = this.replica
    if (leader === undefined || position === undefined) throw new Error('nothing is asked for')
    return this.do({ kind: 'fetched', from: leader, position, result })
  }

  /** Records of the leader it follows: one batch each. */
  copy(batches: readonly BatchOptions[], highWatermark = 0, logStart = 0): Effects {
    let baseOffset: number = this.log.logEnd
    const bytes = batches.map(batch => {
      const placed = batchOf({ epoch: this.replica.leaderEpoch, baseOffset, ...batch })
      baseOffset += batch.records ?? 1
      return placed
    })
    const records = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0))
    let place = 0
    for (const part of bytes) {
      records.set(part, place)
      place += part.length
    }
    return this.fetched({ kind: 'records', records, highWatermark: at(highWatermark), logStart: at(logStart) })
  }

  /** Does the cut that was asked for last. */
  cut(): Effects {
    const cut = this.last?.cut
    if (cut === undefined) throw new Error('no cut is asked for')
    if (cut.kind === 'truncate') this.log.truncate(cut.to)
    else this.log.restartAt(cut.at)
    const producers = new ProducerStates()
    for (const { header } of this.log.batches) producers.appended(header, header.baseOffset, this.now)
    return this.do({ kind: 'cut_done', producers })
  }

  /** What was answered to a request. */
  answerTo(requestId: number): Answer | undefined {
    return this.answers.find(answer => answer.requestId === requestId)
  }

  /** The controller commits the last proposal. */
  commitProposal(): void {
    const proposal = this.last?.proposal
    if (proposal === undefined) throw new Error('nothing is proposed')
    const isr = proposal.isr.map(member => Number(member.node.slice(1)))
    this.assign(1, proposal.leaderEpoch, isr, { partitionEpoch: proposal.partitionEpoch + 1 })
  }
}

/** A log that was written in these epochs, a record a batch. */
export function logOf(...epochs: readonly number[]): MemoryLog {
  const log = new MemoryLog()
  for (const written of epochs) log.append(batchOf(), epoch(written))
  log.sync()()
  return log
}
