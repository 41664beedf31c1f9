// Control requests: what the command line asks of the supervisor, which owns the processes of one cluster on one
// machine. Spoken over a Unix socket that only the cluster’s owner can open.
import { bool, f64, i53, list, nodeName, oneOf, optional, str, u16, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { conversation, rpc } from '../table.ts'
import { LINK_RULES_MAX, linkRule, memberView } from './admin.ts'
import { MEMBERS_MAX } from './gossip.ts'

/** Nodes one supervisor may run. */
export const SUPERVISED_NODES_MAX = 64

const endpointRow = struct('endpoint', {
  protocol: field(str({ max: 16 }), '`native`, later `kafka`, `resp`, `http`, ….'),
  host: field(str({ max: 64 }), 'A literal IP address.'),
  port: field(u16(), 'Port.'),
  wanted: field(u16(), 'The port that was asked for; another than `port` when it was taken.'),
})
export type EndpointRow = ValueOf<typeof endpointRow>

export const supervisedNode = struct('supervised node', {
  name: field(nodeName(), 'The node.'),
  role: field(str({ max: 32 }), 'Its role.'),
  state: field(
    oneOf('starting', 'running', 'paused', 'stopping', 'stopped', 'failed', 'killed'),
    '`failed`: it ended by itself. `killed`: it was told to die.',
  ),
  pid: field(optional(u32()), 'Its process, while it has one.'),
  startedAtMs: field(optional(i53()), 'When its process started, milliseconds since the Unix epoch.'),
  exit: field(optional(str({ max: 200 })), 'How its last process ended.'),
  takenPort: field(optional(u16()), 'The port it could not have and therefore ended, with strict ports.'),
  endpoints: field(list(endpointRow, { max: 8 }), 'Where it listens.'),
  residentBytes: field(optional(i53()), 'Resident memory, in bytes; absent when it does not answer.'),
  cpuPercent: field(optional(f64()), 'CPU use since the last look, in percent of one core.'),
  answers: field(bool(), 'It answered a status request just now.'),
  view: field(list(memberView, { max: MEMBERS_MAX }), 'What it believes of all members; empty when it does not answer.'),
})
export type SupervisedNode = ValueOf<typeof supervisedNode>

const named = { nodes: field(list(nodeName(), { max: SUPERVISED_NODES_MAX }), 'The nodes meant.') }

export const clusterStatus = rpc({
  key: 0x0401,
  name: 'cluster_status',
  doc: 'The supervisor’s nodes, each asked how it is and what it believes of the others.',
  idempotent: true,
  request: { probe: field(bool(), 'False: answer from what the supervisor knows, without asking the nodes.') },
  response: {
    cluster: field(str({ max: 63 }), 'The cluster’s name.'),
    ready: field(
      bool(),
      'Every node that should run answers, all agree that all are alive, the coordinators follow a leader and know every node.',
    ),
    unready: field(list(str({ max: 300 }), { max: 128 }), 'Why not, a sentence each.'),
    ephemeral: field(bool(), 'Its data is deleted when it stops.'),
    pid: field(u32(), 'The supervisor’s process.'),
    startedAtMs: field(i53(), 'When it started, milliseconds since the Unix epoch.'),
    configDigest: field(str({ max: 64 }), 'Digest of the configuration it was started with.'),
    nodes: field(list(supervisedNode, { max: SUPERVISED_NODES_MAX }), 'Its nodes.'),
    links: field(list(linkRule, { max: LINK_RULES_MAX }), 'Link faults in force.'),
    leader: field(optional(nodeName()), 'The coordinator that leads, if a majority follows one; absent without `probe`.'),
  },
  errors: [],
})
export const clusterAwaitReady = rpc({
  key: 0x0402,
  name: 'cluster_await_ready',
  doc: 'Answers when the cluster is ready, or fails with what is missing when the deadline nears or a node has failed.',
  idempotent: true,
  request: {},
  response: { readyAfterMs: field(f64(), 'Milliseconds from the start of the supervisor until it was ready.') },
  errors: ['not_ready'],
})
export const clusterStop = rpc({
  key: 0x0403,
  name: 'cluster_stop',
  doc: 'Stops every node in order, then the supervisor itself.',
  idempotent: true,
  request: { deleteState: field(bool(), 'Delete the cluster’s data too.'), kill: field(bool(), 'Do not wait: end them with SIGKILL.') },
  response: { stopped: field(list(nodeName(), { max: SUPERVISED_NODES_MAX }), 'The nodes that ran.') },
  errors: [],
})
export const nodesKill = rpc({
  key: 0x0404,
  name: 'nodes_kill',
  doc: 'Ends the nodes’ processes with SIGKILL; answers when they are gone.',
  idempotent: true,
  request: named,
  response: {},
  errors: ['unknown_node', 'wrong_state'],
})
export const nodesPause = rpc({
  key: 0x0405,
  name: 'nodes_pause',
  doc: 'Stops the nodes’ processes with SIGSTOP; answers when they are stopped.',
  idempotent: true,
  request: named,
  response: {},
  errors: ['unknown_node', 'wrong_state'],
})
export const nodesResume = rpc({
  key: 0x0406,
  name: 'nodes_resume',
  doc: 'Continues paused processes with SIGCONT.',
  idempotent: true,
  request: named,
  response: {},
  errors: ['unknown_node', 'wrong_state'],
})
export const nodesRestart = rpc({
  key: 0x0407,
  name: 'nodes_restart',
  doc: 'Stops the nodes in order where they run, starts them again on the same ports and data, and answers when they are up.',
  idempotent: false,
  request: named,
  response: {},
  errors: ['unknown_node', 'wrong_state', 'not_ready'],
})
export const linksReplace = rpc({
  key: 0x0408,
  name: 'links_replace',
  doc: 'Replaces the table of link faults on every node, those that start or resume later included. An empty one heals all.',
  idempotent: true,
  request: { rules: field(list(linkRule, { max: LINK_RULES_MAX }), 'The rules that hold from now on.') },
  response: {
    applied: field(list(nodeName(), { max: SUPERVISED_NODES_MAX }), 'Nodes that hold the table now; others get it when they answer again.'),
  },
  errors: ['faults_not_enabled', 'unknown_node', 'invalid_argument'],
})

export const controlConversation = conversation({
  name: 'control',
  doc: 'The command line and the supervisor.',
  keys: 0x04,
  messages: { clusterStatus, clusterAwaitReady, clusterStop, nodesKill, nodesPause, nodesResume, nodesRestart, linksReplace },
})
