// Who belongs to a group: its members, the names of static ones, and the ids given to those who are about to join.
import type { MonotonicMs } from '@atoll/base'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'
import type { JoinRequest } from './group-messages.ts'
import type { StoredMember } from './group-records.ts'
import { GROUP_BYTES_MAX } from './limits.ts'
import { isWaiting, type Member, metadataOf, protocolBytes, sharedProtocols } from './member.ts'

export class Roster {
  readonly #members = new Map<string, Member>()
  /** Static members by their names. */
  readonly #instances = new Map<string, string>()
  /** Member ids that were given away and not joined with yet, and until when they may be. */
  readonly pending = new Map<string, MonotonicMs>()

  get size(): number {
    return this.#members.size
  }

  /** In the order in which they came; a list of its own. */
  get all(): Member[] {
    return [...this.#members.values()]
  }

  get(id: string): Member | undefined {
    return this.#members.get(id)
  }

  /** The member behind a static name. */
  idOf(instanceId: string): string | undefined {
    return this.#instances.get(instanceId)
  }

  add(member: Member): void {
    this.#members.set(member.id, member)
    if (member.instanceId !== undefined) this.#instances.set(member.instanceId, member.id)
  }

  delete({ id, instanceId }: Member): void {
    this.#members.delete(id)
    if (instanceId !== undefined && this.#instances.get(instanceId) === id) this.#instances.delete(instanceId)
  }

  /** `member` takes the place of `old`, in the order too: in that order they are told to the leader. */
  replace(old: Member, member: Member): void {
    const members = this.all.map(one => (one === old ? member : one))
    this.clear()
    for (const one of members) this.add(one)
  }

  clear(): void {
    this.#members.clear()
    this.#instances.clear()
  }

  /** How long the slowest of them may take to join again, in milliseconds. */
  get longestRebalanceMs(): number {
    return Math.max(0, ...this.all.map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs))
  }

  /** When the first of them is out without a sign of life. */
  get nextEndMs(): number {
    let next = Math.min(...this.pending.values(), Infinity)
    for (const member of this.#members.values()) if (!isWaiting(member)) next = Math.min(next, member.aliveUntilMs)
    return next
  }

  /** Is that a member? A static name is the latest process that came with it. */
  check(memberId: string, instanceId: string | undefined): KafkaErrorName | undefined {
    if (instanceId !== undefined) {
      const current = this.#instances.get(instanceId)
      if (current === undefined) return 'unknown_member_id'
      if (current !== memberId) return 'fenced_instance_id'
    }
    return this.#members.has(memberId) ? undefined : 'unknown_member_id'
  }

  /** Can somebody who speaks so be a member beside the others? `known`: the member whose place it takes. */
  mismatch(
    request: JoinRequest,
    known: string | undefined,
    protocolType: string | undefined,
    membersMax: number,
  ): KafkaErrorName | undefined {
    const { protocols } = request
    if (protocols.length === 0 || request.protocolType === '') return 'inconsistent_group_protocol'
    const others = this.all.filter(({ id }) => id !== known)
    if (others.length > 0 && request.protocolType !== protocolType) return 'inconsistent_group_protocol'
    const all = [{ protocols }, ...others]
    if (sharedProtocols(all).length === 0) return 'inconsistent_group_protocol'
    const isNew = known === undefined || !this.#members.has(known)
    const full = others.length >= membersMax || all.reduce((sum, one) => sum + protocolBytes(one), 0) > GROUP_BYTES_MAX
    return isNew && full ? 'group_max_size_reached' : undefined
  }

  stored(protocol: string | undefined): StoredMember[] {
    return this.all.map(member => ({
      memberId: member.id,
      groupInstanceId: member.instanceId ?? null,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: metadataOf(member, protocol),
      assignment: member.assignment,
    }))
  }
}
