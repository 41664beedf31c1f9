// One member's life in a group: it joins, learns what it gets, says that it is alive, and joins again when others come or go
// (KIP-62, Kafka's classic protocol). Before each new round everything is given back, with what was processed committed.
import { sleep } from '@atoll/base'
import {
  type CommittedOffset,
  type ErrorCode,
  errorNamed,
  groupCommit,
  groupHeartbeat,
  groupJoin,
  groupLeave,
  groupOffsets,
  groupSync,
  ProtocolError,
  type ResponseOf,
  topicKey,
  topicRecord,
} from '@atoll/protocol'
import { AtollError } from '../atoll-error.ts'
import {
  type Assignor,
  assign,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Place,
} from './assignors.ts'
import { GroupLink } from './group-link.ts'
import { type LogParts, mayPass, retryPauseMs } from './log-parts.ts'

export interface MembershipOptions {
  readonly group: string
  readonly topic: string
  readonly assignors: readonly Assignor[]
  readonly instanceId: string | undefined
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Without a coordinator for so long the member gives up, in milliseconds. */
  readonly stallMs: number
}

/** What the member does with its partitions. */
export interface Assignee {
  /** These are its own from now on, each with what was committed of it. */
  assigned(places: readonly CommittedOffset[]): void
  /** Resolves when what was handed over is processed, as far as that can be waited for, and its place is committed. */
  revoke(): Promise<void>
  failed(error: AtollError): void
}

type Joined = ResponseOf<typeof groupJoin>

export class GroupMembership {
  readonly #log: LogParts
  readonly #options: MembershipOptions
  readonly #assignee: Assignee
  readonly #link: GroupLink
  readonly #stopping = new AbortController()
  #memberId = ''
  #generation = -1
  #failures = 0
  #heardAtMs: number

  constructor(log: LogParts, options: MembershipOptions, assignee: Assignee) {
    this.#log = log
    this.#options = options
    this.#assignee = assignee
    this.#link = new GroupLink(log, options.group)
    this.#heardAtMs = log.clock.monotonicMs()
  }

  get memberId(): string {
    return this.#memberId
  }

  begin(): void {
    void this.#run()
  }

