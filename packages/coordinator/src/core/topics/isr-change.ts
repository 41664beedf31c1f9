// A leader's word on who is in sync with it (KIP-497). It is taken only from the leader of this very epoch, knowing the
// partition as it is, and only members are let in whose present registration is the one that caught up (KIP-903): a broker
// that lost its disk and came back under its name must not pass for the one that was in sync.

import type { NodeId } from '@atoll/base'
import { type IsrProposal, type PartitionRecord, ProtocolError, type Revision } from '@atoll/protocol'
import type { BrokerLookup } from './brokers.ts'
import { leads, revised, without } from './members.ts'
import { completeMove } from './moves.ts'

/** The partition after its leader `node`, in registration `epoch`, said so. Throws when it must not be believed. */
export function changeIsr(
  partition: PartitionRecord,
  proposal: IsrProposal,
  { node, epoch }: { readonly node: NodeId; readonly epoch: Revision },
  brokers: BrokerLookup,
): PartitionRecord {
  const { leaderEpoch, partitionEpoch, isr } = proposal
  if (leaderEpoch > partition.leaderEpoch) throw new ProtocolError('unknown_leader_epoch')
  if (leaderEpoch < partition.leaderEpoch || !leads(partition, node, epoch)) throw new ProtocolError('fenced_leader_epoch')
  if (partitionEpoch !== partition.partitionEpoch) throw new ProtocolError('partition_changed')
  checkMembers(partition, isr, node)
  for (const member of isr) {
    const broker = brokers.get(member.node)
    const stays = broker?.live === true && broker.epoch === member.epoch && (!broker.leaving || member.node === node)
    if (!stays) throw new ProtocolError('replica_not_eligible', `${member.node} in registration ${member.epoch}`)
  }
  const left = [...partition.eligible, ...partition.isr]
  const eligible = isr.length >= partition.minIsr ? [] : without(left, isr, partition.replicas)
  return revised(partition, completeMove({ ...partition, isr, eligible }))
}

function checkMembers({ replicas }: PartitionRecord, isr: IsrProposal['isr'], leader: NodeId): void {
  const nodes = isr.map(({ node }) => node)
  if (new Set(nodes).size !== nodes.length || !nodes.every(node => replicas.includes(node)))
    throw new ProtocolError('invalid_argument', 'who is in sync is a replica, and named once')
  if (!nodes.includes(leader)) throw new ProtocolError('invalid_argument', 'a leader is in sync with itself')
}
