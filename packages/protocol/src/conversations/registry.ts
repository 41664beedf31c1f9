// The registry: which nodes there are, on which disks, since which epoch, and how the coordinator itself is. A name is
// bound to the disk it first registered with. A node that comes back without that disk has lost what others count on, so
// it is refused until the old identity is retired (B28 in every store that votes with an empty disk).
import type { Incarnation } from '@atoll/base'
import { bool, i53, list, nodeName, oneOf, optional, str, u16, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { conversation, rpc } from '../table.ts'
import { MEMBERS_MAX } from './gossip.ts'
import { consistency, type LeaseId, once, type Revision, revisionAfter, revisionRead } from './keys.ts'
import { exactlyOnce, leading } from './kv.ts'

const endpoint = struct('registered endpoint', {
  protocol: field(str({ max: 16 }), '`native`, `kafka`, `resp`, `http`, ….'),
  host: field(str({ max: 64 }), 'A literal IP address.'),
  port: field(u16(), 'TCP or UDP port.'),
})

const diskId = (doc: string) => field(str({ max: 64 }), doc)
const role = field(str({ max: 32 }), 'What the node is: `coordinator`, `broker`, ….')
const endpoints = field(list(endpoint, { max: 8 }), 'Where it can be reached.')

/** How complete what a node has on its disk may be taken to be. */
const start = oneOf('first', 'clean', 'unclean', 'new_disk')

/** What is stored of a node, under `$atoll/node/<name>`. */
export const registration = {
  node: field(nodeName(), 'Its name.'),
  role,
  disk: diskId('The identity of its disk, made when its directory was first written.'),
  epoch: field(i53<Revision>(), 'The revision of its latest registration; a request of an older one is refused.'),
  state: field(oneOf('active', 'fenced', 'stopped', 'retired'), '`fenced`: must register again. `retired`: this disk never comes back.'),
  start: field(start, 'How it started: `unclean` when it did not stop in order after the registration before.'),
  starts: field(i53(), 'How often its directory had been opened then, as counted on the disk.'),
  bootId: field(str({ max: 64 }), 'The boot of its machine: another one means that unsynced pages are gone.'),
  incarnation: field(i53<Incarnation>(), 'Its gossip incarnation then.'),
  lease: field(i53<LeaseId>(), 'The lease it lives by; 0 when it has none any more.'),
  endpoints,
  retiredDisks: field(list(str({ max: 64 }), { max: 16 }), 'Identities that went by this name before, latest last.'),
}

export const nodeRegister = rpc({
  key: 0x0540,
  name: 'node_register',
  doc: 'A node starts, or comes back after it was fenced: it gets a new epoch, and every older one is void.',
  source: 'KIP-631 (broker epochs), KIP-966 (clean shutdown)',
  idempotent: true,
  request: {
    ...once,
    node: field(nodeName(), 'Its name.'),
    role,
    disk: diskId('The identity of its disk.'),
    replaces: field(
      optional(str({ max: 64 })),
      'The disk that this one replaces because that is gone; coordinators are replaced by membership change instead.',
    ),
    starts: field(
      i53(),
      'How often its directory has been opened, this time included; counted on the disk, so a late request of an earlier process shows.',
    ),
    cleanEpoch: field(
      i53<Revision>(),
      'The epoch in which it last stopped in order, with everything on disk, as its disk says; 0: it did not.',
    ),
    bootId: field(str({ max: 64 }), 'The boot of its machine.'),
    incarnation: field(i53<Incarnation>(), 'Its gossip incarnation.'),
    lease: field(i53<LeaseId>(), 'The lease it lives by: with it ends the registration.'),
    endpoints,
  },
  response: {
    epoch: field(i53<Revision>(), 'Its epoch: greater than any given before, to any node.'),
    start: field(start, 'What its start counts as.'),
    rebooted: field(bool(), 'The machine booted since the registration before.'),
  },
  errors: [...exactlyOnce, 'identity_refused', 'stale_registration', 'lease_not_found', 'lease_full', 'store_full'],
})

export const nodeStop = rpc({
  key: 0x0541,
  name: 'node_stop',
  doc: 'A node stops in order. Its next start is clean if its disk remembers this epoch.',
  idempotent: true,
  request: { ...once, node: field(nodeName(), 'Its name.'), epoch: field(i53<Revision>(), 'Its epoch.') },
  response: { revision: revisionAfter },
  errors: [...exactlyOnce, 'stale_registration', 'unknown_node'],
})

export const nodeRetire = rpc({
  key: 0x0542,
  name: 'node_retire',
  doc: 'The disk of a node is gone for good: the name is free for another, and that disk is never accepted again.',
  idempotent: true,
  request: { ...once, node: field(nodeName(), 'The name.'), disk: diskId('The disk that is gone.') },
  response: { revision: revisionAfter },
  errors: [...exactlyOnce, 'unknown_node', 'identity_refused'],
})

const registeredMember = struct('registered member', {
  name: field(nodeName(), 'Its name.'),
  role,
  state: field(oneOf('active', 'fenced', 'stopped', 'retired'), 'What its registration says.'),
  leader: field(bool(), 'It leads the coordinators.'),
  epoch: field(i53<Revision>(), 'Its epoch.'),
  disk: diskId('Its disk.'),
  start: field(start, 'How it started.'),
  endpoints,
})
export type RegisteredMember = ValueOf<typeof registeredMember>

export const memberList = rpc({
  key: 0x0543,
  name: 'member_list',
  doc: 'Every node that ever registered.',
  idempotent: true,
  request: { consistency },
  response: { revision: revisionRead, members: field(list(registeredMember, { max: MEMBERS_MAX }), 'In order of their names.') },
  errors: leading,
})

const voter = struct('coordinator member', {
  node: field(nodeName(), 'Its name.'),
  disk: diskId('Its disk.'),
  voter: field(bool(), 'False for one that only learns.'),
  match: field(i53(), 'How far its log is known to equal the leader’s; 0 where that is not known.'),
})

export const coordinatorStatus = rpc({
  key: 0x0544,
  name: 'coordinator_status',
  doc: 'How one coordinator is. Any answers, about itself.',
  idempotent: true,
  request: {},
  response: {
    node: field(nodeName(), 'Who answers.'),
    leader: field(optional(nodeName()), 'Whom it takes for the leader: where to send what only the leader answers.'),
    term: field(i53(), 'Its term.'),
    commitIndex: field(i53(), 'Known to be committed.'),
    appliedIndex: field(i53(), 'Applied to its state.'),
    revision: field(i53<Revision>(), 'The revision of its store.'),
    compactRevision: field(i53<Revision>(), 'The first revision it can read.'),
    digest: field(
      str({ max: 32 }),
      'Digest of all that was applied: at equal `appliedIndex` it is equal everywhere, or a replica has gone astray.',
    ),
    keys: field(i53(), 'Keys in the store.'),
    liveBytes: field(i53(), 'Their size, in bytes.'),
    historyBytes: field(i53(), 'Size of what is kept of the past, in bytes.'),
    leases: field(u32(), 'Leases, sessions included.'),
    sessions: field(u32(), 'Sessions.'),
    watches: field(u32(), 'Watches this node serves.'),
    members: field(list(voter, { max: 32 }), 'The coordinators, as it knows them.'),
  },
  errors: [],
})

export const registryConversation = conversation({
  name: 'registry',
  doc: 'Nodes and their identities, and the state of the coordinators.',
  keys: 0x05,
  messages: { nodeRegister, nodeStop, nodeRetire, memberList, coordinatorStatus },
})
