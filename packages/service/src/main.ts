// What the entry of every node process does, whatever its role: read the command line and the state directory, give the
// node the ports of this machine, tell the parent how it goes, and end with an exit code that says why.
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { LogFields } from '@atoll/base'
import { createClock, createCompute, createDisk, createFileLogSink, createNet, createProcess, systemRandom } from '@atoll/node-ports'
import { type Launch, LaunchError, type LaunchFlags, readLaunch } from './launch.ts'
import { DrainTimeoutError } from './lifecycle.ts'
import { PortTakenError } from './native-listener.ts'
import type { Node, NodeOptions, NodePorts } from './node.ts'
import { exitCode, readToNode, type ToParent } from './parent-channel.ts'

function readFlags(): LaunchFlags {
  try {
    return parseArgs({
      options: {
        node: { type: 'string' },
        state: { type: 'string' },
        config: { type: 'string' },
        'native-port': { type: 'string' },
        front: { type: 'string', multiple: true },
        'strict-ports': { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new LaunchError((error as Error).message, { cause: error })
  }
}

async function portsOf({ options, logPath, dataPath }: Launch): Promise<NodePorts> {
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
    disk: createDisk({ directory: dataPath, faults: config.faults, clock }).disk,
    process: createProcess(),
    logSink: createFileLogSink({ path: logPath, fileBytesMax, filesMax }),
  }
}

/** A parent that is gone learns nothing; that it is gone is noticed elsewhere. */
function tellParent(message: ToParent): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

/** Runs one node until it is told to stop. `start` builds the role on the ports. */
export async function runNodeProcess(role: string, start: (ports: NodePorts, options: NodeOptions) => Promise<Node>): Promise<void> {
  let node: Node | undefined
  // Rejections nobody handles arrive here too. What the process holds may be wrong now, so nothing of it is used but the log.
  process.on('uncaughtException', error => crash(error, node))
  try {
    const flags = readFlags()
    const launch = readLaunch(role, flags, path => readFileSync(path, 'utf8'))
    mkdirSync(dirname(launch.logPath), { recursive: true, mode: 0o700 })
    const ports = await portsOf(launch)
    node = await start(ports, launch.options)
    stopWhenAsked(node, ports)
    warnOfOpenSecret(node, join(flags.state as string, 'secret'))
    tellParent({ kind: 'bound', endpoints: node.endpoints })
    listenToParent(node)
    // Without a parent nobody else knows the others: they are where the configuration says.
    if (process.send === undefined) node.join(launch.seeds)
    tellParent({ kind: 'running' })
  } catch (error) {
    fail(error)
  }
}

function listenToParent(node: Node): void {
  process.on('message', value => {
    const message = readToNode(value)
    if (message === undefined) node.context.log.warn({ event: 'parent_not_understood' }, 'ignored a message of the parent')
    else node.join(message.seeds)
  })
}

/** Some file systems know no modes, so this is only said. */
function warnOfOpenSecret({ context }: Node, path: string): void {
  const mode = statSync(path).mode & 0o777
  if ((mode & 0o077) !== 0)
    context.log.warn({ event: 'secret_readable', mode: mode.toString(8) }, 'others than its owner may read the cluster’s secret')
}

function stopWhenAsked(node: Node, ports: NodePorts): void {
  let signals = 0
  ports.process.onStopRequest(why => {
    // A parent that sends a signal and then goes away has asked once, in whatever order that is seen here.
    if (why.startsWith('SIG')) signals++
    if (signals > 1) end(node, exitCode.failure, { event: 'stop_forced', why }, 'asked to stop again: gave up the ordered stop')
    if (node.context.lifecycle.state === 'draining') return
    node.stop(why).then(
      () => ports.process.exit(exitCode.clean),
      (error: unknown) => {
        if (!(error instanceof DrainTimeoutError)) throw error
        end(node, exitCode.failure, { event: 'drain_timed_out', err: error }, 'the ordered stop took too long')
      },
    )
  })
}

/** Logs the last line and ends. */
function end({ context }: Node, code: number, fields: LogFields, message: string): never {
  try {
    context.log.error(fields, message)
    context.ports.logSink.flush()
  } finally {
    process.exit(code)
  }
}

/** A bug: said in the log, on standard error and to the parent, and then the process ends. It never goes on. */
function crash(error: unknown, node: Node | undefined): never {
  try {
    process.stderr.write(`${describe(error)}\n`)
    tellParent({ kind: 'fatal', message: error instanceof Error ? error.message : String(error) })
    if (node !== undefined) end(node, exitCode.failure, { event: 'crashed', err: error }, 'crashed: this is a bug')
  } finally {
    process.exit(exitCode.failure)
  }
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

/** The process could not start: says what is wrong, to the parent and on standard error, and ends. */
function fail(error: unknown): never {
  const taken = error instanceof PortTakenError
  const usage = error instanceof LaunchError
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`${taken || usage ? message : describe(error)}\n`)
  tellParent({ kind: 'fatal', message, ...(taken ? { portTaken: error.port } : {}) })
  process.exit(taken ? exitCode.portTaken : usage ? exitCode.usage : exitCode.failure)
}
