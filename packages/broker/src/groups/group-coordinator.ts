// The coordinator of the groups whose state one partition of `__consumer_offsets` holds: whoever leads that partition. It
// reads the partition, and until it has read all of it answers that it is loading; from then on every change is a record
// there first, and an answer that depends on one is given when that is stored. When it leads no more it says so to all.
// Requests and time come in, answers and records go out; it has no timers of its own, only a next deadline.
import { type MonotonicMs, unreachable } from '@atoll/base'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'
import type { CoordinatorSettings, GroupEffects, GroupInput, Now } from './coordinator-inputs.ts'
import { Group } from './group.ts'
import type { GroupHost } from './group-host.ts'
import {
  type CommitRequest,
  type DeleteOffsetsRequest,
  type GroupAnswer,
  type GroupRequest,
  type OffsetPlace,
  refusal,
} from './group-messages.ts'
import { fetchedOffsets, GroupOffsets } from './group-offsets.ts'
import { type GroupRecord, groupRecord, offsetRecord, readGroupRecord, type StoredOffset } from './group-records.ts'
import {
  COMMIT_OFFSETS_MAX,
  GROUP_BYTES_MAX,
  GROUP_OFFSETS_MAX,
  GROUPS_MAX,
  OFFSET_METADATA_MAX,
  OFFSET_RECORD_BYTES,
  STORING_MAX,
  TOMBSTONES_MAX,
} from './limits.ts'

interface Kept {
  readonly group: Group
  readonly offsets: GroupOffsets
}

export class GroupCoordinator {
  readonly #settings: CoordinatorSettings
  readonly #host: GroupHost
  readonly #groups = new Map<string, Kept>()
  readonly #storing = new Map<number, (error: KafkaErrorName | undefined) => void>()
  #phase: 'loading' | 'active' | 'resigned' = 'loading'
  #now: Now = { nowMs: 0 as MonotonicMs, wallMs: 0 }
  #tickets = 0
  #answers: { readonly requestId: number; readonly answer: GroupAnswer }[] = []
  #stores: { readonly ticket: number; readonly records: readonly GroupRecord[] }[] = []
  #checkAtMs = Infinity
  /** No deadline of a group is earlier: heartbeats only put them off, so this is found anew only when it is reached. */
  #wakeMs = Infinity

