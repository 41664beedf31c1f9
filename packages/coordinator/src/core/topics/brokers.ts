// Brokers as the metadata of partitions sees them: whether one is there and may be elected, and since which of its
// registrations it has kept what it had. A registration makes the broker `starting`; only once it has said what it lost
// does it become `ready` (KIP-631 calls that unfenced).
import type { NodeId } from '@atoll/base'
import {
  type BrokerRecord,
  brokerKey,
  brokerRecord,
  type nodeRegister,
  ProtocolError,
  type RequestOf,
  type Revision,
} from '@atoll/protocol'
import type { Draft } from '../draft.ts'
import { NO_LEASE } from '../draft.ts'
import { NODE_PREFIX, type Registration, type Registrations } from '../registrations.ts'

export interface Broker {
  readonly node: NodeId
  /** Its current registration. */
  readonly epoch: Revision
  /** Registered, and done with starting. */
  readonly live: boolean
  readonly leaving: boolean
  /** Its disk is gone for good. */
  readonly retired: boolean
  readonly rack: string
  readonly diskSince: Revision
  readonly cacheSince: Revision
}

export interface BrokerLookup {
  get(node: NodeId): Broker | undefined
}

export function brokerOf(record: BrokerRecord, registration: Registration | undefined): Broker {
  const { node, epoch, state, rack, diskSince, cacheSince } = record
  const live = registration?.state === 'active' && registration.epoch === epoch && state !== 'starting'
  const retired = registration === undefined || registration.state === 'retired'
  return { node, epoch, live, leaving: live && state === 'leaving', retired, rack, diskSince, cacheSince }
}

const codec = brokerRecord()

/** The brokers as one draft sees them. */
export class DraftedBrokers implements BrokerLookup {
  readonly #draft: Draft
  readonly #registrations: Registrations
  readonly #seen = new Map<NodeId, Broker | undefined>()

  constructor(draft: Draft, registrations: Registrations) {
    this.#draft = draft
    this.#registrations = registrations
  }

  get(node: NodeId): Broker | undefined {
    if (this.#seen.has(node)) return this.#seen.get(node)
    const record = storedBroker(this.#draft, node)
    const broker = record && brokerOf(record, this.#registration(node))
    this.#seen.set(node, broker)
    return broker
  }

  /** All there are, in order of their names. */
  all(names: Iterable<NodeId>): Broker[] {
    return [...names].sort().flatMap(node => this.get(node) ?? [])
  }

  /** Throws unless `epoch` is the current registration of `node` and that is active. */
  expectCurrent(node: NodeId, epoch: Revision): BrokerRecord {
    const record = storedBroker(this.#draft, node)
    const registration = this.#registration(node)
    if (record === undefined || registration === undefined) throw new ProtocolError('unknown_node', `${node} is no registered broker`)
    if (registration.epoch !== epoch || registration.state !== 'active')
      throw new ProtocolError('stale_registration', `${node} is ${registration.state} in epoch ${registration.epoch}, not ${epoch}`)
    return record
  }

  #registration(node: NodeId): Registration | undefined {
    const version = this.#draft.get(NODE_PREFIX + node)
    return version && this.#registrations.read(version)
  }
}

function storedBroker(draft: Draft, node: NodeId): BrokerRecord | undefined {
  const version = draft.get(brokerKey(node))
  return version && codec.read(version.value)
}

export function writeBroker(draft: Draft, record: BrokerRecord): void {
  draft.set(brokerKey(record.node), codec.write(record), NO_LEASE)
}

/**
 * A broker has registered, in `epoch`. What it had counts on, unless the disk is another one, or its machine went down in
 * between without an ordered stop: then what was not synced may be gone.
 */
export function brokerRegistered(
  draft: Draft,
  { node, disk, bootId, starts }: RequestOf<typeof nodeRegister>,
  epoch: Revision,
  clean: boolean,
): void {
  const before = storedBroker(draft, node)
  const sameDisk = before !== undefined && before.disk === disk
  const sameProcess = sameDisk && before.starts === starts
  const cacheLost = sameDisk && !sameProcess && !clean && before.bootId !== bootId
  writeBroker(draft, {
    node,
    epoch,
    state: 'starting',
    rack: before?.rack ?? '',
    disk,
    bootId,
    starts,
    diskSince: sameDisk ? before.diskSince : epoch,
    cacheSince: sameDisk && !cacheLost ? before.cacheSince : epoch,
  })
}
