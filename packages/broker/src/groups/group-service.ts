// The groups that this broker coordinates: a coordinator for each partition of `__consumer_offsets` that it leads, its
// records written to that partition and read from it, one timer for each. Who asks about a group of another partition is
// told that this is not its coordinator.
import { type Clock, InvariantError, type Logger, type MonotonicMs, type Timer } from '@atoll/base'
import { KafkaError } from '../kafka/handlers.ts'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'
import type { CoordinatorSettings, GroupEffects, GroupInput } from './coordinator-inputs.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { type GroupAnswer, type GroupRequest, refusal } from './group-messages.ts'
import { type GroupRecord, partitionOfGroup } from './group-records.ts'
import { TICK_MS_MIN } from './limits.ts'

/** The topic of groups and offsets, as far as this broker leads it. */
export interface GroupLog {
  /** All committed records of the partition, in order, in pieces that take a few milliseconds each to go through. */
  read(partition: number, signal: AbortSignal): AsyncIterable<readonly GroupRecord[]>
  /**
   * Appends one batch. Resolves when it is committed, in the order of the calls; rejects with a KafkaError when it is not,
   * or when nobody can tell any more.
   */
  append(partition: number, records: readonly GroupRecord[], signal: AbortSignal): Promise<void>
}

export interface GroupServiceOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly log: GroupLog
  readonly settings: CoordinatorSettings
  /** What makes member ids unlike any other: a UUID. */
  readonly drawId: () => string
  /** Partitions of the topic; undefined while it is not there. */
  readonly partitions: () => number | undefined
}

interface Led {
  readonly partition: number
  readonly coordinator: GroupCoordinator
  readonly resigned: AbortController
  timer: Timer | undefined
}

interface Asker {
  readonly led: Led
  readonly settle: (answer: GroupAnswer) => void
}

export class GroupService {
  readonly #options: GroupServiceOptions
  readonly #led = new Map<number, Led>()
  readonly #askers = new Map<number, Asker>()
  #requests = 0

  constructor(options: GroupServiceOptions) {
    this.#options = options
  }

  /** This broker leads that partition from now on, in a new epoch. */
  lead(partition: number): void {
    this.resign(partition)
    const { settings, drawId } = this.#options
    const led: Led = { partition, coordinator: new GroupCoordinator(settings, drawId), resigned: new AbortController(), timer: undefined }
    this.#led.set(partition, led)
    void this.#load(led)
  }

  /** This broker does not lead that partition any more, if it did. */
  resign(partition: number): void {
    const led = this.#led.get(partition)
    if (led === undefined) return
    this.#step(led, { kind: 'resigned' })
    this.#led.delete(partition)
    led.timer?.cancel()
    led.resigned.abort()
  }

  topicsDeleted(topics: readonly string[]): void {
    for (const led of this.#led.values()) this.#step(led, { kind: 'topics_deleted', topics })
  }

  stop(): void {
    for (const partition of this.#led.keys()) this.resign(partition)
  }

  /** Resolves with the answer, which may take as long as others take to join. `signal`: nobody waits for it any more. */
  async ask(request: GroupRequest, signal: AbortSignal): Promise<GroupAnswer> {
    if (request.kind === 'list') return this.#list(signal)
    const partitions = this.#options.partitions()
    if (partitions === undefined) return refusal(request, 'coordinator_not_available')
    const led = this.#led.get(partitionOfGroup(request.groupId, partitions))
    return led === undefined ? refusal(request, 'not_coordinator') : this.#askOf(led, request, signal)
  }

  async #list(signal: AbortSignal): Promise<GroupAnswer> {
    const answers = await Promise.all([...this.#led.values()].map(led => this.#askOf(led, { kind: 'list' }, signal)))
    const lists = answers.flatMap(answer => (answer.kind === 'list' ? [answer] : []))
    const error = lists.find(list => list.error !== 'none')?.error ?? 'none'
    return { kind: 'list', error, groups: lists.flatMap(({ groups }) => groups) }
  }

  #askOf(led: Led, request: GroupRequest, signal: AbortSignal): Promise<GroupAnswer> {
    const requestId = ++this.#requests
    return new Promise(settle => {
      const abandon = () => {
        if (this.#askers.delete(requestId)) this.#step(led, { kind: 'abandoned', requestId })
        settle(refusal(request, 'request_timed_out'))
      }
      if (signal.aborted) return settle(refusal(request, 'request_timed_out'))
      signal.addEventListener('abort', abandon, { once: true })
      const settled = (answer: GroupAnswer) => {
        signal.removeEventListener('abort', abandon)
        settle(answer)
      }
      this.#askers.set(requestId, { led, settle: settled })
      this.#step(led, { kind: 'request', requestId, request })
    })
  }

  /** Never rejects but for a bug. */
  async #load(led: Led): Promise<void> {
    const { log, logger } = this.#options
    const { partition, resigned } = led
    try {
      for await (const records of log.read(partition, resigned.signal)) {
        if (resigned.signal.aborted) return
        this.#step(led, { kind: 'replay', records })
      }
    } catch (error) {
      if (error instanceof InvariantError) throw error
      // It answers that it is loading until another leader, or the next epoch of this one, can read it.
      if (!resigned.signal.aborted)
        logger.error({ event: 'groups_not_loaded', partition, err: error }, 'the groups of a partition cannot be read')
      return
    }
    if (!resigned.signal.aborted) this.#step(led, { kind: 'loaded' })
  }

  #step(led: Led, input: GroupInput): void {
    const { clock } = this.#options
    const nowMs = clock.monotonicMs()
    const { answers, store, nextTickMs }: GroupEffects = led.coordinator.step(input, { nowMs, wallMs: clock.wallMs() })
    for (const { requestId, answer } of answers) {
      const asker = this.#askers.get(requestId)
      this.#askers.delete(requestId)
      asker?.settle(answer)
    }
    for (const { ticket, records } of store) void this.#store(led, ticket, records)
    this.#tickAt(led, nextTickMs, nowMs)
  }

  async #store(led: Led, ticket: number, records: readonly GroupRecord[]): Promise<void> {
    const error = await this.#options.log.append(led.partition, records, led.resigned.signal).then(
      () => undefined,
      (reason: unknown) => {
        if (!(reason instanceof KafkaError)) throw reason
        return toldOf(reason.code)
      },
    )
    if (!led.resigned.signal.aborted) this.#step(led, { kind: 'stored', ticket, error })
  }

  #tickAt(led: Led, nextTickMs: number, nowMs: MonotonicMs): void {
    led.timer?.cancel()
    led.timer = undefined
    if (nextTickMs === Infinity || led.resigned.signal.aborted) return
    const delayMs = Math.min(Math.max(TICK_MS_MIN, nextTickMs - nowMs), 2 ** 31 - 1)
    led.timer = this.#options.clock.after(delayMs, () => this.#step(led, { kind: 'tick' }))
  }
}

/** What a member of a group is told of records that were not stored (apache/kafka `GroupMetadataManager`). */
function toldOf(error: KafkaErrorName): KafkaErrorName {
  switch (error) {
    case 'not_leader_or_follower':
    case 'fenced_leader_epoch':
    case 'kafka_storage_error':
      return 'not_coordinator'
    case 'not_enough_replicas':
    case 'not_enough_replicas_after_append':
    case 'request_timed_out':
    case 'unknown_topic_or_partition':
      return 'coordinator_not_available'
    case 'message_too_large':
    case 'record_list_too_large':
      return 'unknown_server_error'
    default:
      return error
  }
}
