// What the entry of every node process does, whatever its role: read the command line and the state directory, give the
// node the ports of this machine, tell the parent how it goes, and end with an exit code that says why.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { clusterId, nodeId } from '@atoll/base'
import { createClock, createCompute, createFileLogSink, createNet, createProcess, systemRandom } from '@atoll/node-ports'
import { plannedNodes } from './config.ts'
import type { ClusterConfig } from './config-schema.ts'
import { DrainTimeoutError } from './lifecycle.ts'
import { PortTakenError } from './native-listener.ts'
import type { Node, NodeOptions, NodePorts } from './node.ts'
import { exitCode, type ToNode, type ToParent } from './parent-channel.ts'

/** The format of the state directory that this build reads and writes. */
const STATE_FORMAT = 1

interface Arguments {
  readonly options: NodeOptions
  readonly logPath: string
  readonly seeds: readonly { readonly host: string; readonly port: number }[]
}

function readArguments(role: string): Arguments {
  const { values } = parseArgs({
    options: {
      node: { type: 'string' },
      state: { type: 'string' },
      config: { type: 'string' },
      'native-port': { type: 'string' },
      'strict-ports': { type: 'boolean', default: false },
    },
  })
  const { node, state, config: configPath } = values
  if (node === undefined || state === undefined || configPath === undefined)
    throw new Error('usage: --node NAME --state DIR --config FILE [--native-port N] [--strict-ports]')
  // Written by the supervisor or by `cluster node run`, both of which checked it and filled in every default.
  const config = JSON.parse(readFileSync(configPath, 'utf8')) as ClusterConfig
  const planned = plannedNodes(config)
  const own = planned.find(({ name }) => name === node)
  if (own === undefined || own.role !== role)
    throw new Error(`${node} is no ${role} of ${configPath}; it has ${planned.map(({ name }) => name).join(', ')}`)
  const cluster = JSON.parse(readFileSync(join(state, 'cluster.json'), 'utf8')) as { format?: unknown; clusterId?: unknown }
  if (cluster.format !== STATE_FORMAT)
    throw new Error(
      `${join(state, 'cluster.json')} has format ${String(cluster.format)}, this version reads ${STATE_FORMAT}: use the version that wrote it`,
    )
  const port = values['native-port'] === undefined ? own.nativePort : Number(values['native-port'])
  const native = { host: own.host, port, strict: values['strict-ports'] }
  const options = {
    name: nodeId(node),
    role,
    clusterId: clusterId(String(cluster.clusterId)),
    secret: readSecret(join(state, 'secret')),
    config,
    native,
  }
  return {
    options,
    logPath: join(state, 'logs', `${node}.ndjson`),
    seeds: planned.filter(({ name }) => name !== node).map(({ host, nativePort }) => ({ host, port: nativePort })),
  }
}

function readSecret(path: string): Uint8Array {
  const secret = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex')
  if (secret.byteLength < 16) throw new Error(`${path} does not hold a secret: want at least 32 hex digits`)
  return secret
}

async function portsOf({ options, logPath }: Arguments): Promise<NodePorts> {
  const { config, name } = options
  const clock = createClock()
  const random = systemRandom()
  const { net, links } = createNet({ self: name, faults: config.faults, clock, random })
  const { fileBytesMax, filesMax } = config.logs
  return {
    clock,
    random,
    compute: await createCompute(),
    net,
    links,
    process: createProcess(),
    logSink: createFileLogSink({ path: logPath, fileBytesMax, filesMax }),
  }
}

function tellParent(message: ToParent): void {
  if (process.connected) process.send?.(message)
}

/** Runs one node until it is told to stop. `start` builds the role on the ports. */
export async function runNodeProcess(role: string, start: (ports: NodePorts, options: NodeOptions) => Promise<Node>): Promise<void> {
  try {
    const args = readArguments(role)
    mkdirSync(join(args.logPath, '..'), { recursive: true, mode: 0o700 })
    const ports = await portsOf(args)
    const node = await start(ports, args.options)
    stopWhenAsked(node, ports)
    tellParent({ kind: 'bound', endpoints: node.endpoints })
    process.on('message', (message: ToNode) => node.join(message.seeds))
    // Without a parent nobody else knows the others: they are where the configuration says.
    if (process.send === undefined) node.join(args.seeds)
    tellParent({ kind: 'running' })
  } catch (error) {
    fail(error)
  }
}

function stopWhenAsked(node: Node, ports: NodePorts): void {
  let asked = false
  ports.process.onStopRequest(why => {
    if (asked) ports.process.exit(exitCode.failure)
    asked = true
    node.stop(why).then(
      () => {
        ports.logSink.flush()
        ports.process.exit(exitCode.clean)
      },
      (error: unknown) => {
        node.context.log.error({ event: 'drain_timed_out', err: error }, 'the ordered stop took too long')
        ports.logSink.flush()
        if (!(error instanceof DrainTimeoutError)) throw error
        ports.process.exit(exitCode.failure)
      },
    )
  })
}

/** Says what went wrong, to the parent and on standard error, and ends. */
function fail(error: unknown): never {
  const taken = error instanceof PortTakenError
  const message = taken ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`${message}\n`)
  tellParent({ kind: 'fatal', message: error instanceof Error ? error.message : message, ...(taken ? { portTaken: error.port } : {}) })
  process.exit(taken ? exitCode.portTaken : exitCode.failure)
}
