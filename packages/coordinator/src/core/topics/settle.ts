// What becomes of a partition, given who is there: the one place where members leave the in-sync set (ISR) by anything but
// their leader's word, and where leaders are elected. It is a pure function of the partition and the brokers, and asking
// it again changes nothing, so the controller only has to notice which partitions it would change.
// Every member of the ISR has all that was ever committed (Kafka's design; Lin et al., PacificA 2008). Someone who left
// while less than `minIsr` members remained has it as well, because nothing is committed with so few (KIP-966).
import type { NodeId } from '@atoll/base'
import type { PartitionRecord, ReplicaMember } from '@atoll/protocol'
import type { Broker, BrokerLookup } from './brokers.ts'
import { firstBy, leads, nextEpoch, revised, without } from './members.ts'
import { completeMove } from './moves.ts'
import type { PartitionSettings } from './settings.ts'

export interface SettleOptions {
  /** Gives its part up: whoever else is in sync goes on without it. */
  readonly resigning?: NodeId
  /** Has lost what it had of this partition. */
  readonly lost?: NodeId
  /** Where nobody in sync may lead, somebody else may: acknowledged records may be gone. */
  readonly unclean?: boolean
}

type Member = { readonly member: ReplicaMember; readonly broker: Broker | undefined }

/** The partition as it should be; the very same object when it is so. */
export function settle(
  partition: PartitionRecord,
  settings: PartitionSettings,
  brokers: BrokerLookup,
  options: SettleOptions = {},
): PartitionRecord {
  const { minIsr, flush } = settings
  const cached = flush === 'os' || partition.flush === 'os'
  const known = (members: readonly ReplicaMember[]): Member[] =>
    members
      .map(member => ({ member, broker: brokers.get(member.node) }))
      .filter(one => one.member.node !== options.lost && hasKept(one, cached))
  const isr = known(partition.isr)
  const eligible = known(partition.eligible)
  const staying = stayersOf(isr, options.resigning)
  const electable = staying.length > 0 ? staying : firstBy(partition.replicas, eligible.filter(isLive).map(current))
  const uncleanAllowed = settings.unclean || options.unclean === true
  const rescued = electable.length > 0 || !uncleanAllowed ? [] : rescuer(partition, brokers, options)
  const elected = electable.length > 0 ? electable : rescued
  const nextIsr = elected.length > 0 ? elected : isr.map(({ member }) => member)
  const left = [...eligible, ...isr].map(({ member }) => member)
  const epochs = leadership(partition, elected)
  const next: PartitionRecord = {
    ...partition,
    isr: nextIsr,
    eligible: nextIsr.length >= minIsr || rescued.length > 0 ? [] : without(left, nextIsr, partition.replicas),
    ...epochs,
    minIsr,
    flush,
    uncleanEpoch: rescued.length > 0 ? epochs.leaderEpoch : partition.uncleanEpoch,
  }
  return revised(partition, completeMove(next))
}

const isLive = ({ broker }: Member): boolean => broker?.live === true
const isCurrent = ({ member, broker }: Member): boolean => broker?.live === true && broker.epoch === member.epoch
const current = ({ member, broker }: Member): ReplicaMember => (broker === undefined ? member : { node: member.node, epoch: broker.epoch })

/** What it had when it got its membership is still there. */
function hasKept({ member, broker }: Member, cached: boolean): boolean {
  if (broker === undefined || broker.retired || member.epoch < broker.diskSince) return false
  return !cached || member.epoch >= broker.cacheSince
}

/**
 * Who is in sync from now on, none when nobody is there. A process that started anew leaves in favour of those that went
 * on: it has all that is committed, but nobody should wait until it is back. When none went on, those that are back stay.
 */
function stayersOf(isr: readonly Member[], resigning: NodeId | undefined): ReplicaMember[] {
  const leaving = ({ member, broker }: Member) => broker?.leaving === true || member.node === resigning
  const wishes: readonly ((one: Member) => boolean)[] = [
    one => isCurrent(one) && !leaving(one),
    one => isLive(one) && !leaving(one),
    isCurrent,
    isLive,
  ]
  for (const wish of wishes) {
    const found = isr.filter(wish)
    if (found.length > 0) return found.map(current)
  }
  return []
}

/** Whoever is there at all, the preferred leader first. */
function rescuer({ replicas }: PartitionRecord, brokers: BrokerLookup, { lost }: SettleOptions): readonly ReplicaMember[] {
  const there = replicas.flatMap(node => brokers.get(node) ?? []).filter(({ live, leaving, node }) => live && !leaving && node !== lost)
  return there.slice(0, 1).map(({ node, epoch }) => ({ node, epoch }))
}

/** The leader stays if it can, in the same process. Any other outcome is a new epoch. */
function leadership(before: PartitionRecord, electable: readonly ReplicaMember[]): Pick<PartitionRecord, 'leader' | 'leaderEpoch'> {
  const stays = electable.some(({ node, epoch }) => leads(before, node, epoch))
  if (stays) return { leader: before.leader, leaderEpoch: before.leaderEpoch }
  const leader = firstBy(before.replicas, electable)[0]?.node
  if (leader === undefined && before.leader === undefined) return { leader, leaderEpoch: before.leaderEpoch }
  return { leader, leaderEpoch: nextEpoch(before) }
}
