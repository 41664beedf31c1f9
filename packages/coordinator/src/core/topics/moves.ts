// Moving replicas (KIP-455): the new ones are added, and once they are in sync the old ones go. Until then both are
// replicas, so no moment has fewer copies than before. `replicas` holds the target first, then what will go.
import type { NodeId } from '@atoll/base'
import { type PartitionRecord, ProtocolError } from '@atoll/protocol'
import { firstBy, nextEpoch } from './members.ts'

/** Who has a copy once the move under way is done. */
export const targetOf = ({ replicas, removing }: Pick<PartitionRecord, 'replicas' | 'removing'>): NodeId[] =>
  replicas.filter(node => !removing.includes(node))

const originalOf = ({ replicas, adding }: PartitionRecord): NodeId[] => replicas.filter(node => !adding.includes(node))

/** The move of `partition` to `target`. One under way is called off first. */
export function beginMove(partition: PartitionRecord, target: readonly NodeId[]): PartitionRecord {
  const base = cancelMove(partition)
  const adding = target.filter(node => !base.replicas.includes(node))
  const removing = base.replicas.filter(node => !target.includes(node))
  return { ...base, replicas: [...target, ...removing], adding, removing }
}

/** Without the move under way. Throws `invalid_assignment` when only what was added is in sync by now. */
export function cancelMove(partition: PartitionRecord): PartitionRecord {
  if (partition.adding.length === 0 && partition.removing.length === 0) return partition
  const replicas = originalOf(partition)
  const next = restricted({ ...partition, adding: [], removing: [] }, replicas)
  if (next.isr.length === 0 && partition.isr.length > 0)
    throw new ProtocolError('invalid_assignment', `only new replicas of ${partition.topic}-${partition.partition} are in sync`)
  return next
}

/** Ends the move when what was added is in sync, and enough of what stays. */
export function completeMove(partition: PartitionRecord): PartitionRecord {
  const { adding, removing, isr, minIsr } = partition
  if (adding.length === 0 && removing.length === 0) return partition
  const target = targetOf(partition)
  const inSync = target.filter(node => isr.some(member => member.node === node))
  if (!adding.every(node => inSync.includes(node)) || inSync.length < Math.min(Math.max(1, minIsr), target.length)) return partition
  return restricted({ ...partition, adding: [], removing: [] }, target)
}

/** Only `replicas` are left. Whoever went must not pass for one any more, so its leader begins a new epoch (KAFKA-15021). */
function restricted(partition: PartitionRecord, replicas: readonly NodeId[]): PartitionRecord {
  if (replicas.length === partition.replicas.length) return { ...partition, replicas }
  const isr = partition.isr.filter(({ node }) => replicas.includes(node))
  const eligible = partition.eligible.filter(({ node }) => replicas.includes(node))
  const stays = partition.leader !== undefined && replicas.includes(partition.leader)
  const leader = stays || partition.leader === undefined ? partition.leader : firstBy(replicas, isr)[0]?.node
  return { ...partition, replicas, isr, eligible, leader, leaderEpoch: nextEpoch(partition) }
}
