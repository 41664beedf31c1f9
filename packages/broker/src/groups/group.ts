// One group in Kafka's classic protocol: members join, one of them assigns, all fetch what they get, and then show that
// they are alive until somebody comes or goes (KIP-62). A round of that has a number, the generation; whoever speaks of
// another one is refused. What a client is told about assignments is stored first, so that another coordinator knows it.
// It has no timers and no I/O: time comes with each call, and what is to be done goes to its host.
import { assert, type MonotonicMs, present } from '@atoll/base'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'
import { assignmentOf, descriptionOf, joinAnswerOf, type Round } from './group-answers.ts'
import type { GroupHost, GroupSettings } from './group-host.ts'
import {
  type GroupAnswer,
  type GroupState,
  type HeartbeatRequest,
  type JoinAnswer,
  type JoinRequest,
  joinError,
  type LeaveRequest,
  type MemberRequest,
  type SyncRequest,
  syncError,
} from './group-messages.ts'
import { groupRecord, type StoredGroup } from './group-records.ts'
import { GROUP_BYTES_MAX, PENDING_MEMBERS_MAX } from './limits.ts'
import {
  isWaiting,
  type Member,
  memberOf,
  metadataOf,
  protocolBytes,
  renew,
  restoredMember,
  sameBytes,
  sameProtocols,
  votedProtocol,
} from './member.ts'
import { Roster } from './roster.ts'

const NOTHING = new Uint8Array(0)
const NEVER = Infinity as MonotonicMs

export class Group {
  readonly id: string
  readonly #host: GroupHost
  readonly #settings: GroupSettings
  readonly #roster = new Roster()
  #state: GroupState = 'empty'
  #generation = 0
  #protocolType: string | undefined
  #protocol: string | undefined
  #leader: string | undefined
  /** While preparing: no later than that the round begins, and no earlier than the other, unless that is 0. */
  #joinEndsMs = NEVER
  #joinHoldsMs = 0 as MonotonicMs
  /** Who has not asked for its assignment by then is out. */
  #syncEndsMs = NEVER
  /** The assignment of this generation is being stored. */
  #storing = false
  /** Wall time since which it has no members, in milliseconds. */
  #emptySinceMs: number

  constructor(id: string, host: GroupHost, settings: GroupSettings) {
    this.id = id
    this.#host = host
    this.#settings = settings
    this.#emptySinceMs = host.wallMs
  }

  get state(): GroupState {
    return this.#state
  }

  get generation(): number {
    return this.#generation
  }

  get protocolType(): string | undefined {
    return this.#protocolType
  }

  /** Nobody is a member, or about to be. */
  get idle(): boolean {
    return this.#roster.size === 0 && this.#roster.pending.size === 0
  }

  get emptySinceMs(): number {
    return this.#emptySinceMs
  }

