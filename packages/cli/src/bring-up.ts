// Starting a cluster: its supervisor, then its nodes, then the proof that it works.
import { clusterAwaitReady, clusterStop, ProtocolError } from '@atoll/protocol'
import { type ControlClient, LaunchError, type LaunchedSupervisor, launchSupervisor } from '@atoll/supervisor'
import { CommandError } from './exit-codes.ts'
import type { Interrupt, Interrupts } from './interrupts.ts'
import { troubleLines, troubleNext, troubleReason } from './node-trouble.ts'
import { statusOf } from './running-cluster.ts'
import type { UpRun } from './up-run.ts'

/** How often the first phase of a start looks at the nodes, in milliseconds. */
const LOOK_MS = 25
/** How often the second says what is still missing, in milliseconds. */
const REASON_MS = 500
/** What was started is stopped again within its grace; this much more is for ending what is left by force, in milliseconds. */
const STOP_MARGIN_MS = 10_000

/** A cluster that this process has started and is tied to. */
export interface Attached {
  readonly supervisor: LaunchedSupervisor
  readonly client: ControlClient
  readonly interrupts: Interrupts
}

/** Undefined when another supervisor was faster. Throws `interrupted` or `terminated` when it is told to while it waits. */
export async function launch({ target, resolved, options, steps }: UpRun, interrupts: Interrupts): Promise<LaunchedSupervisor | undefined> {
  steps.begin(`Preparing ${target.paths.directory}`)
  try {
    const request = {
      cluster: target.name,
      directory: target.paths.directory,
      programs: import.meta.dirname,
      config: resolved.text,
      plan: resolved.plan,
      faults: resolved.config.faults,
      shutdownGraceMs: resolved.config.shutdownGraceMs,
      ephemeral: options.ephemeral === true,
      strictPorts: options.strictPorts === true,
    }
    return await launchSupervisor(request, { signal: interrupts.signal })
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error
    if (interrupts.signal.aborted) throw gaveUp(await interrupts.first)
    if (error.reason === 'running') return undefined
    throw new CommandError(error.reason, error.message, { next: ['cluster doctor'] })
  }
}

function gaveUp(why: Interrupt): CommandError {
  return new CommandError(why === 'interrupt' ? 'interrupted' : 'terminated', 'The start was given up; nothing runs.')
}

/** Waits, showing how far it is, until the cluster is ready. Throws what keeps it from that, after stopping what was started. */
export async function becomeReady(run: UpRun, attached: Attached, signal: AbortSignal): Promise<'ready'> {
  const deadlineMs = performance.now() + run.timeoutMs
  try {
    await allStarted(run, attached.client, deadlineMs)
    await awaitReady(run, attached.client, Math.max(1, deadlineMs - performance.now()))
    return 'ready'
  } catch (error) {
    if (signal.aborted || !(error instanceof ProtocolError)) throw error
    throw await startFailure(run, attached)
  }
}

/** Resolves when no node is on its way any more, for better or worse, or the time is up. */
async function allStarted({ steps, resolved }: UpRun, client: ControlClient, deadlineMs: number): Promise<void> {
  const total = resolved.plan.length
  steps.begin(`Starting ${total} ${total === 1 ? 'node' : 'nodes'}`)
  for (;;) {
    const { nodes } = await statusOf(client, false)
    const left = nodes.filter(({ state }) => state === 'starting').length
    steps.note(`${total - left} of ${total}`)
    if (left === 0 || performance.now() > deadlineMs) return
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }
}

/** Resolves when the supervisor says that the cluster is ready; rejects with its ProtocolError. */
export async function awaitReady({ steps }: UpRun, client: ControlClient, timeoutMs: number): Promise<void> {
  steps.begin('Waiting until every node answers, sees every other and follows a leader')
  const ready = client.request(clusterAwaitReady, {}, timeoutMs)
  const notes = setInterval(() => {
    // Only a note: what goes wrong here goes wrong for the question above, too.
    statusOf(client, true).then(
      ({ unready }) => steps.note(unready[0] ?? ''),
      () => steps.note(''),
    )
  }, REASON_MS)
  try {
    await ready
  } finally {
    clearInterval(notes)
  }
  steps.done()
}

/** What went wrong, with all that helps. What was started is stopped, unless it is to be kept. */
async function startFailure(run: UpRun, { client, supervisor }: Attached): Promise<CommandError> {
  const { target, options, steps, resolved, timeoutMs } = run
  const { nodes, unready } = await statusOf(client, true)
  steps.failed()
  const trouble = troubleLines(nodes, target.paths)
  const reason = troubleReason(nodes)
  if (options.retain === true) await supervisor.detach()
  else {
    await client.request(clusterStop, { deleteState: false, kill: false }, resolved.config.shutdownGraceMs + STOP_MARGIN_MS)
    await supervisor.endsWithin(STOP_MARGIN_MS)
  }
  const message =
    reason === 'notReady'
      ? `Cluster ${target.name} was not ready within ${timeoutMs / 1000} s.`
      : `Cluster ${target.name} could not be started.`
  return new CommandError(reason, message, {
    details: trouble.length > 0 ? trouble : unready.map(sentence => `  ${sentence}`),
    next: troubleNext(nodes),
  })
}