  constructor(settings: CoordinatorSettings, drawId: () => string) {
    this.#settings = settings
    const now = () => this.#now
    this.#host = {
      get nowMs() {
        return now().nowMs
      },
      get wallMs() {
        return now().wallMs
      },
      answer: (requestId, answer) => void this.#answers.push({ requestId, answer }),
      store: (records, done) => this.#store(records, done),
      drawId,
    }
  }

  step(input: GroupInput, now: Now): GroupEffects {
    this.#now = now
    switch (input.kind) {
      case 'replay':
        for (const record of input.records) this.#replay(record)
        break
      case 'loaded':
        this.#loaded()
        break
      case 'request':
        this.#request(input.requestId, input.request)
        break
      case 'stored':
        this.#settle(input.ticket, input.error)
        break
      case 'abandoned':
        for (const { group } of this.#groups.values()) group.abandoned(input.requestId)
        this.#wakeMs = 0
        break
      case 'topics_deleted':
        this.#forgetTopics(input.topics)
        break
      case 'tick':
        break
      case 'resigned':
        this.#resign()
        break
      default:
        unreachable(input)
    }
    if (this.#phase === 'active') this.#runDeadlines()
    return this.#take()
  }

  #take(): GroupEffects {
    const effects = { answers: this.#answers, store: this.#stores, nextTickMs: Math.min(this.#wakeMs, this.#checkAtMs) }
    this.#answers = []
    this.#stores = []
    return effects
  }

  #replay(record: GroupRecord): void {
    const read = readGroupRecord(record)
    if (read === undefined) return
    if (read.kind === 'offset') return this.#keep(read.groupId).offsets.apply(read, read.value)
    if (read.value !== undefined) return this.#keep(read.groupId).group.restore(read.value)
    // Its offsets are ended by records of their own; some may come behind.
    const offsets = this.#groups.get(read.groupId)?.offsets ?? new GroupOffsets()
    this.#groups.delete(read.groupId)
    if (offsets.size > 0) this.#groups.set(read.groupId, { group: this.#newGroup(read.groupId), offsets })
  }

  #loaded(): void {
    this.#phase = 'active'
    for (const { group } of this.#groups.values()) group.begin()
    this.#wakeMs = 0
    this.#checkAtMs = this.#now.nowMs + this.#settings.retentionCheckMs
  }

  #request(requestId: number, request: GroupRequest): void {
    const error = this.#unavailable(request)
    if (error !== undefined) return this.#host.answer(requestId, refusal(request, error))
    if (request.kind === 'list') return this.#list(requestId)
    const kept = this.#groups.get(request.groupId)
    switch (request.kind) {
      case 'join':
        return this.#join(requestId, request, kept)
      case 'sync':
      case 'heartbeat':
      case 'leave':
        if (kept === undefined) return this.#host.answer(requestId, refusal(request, 'unknown_member_id'))
        if (request.kind === 'sync') kept.group.sync(requestId, request)
        else if (request.kind === 'heartbeat') kept.group.heartbeat(requestId, request)
        else kept.group.leave(requestId, request)
        return this.#wakeFor(kept)
      case 'commit':
        return this.#commit(requestId, request, kept)
      case 'fetch':
        return this.#host.answer(requestId, { kind: 'fetch', error: 'none', offsets: fetchedOffsets(request, kept?.offsets) })
      case 'describe':
        return this.#host.answer(requestId, kept?.group.describe() ?? refusal(request, 'none'))
      case 'delete':
        return this.#delete(requestId, request.groupId, kept)
      case 'delete_offsets':
        return this.#deleteOffsets(requestId, request, kept)
    }
  }

  #unavailable(request: GroupRequest): KafkaErrorName | undefined {
    if (this.#phase === 'loading') return 'coordinator_load_in_progress'
    if (this.#phase === 'resigned') return 'not_coordinator'
    const named = request.kind !== 'list' && request.kind !== 'commit' && request.kind !== 'fetch' && request.kind !== 'describe'
    if (named && request.groupId === '') return 'invalid_group_id'
    if (this.#storing.size >= STORING_MAX && request.kind !== 'heartbeat') return 'coordinator_not_available'
    return undefined
  }

  #join(requestId: number, request: Extract<GroupRequest, { kind: 'join' }>, found: Kept | undefined): void {
    if (found === undefined && request.memberId !== '') return this.#host.answer(requestId, refusal(request, 'unknown_member_id'))
    if (found === undefined && this.#groups.size >= GROUPS_MAX)
      return this.#host.answer(requestId, refusal(request, 'coordinator_not_available'))
    const kept = found ?? this.#keep(request.groupId)
    kept.group.join(requestId, request)
    this.#wakeFor(kept)
    // Nothing came of it.
    if (found === undefined && kept.group.idle && kept.group.generation === 0) this.#groups.delete(request.groupId)
  }

  #commit(requestId: number, request: CommitRequest, found: Kept | undefined): void {
    const { groupId, generation, offsets } = request
    const error =
      found === undefined
        ? generation >= 0
          ? 'illegal_generation'
          : this.#groups.size >= GROUPS_MAX
            ? 'coordinator_not_available'
            : undefined
        : found.group.commitError(request)
    if (error !== undefined) return this.#host.answer(requestId, refusal(request, error))
    const bytes = offsets.reduce(
      (sum, { topic, metadata }) => sum + 3 * (groupId.length + topic.length + metadata.length) + OFFSET_RECORD_BYTES,
      0,
    )
    const more = (found?.offsets.size ?? 0) + offsets.length
    if (offsets.length > COMMIT_OFFSETS_MAX || more > GROUP_OFFSETS_MAX || bytes > GROUP_BYTES_MAX)
      return this.#host.answer(requestId, refusal(request, 'invalid_commit_offset_size'))
    const kept = found ?? this.#keep(groupId)
    const outcomes = offsets.map(
      ({ metadata }): KafkaErrorName => (metadata.length > OFFSET_METADATA_MAX ? 'offset_metadata_too_large' : 'none'),
    )
    const taken = offsets.filter((_, i) => outcomes[i] === 'none')
    const commitTimestamp = this.#now.wallMs
    this.#storeOffsets(
      groupId,
      kept,
      taken.map(({ topic, partition, offset, leaderEpoch, metadata }) => ({
        topic,
        partition,
        value: { offset, leaderEpoch, metadata, commitTimestamp },
      })),
      failed => {
        const told = outcomes.map(outcome => (outcome === 'none' ? (failed ?? 'none') : outcome))
        this.#host.answer(requestId, { kind: 'commit', error: failed ?? 'none', offsets: told })
      },
    )
    this.#wakeFor(kept)
  }

  #deleteOffsets(requestId: number, request: DeleteOffsetsRequest, kept: Kept | undefined): void {
    if (kept === undefined || kept.group.state === 'dead') return this.#host.answer(requestId, refusal(request, 'group_id_not_found'))
    // What its members are subscribed to is theirs to say; a group without any cannot miss an offset.
    if (!kept.group.idle)
      return this.#host.answer(requestId, { ...refusal(request, 'group_subscribed_to_topic'), error: 'none' } as GroupAnswer)
    this.#storeOffsets(
      request.groupId,
      kept,
      request.places.map(place => ({ ...place, value: undefined })),
      failed => {
        this.#host.answer(requestId, {
          kind: 'delete_offsets',
          error: failed ?? 'none',
          offsets: request.places.map(() => failed ?? 'none'),
        })
      },
    )
  }

  #delete(requestId: number, groupId: string, kept: Kept | undefined): void {
    const refuse = (error: KafkaErrorName) => this.#host.answer(requestId, { kind: 'delete', error })
    if (kept === undefined || kept.group.state === 'dead') return refuse('group_id_not_found')
    if (!kept.group.idle) return refuse('non_empty_group')
    if (kept.offsets.storing > 0) return refuse('coordinator_not_available')
    this.#end(groupId, kept, error => refuse(error ?? 'none'))
  }

  /** The group and all it committed end: a bounded number of records at once, those of the group last. */
  #end(groupId: string, kept: Kept, done: (error: KafkaErrorName | undefined) => void): void {
    kept.group.bury()
    const places = [...kept.offsets.entries()]
    let failed: KafkaErrorName | undefined
    for (let at = 0; at + TOMBSTONES_MAX < places.length; at += TOMBSTONES_MAX) {
      const some = places.slice(at, at + TOMBSTONES_MAX).map(place => ({ ...place, value: undefined }))
      this.#storeOffsets(groupId, kept, some, error => (failed ??= error))
    }
    const last = places.slice(Math.floor(Math.max(0, places.length - 1) / TOMBSTONES_MAX) * TOMBSTONES_MAX)
    const records = [
      ...last.map(({ topic, partition }) => offsetRecord(groupId, topic, partition, undefined)),
      groupRecord(groupId, undefined),
    ]
    this.#store(records, error => {
      failed ??= error
      if (failed === undefined) this.#groups.delete(groupId)
      else kept.group.revive()
      done(failed)
    })
  }

  #storeOffsets(
    groupId: string,
    { offsets }: Kept,
    changes: readonly (OffsetPlace & { readonly value: StoredOffset | undefined })[],
    done: (error: KafkaErrorName | undefined) => void,
  ): void {
    if (changes.length === 0) return done(undefined)
    offsets.storing++
    this.#store(
      changes.map(({ topic, partition, value }) => offsetRecord(groupId, topic, partition, value)),
      error => {
        offsets.storing--
        if (error === undefined) for (const { topic, partition, value } of changes) offsets.apply({ topic, partition }, value)
        done(error)
      },
    )
  }

  #forgetTopics(topics: readonly string[]): void {
    if (this.#phase !== 'active') return
    for (const [groupId, kept] of this.#groups) {
      const doomed = topics.flatMap(topic => [...kept.offsets.ofTopic(topic)])
      for (let at = 0; at < doomed.length; at += TOMBSTONES_MAX)
        this.#storeOffsets(
          groupId,
          kept,
          doomed.slice(at, at + TOMBSTONES_MAX).map(place => ({ ...place, value: undefined })),
          () => undefined,
        )
    }
  }

  /** Forgets what nobody asked for in a long time, a bounded amount at once. */
  #checkRetention(): void {
    const before = this.#now.wallMs - this.#settings.offsetRetentionMs
    let left = TOMBSTONES_MAX
    for (const [groupId, kept] of this.#groups) {
      const { group, offsets } = kept
      if (!group.idle || group.state !== 'empty' || offsets.storing > 0 || group.emptySinceMs > before) continue
      const old = [...offsets.entries()].filter(({ value }) => value.commitTimestamp <= before).slice(0, left)
      left -= old.length
      if (old.length === offsets.size) this.#end(groupId, kept, () => undefined)
      else
        this.#storeOffsets(
          groupId,
          kept,
          old.map(place => ({ ...place, value: undefined })),
          () => undefined,
        )
      if (left <= 0) break
    }
    this.#checkAtMs = this.#now.nowMs + (left <= 0 ? 0 : this.#settings.retentionCheckMs)
  }

  #list(requestId: number): void {
    const groups = [...this.#groups].filter(([, { group }]) => group.state !== 'dead')
    const rows = groups.map(([groupId, { group }]) => ({ groupId, protocolType: group.protocolType ?? '', state: group.state }))
    this.#host.answer(requestId, { kind: 'list', error: 'none', groups: rows })
  }

  #resign(): void {
    this.#phase = 'resigned'
    for (const { group } of this.#groups.values()) group.dissolve('not_coordinator')
    for (const done of this.#storing.values()) done('not_coordinator')
    this.#storing.clear()
    this.#groups.clear()
    this.#wakeMs = Infinity
    this.#checkAtMs = Infinity
    // What was to be stored cannot be any more.
    this.#stores = []
  }

  #store(records: readonly GroupRecord[], done: (error: KafkaErrorName | undefined) => void): void {
    if (this.#phase !== 'active') return done('not_coordinator')
    const ticket = ++this.#tickets
    this.#storing.set(ticket, done)
    this.#stores.push({ ticket, records })
  }

  #settle(ticket: number, error: KafkaErrorName | undefined): void {
    const done = this.#storing.get(ticket)
    this.#storing.delete(ticket)
    done?.(error)
    // Whichever group it was: what began now does not end earlier than the shortest session.
    this.#wakeMs = Math.min(this.#wakeMs, this.#now.nowMs + this.#settings.sessionTimeoutMsMin)
  }

  #runDeadlines(): void {
    const { nowMs } = this.#now
    if (nowMs >= this.#checkAtMs) this.#checkRetention()
    if (nowMs < this.#wakeMs) return
    this.#wakeMs = Infinity
    for (const { group } of this.#groups.values()) {
      if (group.nextDeadlineMs() <= nowMs) group.tick()
      this.#wakeMs = Math.min(this.#wakeMs, group.nextDeadlineMs())
    }
  }

  #wakeFor({ group }: Kept): void {
    this.#wakeMs = Math.min(this.#wakeMs, group.nextDeadlineMs())
  }

  #keep(groupId: string): Kept {
    const found = this.#groups.get(groupId)
    if (found !== undefined) return found
    const kept = { group: this.#newGroup(groupId), offsets: new GroupOffsets() }
    this.#groups.set(groupId, kept)
    return kept
  }

  #newGroup(groupId: string): Group {
    return new Group(groupId, this.#host, this.#settings)
  }
}