  /** Commits these. Rejects with a ProtocolError. */
  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    const { errors } = await this.#link.ask(groupCommit, { ...this.#asMember, offsets })
    const error = errors.find(code => code !== 0)
    if (error !== undefined) throw new ProtocolError(errorNamed(error) ?? 'internal_error')
  }

  /** Leaves, so that the others need not wait. A static member stays: it is expected back. Never rejects. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    const { group, instanceId } = this.#options
    if (this.#memberId !== '' && instanceId === undefined && !this.#log.closing.aborted)
      await this.#link.ask(groupLeave, { group, memberId: this.#memberId, instanceId }).catch((error: unknown) => {
        if (!(error instanceof ProtocolError)) throw error
        // The group finds out by itself when the session ends.
      })
    this.#link.close()
  }

  get #asMember() {
    const { group, instanceId } = this.#options
    return { group, memberId: this.#memberId, instanceId, generation: this.#generation }
  }

  #isOver(): boolean {
    return this.#stopping.signal.aborted || this.#log.closing.aborted
  }

  /** Never rejects but for a bug. */
  async #run(): Promise<void> {
    while (!this.#isOver()) {
      try {
        await this.#round()
      } catch (error) {
        if (this.#isOver()) return
        await this.#afterFailure(error)
      }
    }
  }

  async #round(): Promise<void> {
    const joined = await this.#join()
    if (joined.generation < 0) {
      this.#memberId = joined.memberId
      return
    }
    this.#memberId = joined.memberId
    this.#generation = joined.generation
    const assignments = joined.leader === joined.memberId && !joined.skipAssignment ? await this.#assignAll(joined) : []
    const { assignment } = await this.#link.ask(
      groupSync,
      { ...this.#asMember, assignments },
      { timeoutMs: this.#options.rebalanceTimeoutMs, signal: this.#stopping.signal },
    )
    const places = decodeAssignment(assignment).filter(({ topic }) => topic === this.#options.topic)
    const committed = await this.#committed(places)
    if (this.#isOver()) return
    this.#heard()
    this.#assignee.assigned(committed)
    try {
      await this.#stayAlive()
    } finally {
      if (!this.#isOver()) await this.#assignee.revoke()
    }
  }

  #join(): Promise<Joined> {
    const { group, topic, assignors, instanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const metadata = encodeSubscription([topic])
    const request = { group, memberId: this.#memberId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocolType: 'consumer' }
    return this.#link.ask(
      groupJoin,
      { ...request, protocols: assignors.map(name => ({ name, metadata })) },
      { timeoutMs: rebalanceTimeoutMs + sessionTimeoutMs, signal: this.#stopping.signal },
    )
  }

  /** The leader says what each member gets. */
  async #assignAll({ protocol, members }: Joined) {
    const subscribers = members.map(({ memberId, metadata }) => ({ memberId, topics: decodeSubscription(metadata) }))
    const partitions = new Map<string, number>()
    for (const topic of new Set(subscribers.flatMap(({ topics }) => topics))) {
      const entry = await this.#log.kv.getBytes(topicKey(topic), { signal: this.#stopping.signal })
      if (entry !== undefined) partitions.set(topic, topicRecord().read(entry.value).partitions)
    }
    const shares = assign(protocol === 'roundrobin' ? 'roundrobin' : 'range', subscribers, partitions)
    return [...shares].map(([memberId, places]) => ({ memberId, assignment: encodeAssignment(places) }))
  }

  async #committed(places: readonly Place[]): Promise<readonly CommittedOffset[]> {
    if (places.length === 0) return []
    const { offsets } = await this.#link.ask(groupOffsets, { group: this.#options.group, places })
    return offsets
  }

  /** Until there is a new round, or this one is over for us. Rejects with a ProtocolError. */
  async #stayAlive(): Promise<void> {
    const { clock } = this.#log
    const { sessionTimeoutMs } = this.#options
    for (;;) {
      await sleep(clock, sessionTimeoutMs / 5, this.#stopping.signal)
      try {
        await this.#link.ask(groupHeartbeat, this.#asMember, { timeoutMs: sessionTimeoutMs / 2, signal: this.#stopping.signal })
        this.#heard()
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        if (error.code === 'rebalance_in_progress') return
        // Another coordinator may be there soon; without one the group counts us out, and so must we.
        const isPassing = isOfCoordinator(error) && clock.monotonicMs() - this.#heardAtMs < sessionTimeoutMs
        if (!isPassing) throw error
      }
    }
  }

  #heard(): void {
    this.#heardAtMs = this.#log.clock.monotonicMs()
    this.#failures = 0
  }

  async #afterFailure(error: unknown): Promise<void> {
    if (!(error instanceof ProtocolError) && !(error instanceof AtollError)) throw error
    switch (error.code) {
      case 'unknown_member':
        this.#memberId = ''
        this.#generation = -1
        break
      case 'group_generation_over':
      case 'rebalance_in_progress':
        break
      default:
        if (!mayPass(error.code) && !(error instanceof ProtocolError && isOfCoordinator(error))) return this.#fail(error, error.code)
        if (this.#log.clock.monotonicMs() - this.#heardAtMs > this.#options.stallMs) return this.#fail(error, 'consumer_stalled')
    }
    await sleep(this.#log.clock, retryPauseMs(this.#log.random, ++this.#failures), this.#stopping.signal).catch(() => {
      // Stopped meanwhile.
    })
  }

  #fail(error: ProtocolError | AtollError, code: ErrorCode): void {
    const { group } = this.#options
    const message = `group ${group}: ${error.message}`
    this.#assignee.failed(new AtollError(code, message, { operation: 'group_join', outcome: 'definite', cause: error }))
    this.#stopping.abort()
    this.#link.close()
  }
}

const isOfCoordinator = ({ code }: ProtocolError): boolean =>
  code === 'no_group_coordinator' || code === 'not_group_coordinator' || mayPass(code)
