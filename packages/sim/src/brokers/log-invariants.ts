// What must hold of partitions after every step, watched from outside of all brokers: one leader acts in each epoch of a
// partition, high watermarks do not go back, and what is committed is the same everywhere, never changes, is on enough
// disks, and is in the log of whoever leads later.
import { type NodeId, present } from '@atoll/base'
import type { Broker } from '@atoll/broker'
import type { BatchHeader } from '@atoll/records'
import { readBatchHeader } from '@atoll/records'
import type { SimCluster } from '../sim-cluster.ts'
import { CommittedLog, identityOf } from './committed-log.ts'
import { headersOnDisk } from './segments.ts'

/** Disks on which a batch has to be before it is committed: `min.insync.replicas` of the topics here. */
export const MIN_IN_SYNC = 2
/** What a follower said before its disk was lost may reach its leader so much later, in virtual milliseconds. */
const WIPED_COUNTS_MS = 15_000
const TAIL_BYTES = 1_048_576

export type PartitionKey = Parameters<Broker['service']['host']['replica']>[0]

/** One replica of one process, as it was when this last looked. */
interface Seen {
  readonly replica: object
  epoch: number
  isLeader: boolean
  highWatermark: number
  /** Below this it was compared with what is committed. */
  compared: number
}

/** What a disk that is gone had, for as long as somebody may still count on it. */
interface Gone {
  readonly durableEnd: number
  readonly atMs: number
}

