// Admin requests: what any node answers about itself, and what an operator may ask of it.
import type { Incarnation, NodeId } from '@atoll/base'
import { bool, f64, i53, list, nodeName, oneOf, optional, str, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { conversation, rpc } from '../table.ts'
import { MEMBERS_MAX } from './gossip.ts'
import type { Revision } from './keys.ts'

/** One row of a node’s view of the cluster. */
export const memberView = struct('member view', {
  node: field(nodeName(), 'The member.'),
  role: field(str({ max: 32 }), 'Its role.'),
  state: field(oneOf('alive', 'suspect', 'dead', 'left'), 'What this node believes of it.'),
  incarnation: field(i53<Incarnation>(), 'The incarnation that belief is about.'),
  address: field(str({ max: 80 }), 'Its native address, `host:port`.'),
  loadPercent: field(u32({ max: 100 }), 'How busy it says it is.'),
})
export type MemberView = ValueOf<typeof memberView>

const linkEnd = (doc: string) => field(str<NodeId | '*'>({ max: 63 }), doc)

/** A fault on a directed link; every number is 0 when that kind is off. */
export const linkRule = struct('link rule', {
  from: linkEnd('Sending node, or `*`.'),
  to: linkEnd('Receiving node, or `*`.'),
  cut: field(bool(), 'Nothing passes, and nobody is told.'),
  reset: field(bool(), 'Connections over the link are reset.'),
  delayMs: field(u32({ max: 60_000 }), 'Every byte is held this long, in milliseconds.'),
  jitterMs: field(u32({ max: 60_000 }), 'Uniform extra delay of up to this, in milliseconds.'),
  bytesPerSecond: field(u32(), 'At most this many bytes a second; 0 is no bound.'),
  corruptProbability: field(f64(), 'Chance that a write has a bit flipped, 0 to 1.'),
  lossProbability: field(f64(), 'Chance that a datagram message is lost, 0 to 1.'),
  duplicateProbability: field(f64(), 'Chance that a datagram message arrives twice, 0 to 1.'),
  reorderProbability: field(f64(), 'Chance that a datagram message is overtaken, 0 to 1.'),
})
export type LinkRuleRow = ValueOf<typeof linkRule>
/** Rules a node holds at once. */
export const LINK_RULES_MAX = 4_096

export const nodeStatus = rpc({
  key: 0x0301,
  name: 'node_status',
  doc: 'How a node is and what it believes of the others.',
  idempotent: true,
  request: {},
  response: {
    node: field(nodeName(), 'Its name.'),
    role: field(str({ max: 32 }), 'Its role.'),
    state: field(oneOf('starting', 'running', 'draining'), 'Where it is in its life.'),
    incarnation: field(i53<Incarnation>(), 'Its own incarnation.'),
    pid: field(u32(), 'Its process id.'),
    uptimeMs: field(i53(), 'Milliseconds since it started.'),
    residentBytes: field(i53(), 'Resident memory, in bytes.'),
    cpuMs: field(i53(), 'CPU time used so far, in milliseconds.'),
    stalls: field(u32(), 'Times it noticed that it had been stopped or starved.'),
    members: field(list(memberView, { max: MEMBERS_MAX }), 'Every member it knows, itself included.'),
    epoch: field(i53<Revision>(), 'The epoch in which it is registered with the coordinators; 0 while it is not.'),
    unregistered: field(optional(str({ max: 300 })), 'Why it is not, where it knows.'),
  },
  errors: [],
})

export const nodeMetrics = rpc({
  key: 0x0302,
  name: 'node_metrics',
  doc: 'All metrics of a node.',
  source: 'Prometheus text exposition format 0.0.4',
  idempotent: true,
  request: {},
  response: { text: field(str({ max: 4 * 1024 * 1024 }), 'Metrics as text.') },
  errors: [],
})

export const nodeSetLinks = rpc({
  key: 0x0303,
  name: 'node_set_links',
  doc: 'Replaces the whole table of link faults; an empty one heals every link.',
  idempotent: true,
  request: { rules: field(list(linkRule, { max: LINK_RULES_MAX }), 'The rules that hold from now on.') },
  response: {},
  errors: ['faults_not_enabled', 'invalid_argument'],
})

export const nodeSetLogLevel = rpc({
  key: 0x0304,
  name: 'node_set_log_level',
  doc: 'Changes how much a node logs, until it restarts.',
  idempotent: true,
  request: { level: field(oneOf('debug', 'info', 'warn', 'error'), 'Least severity that is logged.') },
  response: {},
  errors: [],
})

export const adminConversation = conversation({
  name: 'admin',
  doc: 'Status and operation of a single node; every node answers it.',
  keys: 0x03,
  messages: { nodeStatus, nodeMetrics, nodeSetLinks, nodeSetLogLevel },
})
