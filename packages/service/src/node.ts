// What every process of a cluster is before it has a role: an authenticated endpoint, gossip, admin requests, metrics,
// stall detection, and a life that ends in order. A role adds its handlers and its parts.
import {
  type Clock,
  type ClusterId,
  type Compute,
  type Disk,
  formatEndpoint,
  type LinkFaults,
  type Listener,
  type Logger,
  type LogSink,
  type Net,
  type NodeId,
  type Process,
  type Random,
} from '@atoll/base'
import { adminConversation, FRAME_BYTES_MAX, gossipConversation, HandlerTable, type Identity, NativeEndpoint } from '@atoll/protocol'
import { type Address, defaultSettings, type SwimEvent, type SwimSettings } from '@atoll/swim'
import { adminHandlers } from './admin.ts'
import type { ClusterConfig } from './config-schema.ts'
import { GossipAgent } from './gossip-agent.ts'
import { Lifecycle } from './lifecycle.ts'
import { ACK_SHARE, DRAIN_SHARE } from './limits.ts'
import { LoadWatch } from './load.ts'
import { createLog, type LogLevel } from './logging.ts'
import { Metrics } from './metrics.ts'
import { type FrontAddress, listenNative, type NativeAddress } from './native-listener.ts'
import { NodeRegistration } from './node-registration.ts'
import { StallDetector } from './stall-detector.ts'

/** All a process gets from the world. */
export interface NodePorts {
  readonly clock: Clock
  readonly random: Random
  readonly compute: Compute
  readonly net: Net
  /** Absent when link faults are not allowed. */
  readonly links: LinkFaults | undefined
  /** What outlives the process. */
  readonly disk: Disk
  readonly process: Process
  readonly logSink: LogSink
}

export interface NodeOptions {
  readonly name: NodeId
  readonly role: string
  readonly clusterId: ClusterId
  readonly secret: Uint8Array
  readonly config: ClusterConfig
  readonly native: NativeAddress
  /** Where its clients find it that speak something else; the role binds them. */
  readonly fronts?: readonly FrontAddress[]
}

/** What the parts of one process share. */
export interface NodeContext {
  readonly ports: NodePorts
  readonly config: ClusterConfig
  readonly identity: Identity
  readonly log: Logger
  readonly metrics: Metrics
  readonly lifecycle: Lifecycle
  setLogLevel(level: LogLevel): void
}

/** One place where a process can be reached. */
export interface BoundEndpoint {
  readonly protocol: string
  readonly host: string
  readonly port: number
  /** The port that was asked for. */
  readonly wanted: number
}

export interface Node {
  readonly context: NodeContext
  readonly endpoints: readonly BoundEndpoint[]
  readonly gossip: GossipAgent
  /** For connections to other nodes. */
  readonly endpoint: NativeEndpoint
  /** Its right to act as the node of its name; a role begins it when it is able to. */
  readonly registration: NodeRegistration
  /** Gets to know the cluster through other nodes' native addresses. */
  join(seeds: readonly Address[]): void
  onMemberEvent(listener: (event: SwimEvent) => void): void
  /** Stops in order; rejects when that took too long. */
  stop(why: string): Promise<void>
}

/**
 * Starts a process: binds its native port first, then serves, then gossips. `serve` adds the role's own handlers.
 * Rejects with a PortTakenError or the port's NetError when it cannot bind.
 */
