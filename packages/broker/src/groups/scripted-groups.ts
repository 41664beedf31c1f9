// For tests: a coordinator, the records it has stored, and clients’ requests in short words.
import type { MonotonicMs } from '@atoll/base'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'
import { type CoordinatorSettings, defaultCoordinatorSettings, type GroupEffects, type GroupInput } from './coordinator-inputs.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import type { CommitRequest, GroupAnswer, GroupRequest, JoinRequest, LeaveRequest, SyncRequest } from './group-messages.ts'
import type { GroupRecord } from './group-records.ts'

const utf8 = new TextEncoder()
const text = new TextDecoder()
export const bytesOf = (value: string): Uint8Array => utf8.encode(value)
export const textOf = (value: Uint8Array): string => text.decode(value)

export const join = (rest: Partial<JoinRequest> & { readonly like?: string } = {}): JoinRequest => ({
  kind: 'join',
  groupId: 'g',
  memberId: '',
  instanceId: undefined,
  clientId: 'c',
  clientHost: '/127.0.0.1',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 60_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: bytesOf(rest.like ?? 'topics') }],
  idFirst: false,
  maySkip: false,
  ...rest,
})
export const sync = (
  memberId: string,
  generation: number,
  assignments: Record<string, string> = {},
  rest: Partial<SyncRequest> = {},
): SyncRequest => ({
  kind: 'sync',
  groupId: 'g',
  memberId,
  generation,
  instanceId: undefined,
  protocolType: undefined,
  protocol: undefined,
  assignments: Object.entries(assignments).map(([member, assignment]) => ({ memberId: member, assignment: bytesOf(assignment) })),
  ...rest,
})
export const heartbeat = (memberId: string, generation: number, instanceId?: string): GroupRequest => ({
  kind: 'heartbeat',
  groupId: 'g',
  memberId,
  generation,
  instanceId,
})
export const leave = (...members: LeaveRequest['members']): GroupRequest => ({ kind: 'leave', groupId: 'g', members })
export const commit = (memberId: string, generation: number, offset: number, rest: Partial<CommitRequest> = {}): CommitRequest => ({
  kind: 'commit',
  groupId: 'g',
  memberId,
  generation,
  instanceId: undefined,
  offsets: [{ topic: 't', partition: 0, offset, leaderEpoch: 3, metadata: 'words' }],
  ...rest,
})
export const fetch = (places: { topic: string; partition: number }[] | undefined = [{ topic: 't', partition: 0 }]): GroupRequest => ({
  kind: 'fetch',
  groupId: 'g',
  places,
})

export class ScriptedGroups {
  readonly settings: CoordinatorSettings
  coordinator: GroupCoordinator
  nowMs = 1_000
  /** What was stored, in order. */
  log: GroupRecord[] = []
  /** Set: records wait until `storeAll`. */
  slowStore = false
  readonly waiting: { readonly ticket: number; readonly records: readonly GroupRecord[] }[] = []
  readonly answers = new Map<number, GroupAnswer>()
  nextTickMs = Infinity
  #requests = 0
  #ids = 0

  constructor(settings: Partial<CoordinatorSettings> = {}) {
    this.settings = { ...defaultCoordinatorSettings, ...settings }
    this.coordinator = this.#opened()
  }

  #opened(): GroupCoordinator {
    const coordinator = new GroupCoordinator(this.settings, () => `id${++this.#ids}`)
    coordinator.step({ kind: 'loaded' }, this.#now)
    return coordinator
  }

  get #now() {
    return { nowMs: this.nowMs as MonotonicMs, wallMs: 1_700_000_000_000 + this.nowMs }
  }

  step(input: GroupInput): GroupEffects {
    const effects = this.coordinator.step(input, this.#now)
    this.nextTickMs = effects.nextTickMs
    for (const { requestId, answer } of effects.answers) this.answers.set(requestId, answer)
    this.waiting.push(...effects.store)
    if (!this.slowStore) this.storeAll()
    return effects
  }

  storeAll(error?: KafkaErrorName): void {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      if (error === undefined) this.log.push(...next.records)
      this.step({ kind: 'stored', ticket: next.ticket, error })
    }
  }

  /** Sends a request; its number, under which the answer will stand. */
  send(request: GroupRequest): number {
    const requestId = ++this.#requests
    this.step({ kind: 'request', requestId, request })
    return requestId
  }

  /** Sends a request that is answered at once. */
  ask<K extends GroupRequest['kind']>(request: Extract<GroupRequest, { kind: K }>): Extract<GroupAnswer, { kind: K }> {
    return this.answer(this.send(request)) as Extract<GroupAnswer, { kind: K }>
  }

  answer(requestId: number): GroupAnswer | undefined {
    return this.answers.get(requestId)
  }

  joined(requestId: number): Extract<GroupAnswer, { kind: 'join' }> {
    const answer = this.answers.get(requestId)
    if (answer?.kind !== 'join') throw new Error('the join is not answered')
    return answer
  }

  synced(requestId: number): string {
    const answer = this.answers.get(requestId)
    if (answer?.kind !== 'sync') return 'waits'
    return answer.error === 'none' ? textOf(answer.assignment) : answer.error
  }

  /** Time goes by, with every tick that is due. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms
    while (this.nextTickMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.nextTickMs)
      this.step({ kind: 'tick' })
    }
    this.nowMs = endMs
  }

  /** Another broker leads the partition, and reads what was stored. */
  takeOver(): void {
    const old = this.coordinator.step({ kind: 'resigned' }, this.#now)
    for (const { requestId, answer } of old.answers) this.answers.set(requestId, answer)
    this.waiting.length = 0
    this.coordinator = new GroupCoordinator(this.settings, () => `id${++this.#ids}`)
    this.step({ kind: 'replay', records: this.log })
    this.step({ kind: 'loaded' })
  }

  /** A stable group of `count` members with assignments `a1`, `a2`, …; the first leads. */
  stable(count: number, rest: Partial<JoinRequest> = {}): { readonly ids: readonly string[]; readonly generation: number } {
    let requests = [this.send(join(rest))]
    for (let n = 1; n < count; n++) {
      const ids = requests.map(request => this.joined(request).memberId)
      const added = this.send(join(rest))
      requests = [...ids.map(memberId => this.send(join({ ...rest, memberId }))), added]
    }
    const ids = requests.map(request => this.joined(request).memberId)
    const { generation } = this.joined(requests[0] as number)
    const assignments = Object.fromEntries(ids.map((id, n) => [id, `a${n + 1}`]))
    const leader = this.joined(requests[0] as number).leader
    for (const id of ids) if (id !== leader) this.send(sync(id, generation))
    this.send(sync(leader, generation, assignments))
    return { ids, generation }
  }
}
