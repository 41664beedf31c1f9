// What must hold after every step, over all brokers and the whole history of a partition: what is committed never changes
// and is the same everywhere, what is acknowledged is committed, every later leader has it, nothing is there twice, and each
// producer's batches are in its order.
import type { Assignment, MemoryLog, StoredBatch } from '@atoll/broker'
import type { SimulatedBroker } from './broker.ts'

/** Which batch of which producer it is, whatever place it was given. */
export function identityOf({ header }: StoredBatch): string {
  return `${header.producerId}/${header.baseSequence}`
}

interface Committed {
  readonly base: number
  readonly last: number
  readonly epoch: number
  readonly identity: string
}

/** One partition, as all brokers together have committed it. */
class CommittedLog {
  readonly batches: Committed[] = []
  readonly #places = new Map<number, number>()
  readonly identities = new Map<string, number>()
  readonly #nextSequences = new Map<number, number>()

  get end(): number {
    return (this.batches.at(-1)?.last ?? -1) + 1
  }

  /** What is wrong with taking `stored` as the next; undefined when nothing is. */
  push(stored: StoredBatch): string | undefined {
    const { header } = stored
    const identity = identityOf(stored)
    const expected = this.#nextSequences.get(header.producerId) ?? 0
    this.#places.set(header.baseOffset, this.batches.length)
    this.batches.push({ base: header.baseOffset, last: header.lastOffset, epoch: header.leaderEpoch, identity })
    if (this.identities.has(identity)) return `${identity} is committed twice, at ${this.identities.get(identity)} and ${header.baseOffset}`
    this.identities.set(identity, header.baseOffset)
    this.#nextSequences.set(header.producerId, header.baseSequence + header.count)
    if (header.baseSequence !== expected) return `${identity} is committed where ${expected} of that producer was due`
    return undefined
  }

  placeOf(base: number): number | undefined {
    return this.#places.get(base)
  }
}

export interface CheckedWorld {
  readonly now: number
  readonly minInSyncReplicas: number
  readonly brokers: readonly SimulatedBroker[]
}

/** What a follower said before its disk was lost may reach the leader so much later. */
const WIPED_COUNTS_MS = 100

export class Checker {
  readonly violations: string[] = []
  acknowledged = 0
  consumed = 0
  readonly #world: CheckedWorld
  readonly #logs = new Map<string, CommittedLog>()
  /** Who led which epoch of which partition, in which life. */
  readonly #leaders = new Map<string, string>()
  /** How far each replica's log was compared, in each life. */
  readonly #compared = new Map<string, number>()
  readonly #watermarks = new Map<string, number>()
  readonly #positions = new Map<string, number>()

  constructor(world: CheckedWorld, keys: readonly string[]) {
    this.#world = world
    for (const key of keys) this.#logs.set(key, new CommittedLog())
  }

  violated(who: string, what: string): void {
    this.violations.push(`${this.#world.now.toFixed(1)} ms: ${who} ${what}`)
  }

  get leadersSeen(): number {
    return this.#leaders.size
  }

  committedEnd(key: string): number {
    return this.#log(key).end
  }

  /** A replica says that it leads: nobody else did in that epoch, nor itself before a restart. */
  led(broker: SimulatedBroker, key: string, epoch: number): void {
    const who = `${broker.node}@${broker.life}`
    const known = this.#leaders.get(`${key}/${epoch}`)
    if (known !== undefined && known !== who) this.violated(who, `leads ${key} in epoch ${epoch}, which ${known} led`)
    this.#leaders.set(`${key}/${epoch}`, who)
  }

  /** The controller chose a leader: what is committed is on its disk. */
  elected(key: string, { leader, leaderEpoch }: Assignment, log: MemoryLog): void {
    const committed = this.#log(key)
    const missing = committed.batches.find(({ base, last, identity }) => {
      if (last < log.logStart) return false
      const stored = log.batchAt(base)
      return stored === undefined || identityOf(stored) !== identity
    })
    if (missing !== undefined)
      this.violated(`${leader}`, `is to lead ${key} in epoch ${leaderEpoch} without committed ${missing.identity} at ${missing.base}`)
  }

  cut(broker: SimulatedBroker, key: string): void {
    this.#compared.delete(`${broker.node}@${broker.life}/${key}`)
  }

