// A cluster's status as a person and as a program read it.
import type { SupervisedNode } from '@atoll/protocol'
import type { Output, Style } from './output.ts'
import type { ClusterStatus } from './running-cluster.ts'
import { tableLines } from './table.ts'
import type { Target } from './target.ts'

/** The value of `status --json`. */
export function statusJson(target: Target, status: ClusterStatus | undefined): object {
  return {
    cluster: target.name,
    ready: status?.ready ?? false,
    running: status !== undefined,
    unready: status?.unready ?? [],
    ephemeral: status?.ephemeral ?? false,
    stateDirectory: target.paths.directory,
    supervisor: status === undefined ? null : { pid: status.pid, startedAtMs: status.startedAtMs },
    leader: status?.leader ?? null,
    nodes: (status?.nodes ?? []).map(nodeJson),
    endpoints: status === undefined ? {} : endpointsByProtocol(status.nodes),
    links: (status?.links ?? []).map(withoutZeros),
  }
}

function nodeJson({ view, ...node }: SupervisedNode): object {
  return {
    ...node,
    pid: node.pid ?? null,
    startedAtMs: node.startedAtMs ?? null,
    exit: node.exit ?? null,
    residentBytes: node.residentBytes ?? null,
    cpuPercent: node.cpuPercent === undefined ? null : Math.round(node.cpuPercent * 100) / 100,
    takenPort: node.takenPort ?? null,
    members: view,
  }
}

/** A link rule without the kinds that are off. */
function withoutZeros(rule: object): object {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== 0 && value !== false))
}

/** `{ native: ['127.0.0.1:7201', …], … }` of all nodes, those that are down at the moment included. */
export function endpointsByProtocol(nodes: readonly SupervisedNode[]): Record<string, string[]> {
  const all = nodes.flatMap(node => node.endpoints)
  const grouped = Map.groupBy(all, ({ protocol }) => protocol)
  return Object.fromEntries(Array.from(grouped, ([protocol, rows]) => [protocol, rows.map(addressOf)]))
}

export function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const styles: Record<SupervisedNode['state'], Style> = {
  starting: 'cyan',
  running: 'green',
  paused: 'yellow',
  stopping: 'cyan',
  stopped: 'dim',
  failed: 'red',
  killed: 'red',
}

/** One row per node, with its heading. `seen` is what the others believe of it. */
export function nodeTable({ nodes, leader }: Pick<ClusterStatus, 'nodes' | 'leader'>, output: Output): string[] {
  const heading = ['NODE', 'ROLE', 'ADDRESS', 'PID', 'STATE', 'SEEN', 'MEMORY', 'CPU'].map(title => output.mark('dim', title))
  const rows = nodes.map(node => [
    node.name,
    node.role,
    node.endpoints.map(addressOf).join(' ') || '-',
    String(node.pid ?? '-'),
    output.mark(styles[node.state], node.state) + (node.name === leader ? ', leads' : ''),
    seenBy(node, nodes),
    node.residentBytes === undefined ? '-' : `${(node.residentBytes / 1e6).toFixed(0)} MB`,
    node.cpuPercent === undefined ? '-' : `${node.cpuPercent.toFixed(1)} %`,
  ])
  return tableLines([heading, ...rows])
}

/** `alive 2/2`: what those of the others that answer believe. */
function seenBy(node: SupervisedNode, nodes: readonly SupervisedNode[]): string {
  const others = nodes.filter(other => other !== node && other.view.length > 0)
  if (others.length === 0) return '-'
  const beliefs = Map.groupBy(others, other => other.view.find(row => row.node === node.name)?.state ?? 'unknown')
  return Array.from(beliefs, ([belief, by]) => `${belief} ${by.length}/${others.length}`).join(', ')
}

/** The first line of a status. */
export function headline(status: ClusterStatus, output: Output): string {
  const sign = status.ready ? output.mark('green', '✓') : output.mark('yellow', '!')
  const faults = status.links.length === 0 ? '' : `, ${status.links.length} link faults`
  return `${sign} ${status.cluster} is ${status.ready ? 'ready' : 'degraded'}: ${runningCount(status)} of ${status.nodes.length} nodes run${faults}`
}

const runningCount = (status: ClusterStatus): number => status.nodes.filter(({ state }) => state === 'running').length