  /** When `tick` is due; `Infinity` when nothing runs. */
  nextDeadlineMs(): number {
    let next = this.#roster.nextEndMs
    if (this.#state === 'preparing_rebalance') next = Math.min(next, this.#joinEndsMs, this.#joinHoldsMs === 0 ? NEVER : this.#joinHoldsMs)
    return Math.min(next, this.#syncEndsMs)
  }

  join(requestId: number, request: JoinRequest): void {
    const { memberId, instanceId, sessionTimeoutMs } = request
    const refuse = (error: KafkaErrorName) => this.#host.answer(requestId, joinError(error, memberId))
    if (this.#state === 'dead') return refuse('coordinator_not_available')
    if (sessionTimeoutMs < this.#settings.sessionTimeoutMsMin || sessionTimeoutMs > this.#settings.sessionTimeoutMsMax)
      return refuse('invalid_session_timeout')
    const replaced = memberId === '' && instanceId !== undefined ? this.#roster.idOf(instanceId) : undefined
    const known = memberId === '' ? replaced : memberId
    if (memberId !== '' && !this.#roster.pending.has(memberId)) {
      const error = this.#roster.check(memberId, instanceId)
      if (error !== undefined) return refuse(error)
    }
    const mismatch = this.#roster.mismatch(request, known, this.#protocolType, this.#settings.membersMax)
    if (mismatch !== undefined) return refuse(mismatch)
    this.#protocolType = request.protocolType
    if (replaced !== undefined) return this.#replaceStatic(replaced, requestId, request)
    const member = this.#roster.get(memberId)
    if (member !== undefined) return this.#rejoin(member, requestId, request)
    if (memberId === '' && instanceId === undefined && request.idFirst) return this.#giveId(requestId, request)
    this.#roster.pending.delete(memberId)
    const added = memberOf(memberId === '' ? this.#newId(request) : memberId, request, this.#host.nowMs)
    this.#roster.add(added)
    added.joining = requestId
    this.#prepareOrBegin()
  }

  sync(requestId: number, request: SyncRequest): void {
    const error = this.#check(request) ?? this.#checkProtocol(request)
    if (error !== undefined) return this.#host.answer(requestId, syncError(error))
    const member = present(this.#roster.get(request.memberId), 'a member that was checked')
    this.#isAlive(member)
    member.owesSync = false
    if (this.#state === 'preparing_rebalance') return this.#host.answer(requestId, syncError('rebalance_in_progress'))
    if (this.#state === 'stable') return this.#host.answer(requestId, assignmentOf(this.#round, member))
    if (member.syncing !== undefined) this.#host.answer(member.syncing, syncError('rebalance_in_progress'))
    member.syncing = requestId
    if (member.id === this.#leader && !this.#storing) this.#assign(request)
  }

  heartbeat(requestId: number, request: HeartbeatRequest): void {
    const error = this.#check(request)
    if (error === undefined) this.#isAlive(present(this.#roster.get(request.memberId), 'a member that was checked'))
    const told = error ?? (this.#state === 'preparing_rebalance' ? 'rebalance_in_progress' : 'none')
    this.#host.answer(requestId, { kind: 'heartbeat', error: told })
  }

  leave(requestId: number, { members }: LeaveRequest): void {
    const before = this.#roster.size
    const outcomes = members.map(({ memberId, instanceId }): KafkaErrorName => {
      if (this.#roster.pending.delete(memberId)) return 'none'
      const id = memberId === '' && instanceId !== undefined ? this.#roster.idOf(instanceId) : memberId
      const error = this.#roster.check(id ?? '', instanceId)
      if (error !== undefined) return error
      this.#remove(present(this.#roster.get(id ?? ''), 'a member that was checked'), 'unknown_member_id')
      return 'none'
    })
    this.#host.answer(requestId, { kind: 'leave', error: 'none', members: outcomes })
    if (this.#roster.size < before) this.#afterLoss()
    // One that was only about to join holds up nobody any more.
    else if (this.#state === 'preparing_rebalance') this.#tryBegin()
  }

  /** May whoever speaks so commit offsets? */
  commitError(request: MemberRequest): KafkaErrorName | undefined {
    if (this.#state === 'dead') return 'coordinator_not_available'
    const { generation, memberId, instanceId } = request
    if (generation < 0 && memberId === '' && instanceId === undefined) return this.#roster.size === 0 ? undefined : 'unknown_member_id'
    // One that was a member of a group that is empty now may still say where it was, as without a group.
    if (generation < 0 && this.#roster.size === 0) return undefined
    const error = this.#check(request)
    if (error !== undefined) return error
    this.#isAlive(present(this.#roster.get(memberId), 'a member that was checked'))
    return this.#state === 'completing_rebalance' ? 'rebalance_in_progress' : undefined
  }

  /** The connection on which this request waited is gone: nobody is there to answer. */
  abandoned(requestId: number): void {
    for (const member of this.#roster.all) {
      if (member.joining === requestId) member.joining = undefined
      else if (member.syncing === requestId) member.syncing = undefined
      else continue
      this.#isAlive(member)
    }
  }

  tick(): void {
    const { nowMs } = this.#host
    let lost = false
    for (const [id, untilMs] of this.#roster.pending) if (untilMs <= nowMs) this.#roster.pending.delete(id)
    for (const member of this.#roster.all) {
      const late = this.#syncEndsMs <= nowMs && member.owesSync
      if (!late && (isWaiting(member) || member.aliveUntilMs > nowMs)) continue
      this.#remove(member, 'unknown_member_id')
      lost = true
    }
    if (this.#syncEndsMs <= nowMs) this.#syncEndsMs = NEVER
    if (this.#joinHoldsMs <= nowMs) this.#joinHoldsMs = 0 as MonotonicMs
    if (lost) this.#afterLoss()
    if (this.#state === 'preparing_rebalance') this.#tryBegin()
  }

  /** Another broker coordinates the group now, or nobody does. */
  dissolve(error: KafkaErrorName): void {
    for (const member of this.#roster.all) {
      this.#answerJoin(member, joinError(error, member.id))
      this.#answerSync(member, syncError(error))
    }
    this.#state = 'dead'
  }

  /** It is being deleted: whoever comes now has to come back. `revive` when that failed. */
  bury(): void {
    assert(this.idle, 'only a group without members is deleted')
    this.#state = 'dead'
  }

  revive(): void {
    this.#state = 'empty'
  }

  describe(): GroupAnswer {
    return descriptionOf(this.#state, this.#round, this.#roster.all)
  }

  /** As another coordinator stored it. Everybody has a full session from now on. */
  restore(stored: StoredGroup): void {
    this.#roster.clear()
    this.#generation = stored.generation
    this.#protocolType = stored.protocolType === '' ? undefined : stored.protocolType
    this.#protocol = stored.protocol ?? undefined
    this.#leader = stored.leader ?? undefined
    this.#emptySinceMs = stored.currentStateTimestamp
    for (const one of stored.members) this.#roster.add(restoredMember(one, stored.protocol, this.#host.nowMs))
    this.#state = this.#roster.size === 0 ? 'empty' : 'stable'
  }

  /** Its coordinator has read all there is: sessions begin. */
  begin(): void {
    for (const member of this.#roster.all) this.#isAlive(member)
  }

  #rejoin(member: Member, requestId: number, request: JoinRequest): void {
    const same = sameProtocols(member.protocols, request.protocols)
    // Its answer was lost, or nothing changed for it: it is told again of the round there is.
    const again = this.#state === 'completing_rebalance' ? same : this.#state === 'stable' && same && member.id !== this.#leader
    if (again) {
      this.#isAlive(member)
      return this.#host.answer(requestId, this.#joinAnswer(member))
    }
    if (member.joining !== undefined) this.#host.answer(member.joining, joinError('rebalance_in_progress', member.id))
    renew(member, request, this.#host.nowMs)
    member.joining = requestId
    this.#prepareOrBegin()
  }

  /** A static member is back as another process. Without a change of what it wants nobody else needs to notice (KIP-345). */
  #replaceStatic(oldId: string, requestId: number, request: JoinRequest): void {
    const old = present(this.#roster.get(oldId), 'the member behind a static name')
    this.#answerJoin(old, joinError('fenced_instance_id', oldId))
    this.#answerSync(old, syncError('fenced_instance_id'))
    const member = memberOf(this.#newId(request), request, this.#host.nowMs)
    const unchanged = sameBytes(metadataOf(old, this.#protocol), metadataOf(member, this.#protocol))
    member.assignment = old.assignment
    const led = this.#leader === oldId
    this.#roster.replace(old, member)
    if (led) this.#leader = member.id
    if (this.#state !== 'stable' || !unchanged || votedProtocol(this.#roster.all) !== this.#protocol) {
      member.joining = requestId
      return this.#prepareOrBegin()
    }
    const answer = this.#joinAnswer(member)
    // A client that does not know how to skip must not take itself for the leader, or it would assign anew.
    const told: JoinAnswer = request.maySkip
      ? { ...answer, skipAssignment: led }
      : { ...answer, leader: led ? oldId : answer.leader, members: [] }
    member.joining = requestId
    this.#store(error => {
      if (member.joining === requestId) this.#answerJoin(member, error === undefined ? told : joinError(error, member.id))
    })
  }

  #giveId(requestId: number, request: JoinRequest): void {
    if (this.#roster.pending.size >= PENDING_MEMBERS_MAX) return this.#host.answer(requestId, joinError('group_max_size_reached', ''))
    const id = this.#newId(request)
    this.#roster.pending.set(id, (this.#host.nowMs + request.sessionTimeoutMs) as MonotonicMs)
    this.#host.answer(requestId, joinError('member_id_required', id))
  }

  #newId({ instanceId, clientId }: JoinRequest): string {
    return `${instanceId ?? clientId}-${this.#host.drawId()}`
  }

  #remove(member: Member, error: KafkaErrorName): void {
    this.#answerJoin(member, joinError(error, member.id))
    this.#answerSync(member, syncError(error))
    this.#roster.delete(member)
    if (this.#leader === member.id) this.#leader = undefined
  }

  /** Somebody is gone: the others go on without. */
  #afterLoss(): void {
    if (this.#state === 'stable' || this.#state === 'completing_rebalance') this.#prepare()
    else if (this.#state === 'preparing_rebalance') this.#tryBegin()
  }

  /** Somebody joins. Who comes while the round is prepared does not put it off. */
  #prepareOrBegin(): void {
    if (this.#state === 'preparing_rebalance') this.#tryBegin()
    else this.#prepare()
  }

  #prepare(): void {
    const { nowMs } = this.#host
    for (const member of this.#roster.all) {
      this.#answerSync(member, syncError('rebalance_in_progress'))
      member.owesSync = false
    }
    this.#storing = false
    this.#syncEndsMs = NEVER
    this.#joinHoldsMs = (this.#state === 'empty' ? nowMs + this.#settings.joinDelayMs : 0) as MonotonicMs
    this.#state = 'preparing_rebalance'
    this.#joinEndsMs = (nowMs + this.#roster.longestRebalanceMs) as MonotonicMs
    this.#tryBegin()
  }

  /** Begins the round when everybody is there, or when those who are not have had their time. */
  #tryBegin(): void {
    const { nowMs } = this.#host
    const late = nowMs >= this.#joinEndsMs
    const all = this.#roster.pending.size === 0 && this.#roster.all.every(({ joining }) => joining !== undefined)
    if (!late && (!all || nowMs < this.#joinHoldsMs)) return
    // A static member keeps its place until its session ends.
    for (const member of this.#roster.all)
      if (member.joining === undefined && member.instanceId === undefined) this.#remove(member, 'unknown_member_id')
    const joined = this.#roster.all.filter(({ joining }) => joining !== undefined)
    if (this.#roster.size > 0 && joined.length === 0) {
      this.#joinEndsMs = (nowMs + this.#roster.longestRebalanceMs) as MonotonicMs
      return
    }
    this.#begin(joined)
  }

  #begin(joined: readonly Member[]): void {
    const { nowMs, wallMs } = this.#host
    this.#generation++
    this.#joinEndsMs = NEVER
    if (this.#roster.size === 0) {
      this.#state = 'empty'
      this.#protocol = undefined
      this.#leader = undefined
      this.#emptySinceMs = wallMs
      // Nobody waits for this: whoever comes next finds out.
      return this.#store(() => undefined)
    }
    if (!joined.some(({ id }) => id === this.#leader)) this.#leader = joined[0]?.id
    this.#protocol = votedProtocol(this.#roster.all)
    this.#state = 'completing_rebalance'
    this.#syncEndsMs = (nowMs + this.#roster.longestRebalanceMs) as MonotonicMs
    for (const member of joined) {
      this.#isAlive(member)
      member.owesSync = true
      this.#answerJoin(member, this.#joinAnswer(member))
    }
  }

  /** The leader has assigned: what everybody gets is stored, and then told. */
  #assign({ assignments }: SyncRequest): void {
    const byMember = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]))
    for (const member of this.#roster.all) member.assignment = new Uint8Array(byMember.get(member.id) ?? NOTHING)
    const bytes = this.#roster.all.reduce((sum, member) => sum + member.assignment.byteLength + protocolBytes(member), 0)
    if (bytes > GROUP_BYTES_MAX) return this.#notAssigned('unknown_server_error')
    this.#storing = true
    const generation = this.#generation
    this.#store(error => {
      // Meanwhile the group may have gone on to the next round; who waited was told.
      if (this.#state !== 'completing_rebalance' || this.#generation !== generation || !this.#storing) return
      this.#storing = false
      if (error !== undefined) return this.#notAssigned(error)
      this.#state = 'stable'
      for (const member of this.#roster.all) this.#answerSync(member, assignmentOf(this.#round, member))
    })
  }

  #notAssigned(error: KafkaErrorName): void {
    for (const member of this.#roster.all) {
      member.assignment = NOTHING
      this.#answerSync(member, syncError(error))
    }
    this.#prepare()
  }

  #store(done: (error: KafkaErrorName | undefined) => void): void {
    const members = this.#roster.stored(this.#protocol)
    const { wallMs } = this.#host
    const value: StoredGroup = {
      protocolType: this.#protocolType ?? '',
      generation: this.#generation,
      protocol: this.#protocol ?? null,
      leader: this.#leader ?? null,
      currentStateTimestamp: members.length === 0 ? this.#emptySinceMs : wallMs,
      members,
    }
    this.#host.store([groupRecord(this.id, value)], done)
  }

  #joinAnswer(member: Member): JoinAnswer {
    return joinAnswerOf(this.#round, member, this.#roster.all)
  }

  get #round(): Round {
    return { generation: this.#generation, protocolType: this.#protocolType, protocol: this.#protocol, leader: this.#leader }
  }

  #answerJoin(member: Member, answer: JoinAnswer): void {
    if (member.joining === undefined) return
    this.#host.answer(member.joining, answer)
    member.joining = undefined
    this.#isAlive(member)
  }

  #answerSync(member: Member, answer: ReturnType<typeof syncError>): void {
    if (member.syncing === undefined) return
    this.#host.answer(member.syncing, answer)
    member.syncing = undefined
    this.#isAlive(member)
  }

  #isAlive(member: Member): void {
    member.aliveUntilMs = (this.#host.nowMs + member.sessionTimeoutMs) as MonotonicMs
  }

  #check({ generation, memberId, instanceId }: MemberRequest): KafkaErrorName | undefined {
    if (this.#state === 'dead') return 'coordinator_not_available'
    const error = this.#roster.check(memberId, instanceId)
    if (error !== undefined) return error
    return generation === this.#generation ? undefined : 'illegal_generation'
  }

  #checkProtocol({ protocolType, protocol }: SyncRequest): KafkaErrorName | undefined {
    const same =
      (protocolType === undefined || protocolType === this.#protocolType) && (protocol === undefined || protocol === this.#protocol)
    return same ? undefined : 'inconsistent_group_protocol'
  }
}
