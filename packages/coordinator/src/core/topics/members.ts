// Members and epochs of a partition: the small rules that settling it, moving it and its leader's word share.
import type { NodeId } from '@atoll/base'
import type { LeaderEpoch, PartitionRecord, ReplicaMember } from '@atoll/protocol'

/** `next` with its epoch, or `before` itself when nothing changed. */
export function revised(before: PartitionRecord, next: PartitionRecord): PartitionRecord {
  return alike(before, next) ? before : { ...next, partitionEpoch: before.partitionEpoch + 1 }
}

/** It leads, and in this very registration. */
export function leads(partition: PartitionRecord, node: NodeId, epoch: number): boolean {
  return partition.leader === node && partition.isr.some(member => member.node === node && member.epoch === epoch)
}

/** The first of `members` in the order of `replicas`, as a list of one, or of none. */
export function firstBy(replicas: readonly NodeId[], members: readonly ReplicaMember[]): readonly ReplicaMember[] {
  const place = ({ node }: ReplicaMember) => replicas.indexOf(node)
  return [...members].sort((a, b) => place(a) - place(b)).slice(0, 1)
}

export const nextEpoch = ({ leaderEpoch }: PartitionRecord): LeaderEpoch => (leaderEpoch + 1) as LeaderEpoch

/** `members` that are not in `others`, each node once, replicas only. */
export function without(members: readonly ReplicaMember[], others: readonly ReplicaMember[], replicas: readonly NodeId[]): ReplicaMember[] {
  const found = new Map<NodeId, ReplicaMember>()
  for (const member of members)
    if (replicas.includes(member.node) && !others.some(({ node }) => node === member.node) && !found.has(member.node))
      found.set(member.node, member)
  return [...found.values()]
}

const sameNodes = (a: readonly NodeId[], b: readonly NodeId[]) => a.length === b.length && a.every((node, i) => node === b[i])
const sameMembers = (a: readonly ReplicaMember[], b: readonly ReplicaMember[]) =>
  a.length === b.length && a.every(({ node, epoch }, i) => b[i]?.node === node && b[i].epoch === epoch)

function alike(a: PartitionRecord, b: PartitionRecord): boolean {
  return (
    a.leader === b.leader &&
    a.leaderEpoch === b.leaderEpoch &&
    a.minIsr === b.minIsr &&
    a.flush === b.flush &&
    a.uncleanEpoch === b.uncleanEpoch &&
    sameMembers(a.isr, b.isr) &&
    sameMembers(a.eligible, b.eligible) &&
    sameNodes(a.replicas, b.replicas) &&
    sameNodes(a.adding, b.adding) &&
    sameNodes(a.removing, b.removing)
  )
}
