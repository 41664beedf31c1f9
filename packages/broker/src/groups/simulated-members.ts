// For tests: clients as they are in the field. They join, assign when they lead, show that they are alive, commit, lose
// answers, vanish and come back; the coordinator moves, and what it was about to store may or may not have been stored.
import { assert, present, type SeededRandom, seededRandom } from '@atoll/base'
import type { GroupAnswer } from './group-messages.ts'
import { commit, fetch, heartbeat, join, leave, ScriptedGroups, sync, textOf } from './scripted-groups.ts'

interface Client {
  readonly name: string
  readonly instanceId: string | undefined
  there: boolean
  memberId: string
  generation: number
  leads: boolean
  members: readonly string[]
  /** What it got in this generation. */
  assignment: string | undefined
  /** The request it waits for, and until when. */
  waits:
    | {
        readonly requestId: number
        readonly kind: 'join' | 'sync' | 'heartbeat' | 'commit'
        readonly untilMs: number
        readonly value: number
      }
    | undefined
}

const REQUEST_TIMEOUT_MS = 30_000

export class SimulatedMembers {
  readonly groups = new ScriptedGroups({ sessionTimeoutMsMin: 100 })
  readonly clients: readonly Client[]
  readonly #random: SeededRandom
  /** Who was told of a generation that it leads, and with which assignments it came: one story for each. */
  readonly #told = new Map<number, string>()
  #attempts = 0
  #position = 0
  #acknowledged = 0

  constructor(seed: number, count: number) {
    this.#random = seededRandom(seed)
    this.clients = Array.from({ length: count }, (_, n) => ({ ...fresh, name: `c${n}`, instanceId: n % 3 === 2 ? `i${n}` : undefined }))
    this.groups.slowStore = true
  }

  /** How many rounds came to an assignment. */
  get rounds(): number {
    return this.#told.size
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** One thing happens. */
  step(calm: boolean): void {
    const roll = this.#random.below(100)
    const client = present(this.clients[this.#random.below(this.clients.length)], 'one of the clients')
    if (calm || roll < 84) this.#act(client)
    else if (roll < 86) this.groups.pass(this.#random.below(4_000))
    else if (roll < 88) this.#vanish(client)
    else if (roll < 95) client.there = true
    else if (roll < 96) this.#takeOver()
    else if (roll < 97 && client.memberId !== '') this.#leave(client)
    else if (roll < 98) client.waits = undefined
    if (calm || this.#random.below(3) > 0) this.groups.storeAll()
    this.groups.pass(this.#random.below(300))
    this.#checkOffsets()
  }

  /** Everybody who is there is a member of one round, and has what its leader gave it. */
  get settled(): boolean {
    const there = this.clients.filter(client => client.there)
    const answer = this.groups.answer(this.groups.send({ kind: 'describe', groupId: 'g' }))
    if (answer?.kind !== 'describe' || answer.members.length !== there.length) return false
    if (there.length > 0 && answer.state !== 'stable') return false
    return there.every(client => client.assignment !== undefined && client.generation === there[0]?.generation)
  }

  #act(client: Client): void {
    if (!client.there) return
    const { waits } = client
    if (waits !== undefined) {
      const answer = this.groups.answer(waits.requestId)
      if (answer === undefined && waits.untilMs > this.groups.nowMs) return
      client.waits = undefined
      if (answer === undefined) this.groups.step({ kind: 'abandoned', requestId: waits.requestId })
      else this.#hear(client, answer, waits.value)
      return
    }
    if (client.generation < 0) this.#ask(client, 'join')
    else if (client.assignment === undefined) this.#ask(client, 'sync')
    else this.#ask(client, this.#random.below(4) === 0 ? 'commit' : 'heartbeat')
  }

  #ask(client: Client, kind: NonNullable<Client['waits']>['kind']): void {
    const { memberId, generation, instanceId, name } = client
    const value = kind === 'commit' ? ++this.#position : 0
    const requestId =
      kind === 'join'
        ? this.groups.send(
            join({ memberId, instanceId, clientId: name, sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 9_000, idFirst: true }),
          )
        : kind === 'sync'
          ? this.groups.send(sync(memberId, generation, client.leads ? this.#assign(client) : {}, { instanceId }))
          : kind === 'commit'
            ? this.groups.send(commit(memberId, generation, value, { instanceId }))
            : this.groups.send(heartbeat(memberId, generation, instanceId))
    client.waits = { requestId, kind, untilMs: this.groups.nowMs + REQUEST_TIMEOUT_MS, value }
  }

  #assign({ generation, members }: Client): Record<string, string> {
    const attempt = ++this.#attempts
    return Object.fromEntries(members.map(member => [member, `${generation}/${attempt}/${member}`]))
  }

  #hear(client: Client, answer: GroupAnswer, value: number): void {
    const { error } = answer
    if (error === 'member_id_required' && answer.kind === 'join') client.memberId = answer.memberId
    else if (error === 'unknown_member_id' || error === 'fenced_instance_id') Object.assign(client, { memberId: '', generation: -1 })
    else if (error === 'illegal_generation' || error === 'rebalance_in_progress') client.generation = -1
    else if (error === 'none') this.#heard(client, answer, value)
    if (client.generation < 0) client.assignment = undefined
  }

  #heard(client: Client, answer: GroupAnswer, value: number): void {
    if (answer.kind === 'join') {
      const { memberId, generation, leader, members } = answer
      Object.assign(client, {
        memberId,
        generation,
        leads: leader === memberId && members.length > 0,
        members: members.map(one => one.memberId),
        assignment: undefined,
      })
    } else if (answer.kind === 'sync') {
      client.assignment = textOf(answer.assignment)
      this.#checkAssignment(client)
    } else if (answer.kind === 'commit') this.#acknowledged = Math.max(this.#acknowledged, value)
  }

  /** A generation has one assignment, whoever tells of it and how often. */
  #checkAssignment({ assignment, generation, memberId, instanceId }: Client): void {
    const [round, attempt, member] = (assignment ?? '').split('/')
    if (assignment === '') return
    assert(round === String(generation), `an assignment of round ${round} in round ${generation}`)
    assert(member === memberId || instanceId !== undefined, `the assignment of ${member} was given to ${memberId}`)
    const told = this.#told.get(generation) ?? attempt ?? ''
    this.#told.set(generation, told)
    assert(told === attempt, `two assignments in round ${generation}`)
  }

  #checkOffsets(): void {
    const answer = this.groups.answer(this.groups.send(fetch()))
    if (answer?.kind !== 'fetch' || answer.error !== 'none') return
    assert(
      (answer.offsets[0]?.offset ?? -1) >= Math.min(this.#acknowledged, this.#position) || this.#acknowledged === 0,
      'a committed offset went back',
    )
  }

  #vanish(client: Client): void {
    if (client.waits !== undefined && this.#random.below(2) === 0)
      this.groups.step({ kind: 'abandoned', requestId: client.waits.requestId })
    Object.assign(client, fresh)
  }

  #leave(client: Client): void {
    this.groups.send(leave({ memberId: client.memberId, instanceId: client.instanceId }))
    Object.assign(client, fresh)
  }

  #takeOver(): void {
    // What was on its way may have been stored, though nobody was told.
    for (const { records } of this.groups.waiting.slice(0, this.#random.below(this.groups.waiting.length + 1)))
      this.groups.log.push(...records)
    this.groups.takeOver()
  }
}

const fresh = { there: false, memberId: '', generation: -1, leads: false, members: [], assignment: undefined, waits: undefined }