export class LogInvariants {
  readonly violations: string[] = []
  readonly #cluster: SimCluster
  readonly #logs = new Map<string, CommittedLog>()
  readonly #leaders = new Map<string, string>()
  readonly #seen = new Map<string, Seen>()
  readonly #lives = new Map<NodeId, number>()
  /** What each broker has on its disk, also while it is down. */
  readonly #durable = new Map<string, number>()
  readonly #gone = new Map<string, Gone>()
  #epochs = 0

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
    cluster.onStart = name => void this.#lives.set(name, (this.#lives.get(name) ?? 0) + 1)
    cluster.onWipe = name => this.#wiped(name)
  }

  /** From now on this partition is watched. */
  watch(key: string): void {
    this.#logs.set(key, new CommittedLog())
  }

  log(key: string): CommittedLog {
    return present(this.#logs.get(key), 'a partition that is watched')
  }

  get keys(): readonly string[] {
    return [...this.#logs.keys()]
  }

  /** Epochs that somebody acted as a leader in. */
  get epochs(): number {
    return this.#epochs
  }

  get committed(): number {
    return [...this.#logs.values()].reduce((sum, { batches }) => sum + batches.length, 0)
  }

  /** A producer was told that its batch is kept. */
  acknowledged(who: string, key: string, identity: string, offset: number): void {
    const at = this.log(key).baseOf(identity)
    if (at !== offset) this.#violated(who, `was acknowledged ${identity} of ${key} at ${offset}; committed at ${at}`)
  }

  /** To be asked after every step. True when something is wrong. */
  readonly look = (): boolean => {
    for (const name of this.#cluster.brokers) {
      const broker = this.#cluster.brokerProcess(name)
      if (broker !== undefined) for (const key of this.#logs.keys()) this.#lookAt(name, broker, key)
    }
    return this.violations.length > 0
  }

  #lookAt(name: NodeId, { service: { host } }: Broker, key: string): void {
    const replica = host.replica(key as PartitionKey)
    const log = host.log(key as PartitionKey)
    if (replica === undefined || log === undefined) return
    const { durableEnd } = log
    const { isLeader, leaderEpoch, highWatermark } = replica
    this.#durable.set(`${name} ${key}`, durableEnd)
    const who = `${name}@${this.#lives.get(name)}`
    const place = `${who} ${key}`
    const known = this.#seen.get(place)
    // A copy that was closed and opened again knows nothing of what it knew.
    const seen = known?.replica === replica ? known : { replica, epoch: -1, isLeader: false, highWatermark: 0, compared: 0 }
    const isNews = seen.epoch !== leaderEpoch || seen.isLeader !== isLeader
    if (!isNews && seen.highWatermark === highWatermark) return
    this.#seen.set(place, seen)
    if (isNews && isLeader) this.#leads(name, who, key, leaderEpoch)
    if (seen.epoch === leaderEpoch && highWatermark < seen.highWatermark)
      this.#violated(who, `moves the high watermark of ${key} back from ${seen.highWatermark} to ${highWatermark}`)
    if (highWatermark > log.logEnd) this.#violated(who, `has its high watermark of ${key} at ${highWatermark}, past its end`)
    if (isLeader && highWatermark > durableEnd)
      this.#violated(who, `leads ${key} and commits up to ${highWatermark}, with ${durableEnd} on its own disk`)
    if (isNews) seen.compared = Math.min(seen.compared, highWatermark)
    seen.epoch = leaderEpoch
    seen.isLeader = isLeader
    seen.highWatermark = highWatermark
    if (highWatermark > seen.compared) this.#compare(name, who, key, seen, isLeader, log)
  }

  #compare(
    name: NodeId,
    who: string,
    key: string,
    seen: Seen,
    isLeader: boolean,
    log: NonNullable<ReturnType<Broker['service']['host']['log']>>,
  ) {
    const committed = this.log(key)
    const { highWatermark } = seen
    const tail = log.readTail(seen.compared as typeof log.logEnd, highWatermark as typeof log.logEnd, TAIL_BYTES)
    const headers = tail?.map(batch => readBatchHeader(batch)) ?? this.#onDisk(name, key, seen.compared, highWatermark)
    for (const header of headers) {
      if (header.lastOffset < seen.compared) continue
      if (header.baseOffset >= committed.end) {
        if (!isLeader) this.#violated(who, `follows ${key} and knows ${header.baseOffset} to be committed before any leader`)
        this.#checkHolders(who, key, header)
      }
      const wrong = committed.take(header)
      if (wrong !== undefined) this.#violated(who, `${key}: ${wrong}`)
      seen.compared = header.lastOffset + 1
    }
  }

  #onDisk(name: NodeId, key: string, from: number, end: number): readonly BatchHeader[] {
    return headersOnDisk(this.#cluster.diskOf(name), key).filter(({ baseOffset, lastOffset }) => lastOffset >= from && baseOffset < end)
  }

  /** Nobody else led in that epoch, nor did this one before a restart; and it has all that is committed. */
  #leads(name: NodeId, who: string, key: string, epoch: number): void {
    const known = this.#leaders.get(`${key} ${epoch}`)
    if (known === who) return
    if (known !== undefined) this.#violated(who, `leads ${key} in epoch ${epoch}, in which ${known} led`)
    this.#leaders.set(`${key} ${epoch}`, who)
    this.#epochs++
    const had = new Map<number, string>(
      headersOnDisk(this.#cluster.diskOf(name), key).map(header => [header.baseOffset, identityOf(header)]),
    )
    const missing = this.log(key).batches.find(({ base, identity }) => had.get(base) !== identity)
    if (missing !== undefined)
      this.#violated(
        who,
        `leads ${key} in epoch ${epoch} without ${missing.identity}, committed at ${missing.base} of ${this.log(key).end}`,
      )
  }

  /** What is committed is on enough disks at that moment. A disk that was lost a moment ago may have been counted still. */
  #checkHolders(who: string, key: string, { lastOffset, baseOffset }: BatchHeader): void {
    const { nowMs } = this.#cluster.simulation
    const holders = this.#cluster.brokers.filter(name => {
      const gone = this.#gone.get(`${name} ${key}`)
      if (gone !== undefined && nowMs - gone.atMs < WIPED_COUNTS_MS && gone.durableEnd > lastOffset) return true
      return (this.#durable.get(`${name} ${key}`) ?? 0) > lastOffset
    })
    if (holders.length < MIN_IN_SYNC)
      this.#violated(who, `commits ${baseOffset} of ${key} with only ${holders.join(', ') || 'nobody'} having it on disk`)
  }

  #wiped(name: NodeId): void {
    for (const key of this.#logs.keys()) {
      const durableEnd = this.#durable.get(`${name} ${key}`) ?? 0
      this.#gone.set(`${name} ${key}`, { durableEnd, atMs: this.#cluster.simulation.nowMs })
      this.#durable.delete(`${name} ${key}`)
    }
  }

  #violated(who: string, what: string): void {
    this.violations.push(`${this.#cluster.simulation.nowMs.toFixed(1)} ms: ${who} ${what}`)
  }
}