export async function startNode(
  ports: NodePorts,
  options: NodeOptions,
  serve: (handlers: HandlerTable, context: NodeContext) => void = () => {},
): Promise<Node> {
  const { clock, process, links } = ports
  const { name, role, config } = options
  const startedMs = clock.monotonicMs()
  const { log, setLevel, flush } = createLog(ports.logSink, clock, config.logs.level, { node: name, role })
  const metrics = new Metrics()
  const lifecycle = new Lifecycle(clock, log)
  const agent = new GossipAgent({
    node: name,
    clock,
    random: ports.random,
    log,
    metrics,
    settings: gossipSettings(config),
  })
  const identity: Identity = {
    cluster: options.clusterId,
    node: name,
    role,
    incarnation: () => agent.incarnation,
    secret: options.secret,
    frameBytesMax: FRAME_BYTES_MAX,
  }
  const context: NodeContext = { ports, config, identity, log, metrics, lifecycle, setLogLevel: setLevel }
  const stalls = new StallDetector(clock, config.stallWarnMs, stalledMs => {
    log.warn({ event: 'stalled', stalledMs: Math.round(stalledMs) }, 'this node did not run for a while')
    agent.stalled(stalledMs)
  })
  const registration = new NodeRegistration(context, agent)
  const handlers = new HandlerTable()
    .serve(gossipConversation, agent.handlers)
    .serve(adminConversation, adminHandlers({ context, agent, stalls, links, startedMs, registration }))
  serve(handlers, context)

  const endpoint = new NativeEndpoint(identity, handlers, { ...ports, log })
  lifecycle.onStop('connections', () => endpoint.close())
  const listener = await listenNative(at => endpoint.listen(at), options.native, ports.random)
  lifecycle.onStop('listener', () => listener.close())
  const bound = boundEndpoint(listener, options.native)
  watchProcess(context, endpoint, stalls, startedMs)

  stalls.start()
  lifecycle.onStop('stall detection', () => stalls.stop())
  const load = new LoadWatch(clock, process, percent => agent.loadChanged(percent))
  load.start()
  lifecycle.onStop('load', () => load.stop())
  agent.start(endpoint, { role, endpoints: [{ protocol: 'native', host: bound.host, port: bound.port }], loadPercent: 0 })
  lifecycle.onStop('gossip', async () => {
    await agent.leave()
    agent.stop()
  })
  lifecycle.running()
  log.info({ event: 'started', address: formatEndpoint(bound), pid: process.pid, wantedPort: options.native.port }, 'listening')
  return {
    context,
    endpoints: [bound],
    gossip: agent,
    endpoint,
    registration,
    join: seeds => agent.join(seeds),
    onMemberEvent: listen => agent.onEvent(listen),
    stop: why => lifecycle.stop(why, config.shutdownGraceMs * DRAIN_SHARE).finally(flush),
  }
}

function gossipSettings({ gossip }: ClusterConfig): SwimSettings {
  const { probeIntervalMs, suspicionMsMin } = gossip
  return { ...defaultSettings, probeIntervalMs, ackTimeoutMs: Math.round(probeIntervalMs * ACK_SHARE), suspicionFloorMs: suspicionMsMin }
}

function boundEndpoint({ endpoint }: Listener, native: NativeAddress): BoundEndpoint {
  const port = 'port' in endpoint ? endpoint.port : native.port
  return { protocol: 'native', host: native.host, port, wanted: native.port }
}

/** The metrics every process has. */
function watchProcess({ metrics, ports }: NodeContext, endpoint: NativeEndpoint, stalls: StallDetector, startedMs: number): void {
  metrics.gauge('atoll_process_resident_bytes', 'Resident memory.', () => ports.process.usage().residentBytes)
  metrics.gauge('atoll_process_heap_bytes', 'JavaScript heap in use.', () => ports.process.usage().heapBytes)
  metrics.counted('atoll_process_cpu_seconds_total', 'CPU time used, user and system.', () => ports.process.usage().cpuMs / 1_000)
  metrics.gauge('atoll_process_uptime_seconds', 'Time since the process started.', () => (ports.clock.monotonicMs() - startedMs) / 1_000)
  metrics.counted('atoll_process_stalls_total', 'Times the process noticed that it had been stopped or starved.', () => stalls.count)
  metrics.counted('atoll_process_stalled_seconds_total', 'Time lost in those.', () => stalls.totalMs / 1_000)
  metrics.gauge('atoll_native_connections_count', 'Native connections open.', () => Array.from(endpoint.sessions).length)
}
