// Registrations: which process speaks for a node's name. Each registration gets an epoch, the revision that made it, and
// voids every one before (KIP-631). A name is bound to the disk it first came with: one who comes without that disk has lost
// what others count on, and one whose disk was given up must not come back with it.
// They stand in the store under `$atoll/node/`, so they are watched, compacted and restored with everything else.
import { type NodeId, present } from '@atoll/base'
import {
  BodyCodec,
  FieldsCodec,
  type LeaseId,
  MEMBERS_MAX,
  type nodeRegister,
  type ObjectOf,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
  type Revision,
  registration,
} from '@atoll/protocol'
import { COMMAND_VERSION } from './commands.ts'
import { type Draft, NO_LEASE } from './draft.ts'
import type { Version } from './revisions.ts'
import { allWith, RESERVED_PREFIX } from './selection.ts'

export const NODE_PREFIX = `${RESERVED_PREFIX}node/`
/** Identities remembered per name; the oldest is forgotten first. */
const RETIRED_DISKS_MAX = 16

export type Registration = ObjectOf<typeof registration>
type Register = RequestOf<typeof nodeRegister>

export class Registrations {
  readonly #codec = new FieldsCodec<Registration>('registration', registration)
  readonly #body = new BodyCodec()

  /** The registration stored in a version of a key under `$atoll/node/`. */
  read(version: Version): Registration {
    const wire = this.#body.decode(version.value)
    return this.#codec.fromWire(wire, 1, present(wire[0], 'the version of a registration') as number)
  }

  /** A process registers. Throws `identity_refused` or `stale_registration`. */
  register(draft: Draft, request: Register): ResponseOf<typeof nodeRegister> {
    const { node, role, disk, starts, bootId, incarnation, lease, endpoints } = request
    const before = this.#get(draft, node)
    if (before === undefined) checkRoom(draft)
    else checkIdentity(before, request)
    const epoch = draft.next
    const start = startOf(before, request)
    // A disk that was retired explicitly is on the list already.
    const retiredDisks = before === undefined ? [] : before.disk === disk ? before.retiredDisks : withRetired(before)
    this.#write(draft, { node, role, disk, epoch, state: 'active', start, starts, bootId, incarnation, lease, endpoints, retiredDisks })
    draft.checkRoom()
    return { epoch, start, rebooted: before !== undefined && before.starts > 0 && before.bootId !== bootId }
  }

  /** The process stops in order. */
  stop(draft: Draft, node: NodeId, epoch: Revision): void {
    const before = this.#expect(draft, node)
    if (before.epoch !== epoch || before.state === 'retired')
      throw new ProtocolError('stale_registration', `${node} is registered in epoch ${before.epoch}, not ${epoch}`)
    if (before.state !== 'stopped') this.#write(draft, { ...before, state: 'stopped', lease: NO_LEASE })
  }

  /** The registration of that epoch is over; a later one is not touched. */
  fence(draft: Draft, node: NodeId, epoch: Revision): void {
    const before = this.#get(draft, node)
    if (before?.epoch === epoch && before.state === 'active') this.#write(draft, { ...before, state: 'fenced', lease: NO_LEASE })
  }

  /** The lease of a registration is over. */
  fenceKey(draft: Draft, key: string): void {
    const before = this.#expect(draft, key.slice(NODE_PREFIX.length) as NodeId)
    this.fence(draft, before.node, before.epoch)
  }

  /** The disk is gone for good. */
  retire(draft: Draft, node: NodeId, disk: string): void {
    const before = this.#expect(draft, node)
    if (before.retiredDisks.includes(disk)) return
    if (before.disk !== disk) throw new ProtocolError('identity_refused', `${node} is not known with disk ${disk}`)
    this.#write(draft, { ...before, state: 'retired', lease: NO_LEASE, retiredDisks: withRetired(before) })
  }

  /**
   * The disk is out of the coordinators. It may never have registered, or another may have the name by now: what is still on
   * its way from it must find that it is too late.
   */
  retireCoordinator(draft: Draft, node: NodeId, disk: string): void {
    const before = this.#get(draft, node)
    if (before === undefined) {
      checkRoom(draft)
      this.#write(draft, neverRegistered(node, disk))
    } else if (before.disk === disk) this.retire(draft, node, disk)
    else if (!before.retiredDisks.includes(disk)) this.#write(draft, { ...before, retiredDisks: including(before.retiredDisks, disk) })
  }

  #get(draft: Draft, node: NodeId): Registration | undefined {
    const version = draft.get(NODE_PREFIX + node)
    return version === undefined ? undefined : this.read(version)
  }

  #expect(draft: Draft, node: NodeId): Registration {
    const found = this.#get(draft, node)
    if (found === undefined) throw new ProtocolError('unknown_node', `${node} never registered`)
    return found
  }

  #write(draft: Draft, row: Registration): void {
    const value = this.#body.encode(this.#codec.toWire(row, COMMAND_VERSION, [COMMAND_VERSION]))
    draft.set(NODE_PREFIX + row.node, value, row.lease satisfies LeaseId)
  }
}

function checkRoom(draft: Draft): void {
  let nodes = 0
  for (const [, version] of draft.scan(allWith(NODE_PREFIX))) if (version !== undefined) nodes++
  if (nodes >= MEMBERS_MAX) throw new ProtocolError('store_full', `${MEMBERS_MAX} nodes are registered`)
}

/** May `request` speak for the name that `before` stands for? */
function checkIdentity(before: Registration, { node, role, disk, replaces, starts }: Register): void {
  const refuse = (why: string): never => {
    throw new ProtocolError('identity_refused', `${node}: ${why}`)
  }
  if (before.retiredDisks.includes(disk)) refuse('this disk was retired; it needs a new identity')
  if (before.role !== role) refuse(`the name belongs to a ${before.role}`)
  if (before.disk === disk) {
    if (starts < before.starts)
      throw new ProtocolError('stale_registration', `${node} was started again since: start ${starts} after ${before.starts}`)
    return
  }
  if (before.state === 'retired') return
  if (role === 'coordinator') refuse('a coordinator without its disk is replaced by a new member, and the old one retired')
  if (replaces !== before.disk) refuse('the name belongs to another disk')
}

/** Clean only if the disk remembers the very epoch it was last registered in. */
function startOf(before: Registration | undefined, { disk, starts, cleanEpoch }: Register): Registration['start'] {
  if (before === undefined) return 'first'
  if (before.disk !== disk) return 'new_disk'
  // The same process again, after it was fenced: how it once started is still to be acted upon.
  if (before.starts === starts) return before.start
  return cleanEpoch === before.epoch ? 'clean' : 'unclean'
}

function withRetired({ disk, retiredDisks }: Registration): readonly string[] {
  return including(retiredDisks, disk)
}

function including(retiredDisks: readonly string[], disk: string): readonly string[] {
  return retiredDisks.includes(disk) ? retiredDisks : [...retiredDisks, disk].slice(-RETIRED_DISKS_MAX)
}

/** What stands for a coordinator of which only its disk is known, and that this is gone: it was never started. */
function neverRegistered(node: NodeId, disk: string): Registration {
  const nothing = { epoch: 0 as Revision, starts: 0, bootId: '', incarnation: 0 as Registration['incarnation'], lease: NO_LEASE }
  return { node, role: 'coordinator', disk, state: 'retired', start: 'first', ...nothing, endpoints: [], retiredDisks: [disk] }
}
