// The supervisor's process: it owns the processes of one cluster and answers for them on a Unix socket. Started by the
// command line or a test, attached to it until it is told to stay; when whoever it is attached to goes, all goes.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Incarnation, nodeId, present } from '@atoll/base'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import { controlConversation, FRAME_BYTES_MAX, HandlerTable, NativeEndpoint } from '@atoll/protocol'
import { Cluster } from './cluster.ts'
import { heldNodes, takeLock } from './cluster-lock.ts'
import { controlHandlers } from './control-handlers.ts'
import { Ending } from './ending.ts'
import { describeFileTrouble } from './file-trouble.ts'
import type { FromSupervisor, RefusalReason, StartRequest, ToSupervisor } from './launch-messages.ts'
import { NodeSessions } from './node-sessions.ts'
import { killLeftovers, ProcessList } from './process-list.ts'
import { identify } from './processes.ts'
import { Reaper } from './reaper.ts'
import { RememberedPorts } from './remembered-ports.ts'
import { replaceFile } from './replace-file.ts'
import {
  discardEphemeral,
  establish,
  makeDirectory,
  makeSocketDirectory,
  readIdentity,
  readSecret,
  StateError,
  type StatePaths,
  socketPath,
  statePaths,
} from './state-directory.ts'
import { createSupervisorLog, type SupervisorLog } from './supervisor-log.ts'

/** After its owner is gone the whole cluster is, within five seconds: this much of them is for an ordered stop, in milliseconds. */
const ORPHAN_GRACE_MS = 2_000

/** Nobody else may read what this process and its nodes write. */
process.umask(0o077)
process.once('message', (message: ToSupervisor) => {
  if (message.kind === 'start') void begin(message)
})
// Without a parent that says what to start there is nothing to do.
process.once('disconnect', exitWhenIdle)
if (process.send === undefined) exitWhenIdle()

function exitWhenIdle(): void {
  process.exit(1)
}

function tell(message: FromSupervisor): void {
  // The parent may go at any time; that is noticed by its channel closing.
  if (process.connected) process.send?.(message, () => {})
}

function refuse(reason: RefusalReason, message: string): void {
  process.send?.({ kind: 'refused', reason, message } satisfies FromSupervisor, () => process.exit(1))
}

async function begin(request: StartRequest): Promise<void> {
  const paths = statePaths(request.directory)
  try {
    readIdentity(paths)
    makeDirectory(paths)
    const lock = takeLock(paths.lock)
    if ('heldBy' in lock) {
      refuse('running', `process ${lock.heldBy.pid} runs this cluster`)
      return
    }
    const [alone] = heldNodes(paths.lock)
    if (alone !== undefined) {
      lock.release()
      refuse('conflict', `process ${alone.pid} runs ${alone.node} of this cluster by itself`)
      return
    }
    await run(request, paths, () => lock.release())
  } catch (error) {
    const fileTrouble = describeFileTrouble(error)
    if (error instanceof StateError) refuse(error.reason, error.message)
    else if (fileTrouble !== undefined) refuse('environment', fileTrouble)
    else refuse('failure', error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}

/** Holds the lock from here on. */
async function run(request: StartRequest, paths: StatePaths, release: () => void): Promise<void> {
  const startedAtMs = Date.now()
  const cleaned = await killLeftovers(paths.processes)
  discardEphemeral(paths)
  if (request.ephemeral && readIdentity(paths) !== undefined)
    throw new StateError(
      `${paths.directory} holds data that is kept: an ephemeral cluster needs another name, or \`cluster down --volumes\` first`,
    )
  const { id } = establish(paths, request.cluster, request.ephemeral)
  replaceFile(paths.config, request.config)
  const log = createSupervisorLog(paths)
  const handlers = new HandlerTable()
  const clock = createClock()
  const { net } = createNet({ self: nodeId('supervisor'), faults: false, clock, random: systemRandom() })
  const endpoint = new NativeEndpoint(
    {
      cluster: id,
      node: nodeId('supervisor'),
      role: 'supervisor',
      incarnation: () => 0 as Incarnation,
      secret: readSecret(paths),
      frameBytesMax: FRAME_BYTES_MAX,
    },
    handlers,
    { net, clock, compute: await createCompute(), log },
  )
  const processes = new ProcessList(paths.processes)
  const reaper = new Reaper(join(request.programs, 'reaper'), pid => {
    processes.announce('reaper')
    processes.started('reaper', pid)
  })
  const cluster = new Cluster({
    request,
    paths,
    sessions: new NodeSessions(endpoint),
    reaper,
    processes,
    ports: new RememberedPorts(paths.ports),
    log,
  })
  const socket = socketPath(paths)
  makeSocketDirectory(socket)
  const ending = new Ending({ request, paths, cluster, log, reaper, socket, release })
  handlers.serve(
    controlConversation,
    controlHandlers({ request, cluster, configDigest: digestOf(request.config), startedAtMs, stop: options => ending.stop(options) }),
  )
  const listener = await endpoint.listen({ path: socket })
  const self = present(identify(process.pid), 'this process')
  replaceFile(paths.supervisor, `${JSON.stringify({ ...self, socket, startedAtMs })}\n`)
  log.info({ event: 'supervisor_started', pid: process.pid, cleaned, socket: listener.endpoint }, 'supervising')
  stopOnRequest(ending, log)
  tell({ kind: 'listening', cleaned })
  cluster.start()
}

/** A digest of a configuration, to compare one with another. */
function digestOf(config: string): string {
  return createHash('sha256').update(config).digest('hex')
}

function stopOnRequest(ending: Ending, log: SupervisorLog): void {
  const orphaned = (): void => void ending.end('the starter is gone', ORPHAN_GRACE_MS)
  process.off('disconnect', exitWhenIdle)
  process.on('disconnect', orphaned)
  process.on('message', (message: ToSupervisor) => {
    if (message.kind !== 'detach') return
    process.off('disconnect', orphaned)
    tell({ kind: 'detached' })
    log.info({ event: 'detached' }, 'on its own from here')
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void ending.end(signal, ORPHAN_GRACE_MS))
  // A terminal that closes is no reason: an attached starter notices it, a detached cluster has none.
  process.on('SIGHUP', () => {})
  if (!process.connected) orphaned()
}
