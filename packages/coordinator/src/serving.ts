// What a coordinator serves to clients: the parts behind its three conversations, put together. A composition root.
import type { Clock, Compute, Logger, Net, NodeId } from '@atoll/base'
import {
  type HandlerTable,
  kvConversation,
  registryConversation,
  rightsConversation,
  TOPIC_ID_BYTES,
  topicsConversation,
} from '@atoll/protocol'
import type { Member } from '@atoll/raft'
import type { Metrics } from '@atoll/service'
import { ContestWaiters } from './contest-waiters.ts'
import { Controller } from './controller/controller.ts'
import { offsetsTopic } from './controller/internal-topics.ts'
import { ElectionObservers } from './election-observers.ts'
import { keyValueHandlers } from './handlers/key-value.ts'
import { registryHandlers } from './handlers/registry.ts'
import { rightsHandlers } from './handlers/rights.ts'
import { topicsHandlers } from './handlers/topics.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { BALANCE_AFTER_MS, INTERNAL_TOPICS_PATIENCE_MS } from './limits.ts'
import { Replica } from './replica.ts'
import type { ReplicatedState } from './replicated-state.ts'
import { WatchStreams } from './watch-streams.ts'

export interface ServingContext {
  readonly self: NodeId
  readonly clock: Clock
  readonly log: () => Logger
  readonly net: Net
  readonly compute: Compute
  /** How many brokers the cluster is planned with. */
  readonly brokersPlanned: number
  /** Rejects when `member` does not belong to the coordinators. */
  readonly admit: (member: Member) => Promise<void>
}

export class Serving {
  readonly replica: Replica
  readonly controller: Controller
  readonly #self: NodeId
  readonly #clock: Clock
  readonly #admit: ServingContext['admit']
  readonly #watches: WatchStreams
  readonly #waiters: ContestWaiters
  readonly #leases: LeaseKeeper
  readonly #observers: ElectionObservers

  constructor(machine: ReplicatedState, { self, clock, log, net, compute, brokersPlanned, admit }: ServingContext) {
    this.#admit = admit
    this.#self = self
    this.#clock = clock
    this.replica = new Replica(machine)
    // In this order they are told of what was applied: a lease begins its term before anything else is made of it.
    this.#leases = new LeaseKeeper(this.replica, clock, log)
    this.#watches = new WatchStreams(this.replica, clock)
    this.#observers = new ElectionObservers(this.replica, this.#watches)
    this.#waiters = new ContestWaiters(this.replica)
    const planner = () => ({
      topics: [offsetsTopic],
      brokersPlanned,
      drawTopicId: () => compute.secureBytes(TOPIC_ID_BYTES),
      internalTopicsPatienceMs: INTERNAL_TOPICS_PATIENCE_MS,
      balanceAfterMs: BALANCE_AFTER_MS,
    })
    this.controller = new Controller({ self, replica: this.replica, clock, net, log, planner })
  }

  serve(handlers: HandlerTable): void {
    const { replica } = this
    handlers
      .serve(kvConversation, keyValueHandlers(replica, this.#watches, this.#clock))
      .serve(rightsConversation, rightsHandlers({ replica, leases: this.#leases, waiters: this.#waiters, observers: this.#observers }))
      .serve(registryConversation, registryHandlers(this.#self, replica, this.#watches, this.#admit))
      .serve(topicsConversation, topicsHandlers(replica, this.controller))
  }

  count(metrics: Metrics): void {
    const { replica } = this
    metrics.gauge('atoll_store_keys_count', 'Keys in the store.', () => replica.state.store.liveKeys)
    metrics.gauge('atoll_store_live_bytes', 'Size of the keys and values in the store.', () => replica.state.store.liveBytes)
    metrics.gauge('atoll_store_history_bytes', 'Size of what is kept of the past.', () => replica.state.store.historyBytes)
    metrics.gauge('atoll_leases_count', 'Leases, sessions included.', () => replica.state.leases.size)
    metrics.gauge('atoll_watches_count', 'Watches served here.', () => this.#watches.size)
    metrics.gauge('atoll_contest_waiters_count', 'Requests for locks and offices held open here.', () => this.#waiters.size)
    metrics.counted(
      'atoll_controller_proposals_total',
      'Commands that this coordinator proposed as the controller.',
      () => this.controller.proposedTotal,
    )
    metrics.counted('atoll_leases_expired_total', 'Leases that this coordinator let expire as the leader.', () => this.#leases.expiredTotal)
  }
}