  stepped(broker: SimulatedBroker, key: string): void {
    const replica = broker.replica(key)
    const log = broker.logs.get(key)
    if (replica === undefined || log === undefined) return
    const { highWatermark, leaderEpoch } = replica
    const place = `${broker.node}@${broker.life}/${key}`
    const epochPlace = `${place}/${leaderEpoch}`
    if (highWatermark < (this.#watermarks.get(epochPlace) ?? 0)) this.violated(place, `moves its high watermark back to ${highWatermark}`)
    this.#watermarks.set(epochPlace, highWatermark)
    if (highWatermark > log.logEnd) this.violated(place, 'has its high watermark past its end')
    let from = Math.max(this.#compared.get(place) ?? 0, log.logStart)
    while (from < highWatermark) {
      const stored = log.batchAt(from)
      if (stored === undefined || stored.header.lastOffset >= highWatermark) {
        this.violated(place, `has no whole batch at ${from}, below its high watermark ${highWatermark}`)
        return
      }
      this.#compare(place, key, stored, replica.isLeader)
      from = stored.header.lastOffset + 1
    }
    this.#compared.set(place, from)
  }

  acked(client: string, key: string, identity: string, firstOffset: number): void {
    this.acknowledged++
    const at = this.#log(key).identities.get(identity)
    if (at !== firstOffset) this.violated(client, `was acknowledged ${identity} of ${key} at ${firstOffset}; committed at ${at}`)
  }

  /** What a consumer read from its position on. Answers the next one. */
  read(key: string, from: number, batches: readonly StoredBatch[]): number {
    let next = from
    const committed = this.#log(key)
    for (const stored of batches) {
      const place = committed.placeOf(stored.header.baseOffset)
      if (place === undefined || committed.batches[place]?.identity !== identityOf(stored))
        this.violated(`a consumer of ${key}`, `read ${identityOf(stored)} at ${stored.header.baseOffset}, which is not committed`)
      if (next < stored.header.baseOffset && next !== from) this.violated(`a consumer of ${key}`, `skipped from ${next}`)
      next = stored.header.lastOffset + 1
    }
    this.consumed += batches.length
    return next
  }

  position(key: string): number {
    return this.#positions.get(key) ?? 0
  }

  setPosition(key: string, position: number): void {
    this.#positions.set(key, position)
  }

  /** What is committed is on enough disks, at that moment. A disk that was lost a moment ago may have been counted still. */
  #checkHolders(place: string, key: string, stored: StoredBatch): void {
    const holders = this.#world.brokers.filter(({ logs, wipedAtMs }) => {
      const log = logs.get(key)
      if (this.#world.now - wipedAtMs < WIPED_COUNTS_MS) return true
      if (log === undefined || log.durableEnd <= stored.header.lastOffset) return false
      const held = log.batchAt(stored.header.baseOffset)
      return log.logStart > stored.header.baseOffset || (held !== undefined && identityOf(held) === identityOf(stored))
    })
    const least = Math.min(this.#world.minInSyncReplicas, this.#world.brokers.length)
    if (holders.length >= least) return
    this.violated(place, `commits ${identityOf(stored)} of ${key} with ${holders.length} copies on disk, of at least ${least}`)
  }

  #compare(place: string, key: string, stored: StoredBatch, isLeader: boolean): void {
    const committed = this.#log(key)
    const { baseOffset } = stored.header
    const known = committed.placeOf(baseOffset)
    const there = known === undefined ? undefined : committed.batches[known]
    if (there !== undefined) {
      if (there.identity !== identityOf(stored) || there.epoch !== stored.header.leaderEpoch)
        this.violated(place, `has ${identityOf(stored)} at ${baseOffset} of ${key}, where ${there.identity} is committed`)
      return
    }
    if (baseOffset !== committed.end) this.violated(place, `commits ${key} at ${baseOffset}, after ${committed.end}`)
    if (!isLeader) this.violated(place, `follows ${key} and knows ${baseOffset} to be committed before any leader`)
    this.#checkHolders(place, key, stored)
    const why = committed.push(stored)
    if (why !== undefined) this.violated(place, `${key}: ${why}`)
  }

  #log(key: string): CommittedLog {
    return this.#logs.get(key) as CommittedLog
  }
}
