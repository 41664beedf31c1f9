// A cluster in the foreground: its log until Ctrl-C, and then its end, in order or not.
import { clusterStop } from '@atoll/protocol'
import { stderrFile } from '@atoll/supervisor'
import type { Attached } from './bring-up.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import type { Interrupt } from './interrupts.ts'
import { LogReader } from './log-follow.ts'
import { logText } from './log-view.ts'
import { lastLines } from './node-trouble.ts'
import type { UpRun } from './up-run.ts'
import { retention } from './up-summary.ts'

/** An ordered stop answers after its grace at the latest; this much more is for ending what is left by force, in milliseconds. */
const STOP_MARGIN_MS = 10_000
/** A supervisor that is let go, or told to kill, has ended after this long unless it hangs, in milliseconds. */
const LET_GO_TIMEOUT_MS = 5_000
const KILL_TIMEOUT_MS = 1_000

/** Shows the log until it is told to stop, or the cluster ends. Answers the exit code. */
export async function attend(run: UpRun, attached: Attached): Promise<number> {
  const { target, output } = run
  using reader = new LogReader(target.paths.logs, () => true)
  // What led here has been said.
  for (const _line of reader.lines());
  const width = Math.max(...reader.nodes.map(node => node.length))
  const watching = new AbortController()
  const following = reader.follow(watching.signal, line => output.data(logText(line, width, output)))
  const why = await Promise.race([attached.interrupts.first, attached.supervisor.ended])
  watching.abort()
  await following
  if (typeof why === 'string') return await stop(run, attached, why, exitCodes.ok.code)
  if (!why.orderly)
    throw new CommandError('failure', 'The supervisor was killed, and the cluster with it.', {
      details: lastLines(stderrFile(target.paths, 'supervisor')).map(line => `  | ${line}`),
      next: ['cluster up'],
    })
  output.say(`Cluster ${target.name} was stopped.`)
  return exitCodes.ok.code
}

/** Ends the cluster. Answers `exitCode` when that was asked for by Ctrl-C. */
export async function stop(run: UpRun, attached: Attached, why: Interrupt, exitCode: number): Promise<number> {
  if (why === 'interrupt') {
    await stopInOrder(run, attached)
    return exitCode
  }
  // No time for more: the supervisor stops everything by itself when its channel closes.
  attached.supervisor.release()
  await attached.supervisor.endsWithin(LET_GO_TIMEOUT_MS)
  return exitCodes.terminated.code
}

/** An ordered stop with a countdown; a second Ctrl-C ends everything at once, whatever state the supervisor is in. */
async function stopInOrder(
  { steps, output, resolved, target, options }: UpRun,
  { supervisor, client, interrupts }: Attached,
): Promise<void> {
  const graceMs = resolved.config.shutdownGraceMs
  const deadlineMs = performance.now() + graceMs
  steps.begin(`Stopping cluster ${target.name}`)
  const countdown = setInterval(() => {
    steps.note(`${Math.max(0, Math.ceil((deadlineMs - performance.now()) / 1000))} s left, Ctrl-C again kills`)
  }, 200)
  const request = (kill: boolean): void => {
    client.request(clusterStop, { deleteState: false, kill }, graceMs + STOP_MARGIN_MS).catch(() => {
      // It may end before it answers; its end is what counts.
    })
  }
  request(false)
  void interrupts.second.then(() => {
    request(true)
    return supervisor.endsWithin(KILL_TIMEOUT_MS)
  })
  const { orderly } = await supervisor.endsWithin(graceMs + STOP_MARGIN_MS)
  clearInterval(countdown)
  if (!orderly) {
    steps.failed()
    output.warn('The supervisor did not answer and was killed, and the cluster with it.')
    return
  }
  steps.done()
  output.say(retention(target, options.ephemeral === true, 'stopped'))
}
