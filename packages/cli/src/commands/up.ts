// `cluster up`: starts the cluster or finds it running, waits until it is truly ready, and stays with it or not.
import { readFileSync } from 'node:fs'
import { nodesRestart, ProtocolError } from '@atoll/protocol'
import { type ControlClient, LaunchError, type LaunchedSupervisor, lockHolder, StateError } from '@atoll/supervisor'
import { awaitReady, becomeReady, launch } from '../bring-up.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { attend, stop } from '../foreground.ts'
import { Interrupts } from '../interrupts.ts'
import type { Output } from '../output.ts'
import { PortWatch } from '../replaced-ports.ts'
import { configChanges, resolveConfig } from '../resolved-config.ts'
import { connect, statusOf } from '../running-cluster.ts'
import { Steps } from '../steps.ts'
import { findTarget } from '../target.ts'
import type { UpOptions, UpRun } from '../up-run.ts'
import { showPlan, showSummary } from '../up-summary.ts'
import { stopCluster } from './down.ts'

/** How often we look whether another start is through, in milliseconds. */
const LOOK_MS = 25
/** Another supervisor that is just starting answers within this long, in milliseconds. */
const OTHER_START_TIMEOUT_MS = 10_000

export async function up(options: UpOptions, output: Output): Promise<number> {
  const target = findTarget(options)
  const resolved = resolveConfig(target, options)
  const run = { target, options, resolved, output, steps: new Steps(output), timeoutMs: readTimeout(options.timeout) }
  if (options.dryRun === true) return showPlan(run)
  try {
    return await startOrFind(run)
  } catch (error) {
    run.steps.failed()
    if (error instanceof StateError) throw new CommandError(error.reason, error.message)
    if (error instanceof LaunchError) throw new CommandError('failure', error.message, { next: ['cluster doctor'] })
    throw error
  }
}

async function startOrFind(run: UpRun): Promise<number> {
  const { target, options, steps } = run
  let runs: boolean
  {
    await using running = await connect(target)
    runs = running !== undefined
    if (running !== undefined && options.recreate !== true) return await alreadyRunning(run, running)
  }
  if (runs) await stopCluster(target, false, steps)
  const ports = new PortWatch(target.paths)
  using interrupts = new Interrupts()
  const supervisor = await launch(run, interrupts)
  if (supervisor === undefined) {
    // Nothing here is ours: from here on Ctrl-C ends just this command, as it does for a cluster that runs already.
    interrupts[Symbol.dispose]()
    return await waitForOther(run)
  }
  if (supervisor.cleaned.length > 0) run.output.warn(`Killed what an earlier supervisor left behind: ${supervisor.cleaned.join(', ')}.`)
  return await bringUp(run, supervisor, ports, interrupts)
}

/** Owns the supervisor: when anything goes wrong before the cluster is ready, it stops with this process. */
async function bringUp(run: UpRun, supervisor: LaunchedSupervisor, ports: PortWatch, interrupts: Interrupts): Promise<number> {
  const { options, output, steps } = run
  await using client = await connect(run.target)
  if (client === undefined) throw new CommandError('failure', 'The supervisor ended while it started.', { next: ['cluster doctor'] })
  const attached = { supervisor, client, interrupts }
  if (options.wait) {
    const giveUp = new AbortController()
    const outcome = await Promise.race([becomeReady(run, attached, giveUp.signal), interrupts.first])
    if (outcome !== 'ready') {
      giveUp.abort()
      steps.failed()
      return await stop(run, attached, outcome, exitCodes.interrupted.code)
    }
  }
  steps.done()
  const status = await statusOf(client, true)
  for (const sentence of ports.replaced(status.nodes)) output.warn(sentence)
  if (options.detach !== true) {
    showSummary(run, status, 'attached')
    return await attend(run, attached)
  }
  await supervisor.detach()
  showSummary(run, status, 'detached')
  return exitCodes.ok.code
}

/** The cluster runs already: nothing changes unless its configuration did. */
async function alreadyRunning(run: UpRun, client: ControlClient): Promise<number> {
  const { target, resolved } = run
  const changes = configChanges(readFileSync(target.paths.config, 'utf8'), resolved.text)
  if (changes.length > 0)
    throw new CommandError('conflict', `Cluster ${target.name} runs with another configuration.`, {
      details: changes.map(({ key, before, after }) => `  ${key}: runs with ${JSON.stringify(before)}, now ${JSON.stringify(after)}`),
      next: ['cluster up --recreate', 'cluster down, then cluster up'],
    })
  const before = await statusOf(client, false)
  const down = before.nodes.filter(({ state }) => state === 'killed' || state === 'failed' || state === 'stopped').map(({ name }) => name)
  if (down.length > 0) {
    run.steps.begin(`Starting ${down.join(', ')} again`)
    await client.request(nodesRestart, { nodes: down }, run.timeoutMs)
  }
  const paused = before.nodes.some(({ state }) => state === 'paused')
  if (run.options.wait && !paused && before.links.length === 0)
    await awaitReady(run, client, run.timeoutMs).catch(async (error: unknown) => {
      if (error instanceof ProtocolError)
        throw new CommandError('notReady', `Cluster ${target.name} runs but is not ready: ${error.message}`)
      throw error
    })
  run.steps.done()
  const status = await statusOf(client, true)
  showSummary(run, status, 'before')
  return status.ready || !run.options.wait ? exitCodes.ok.code : exitCodes.degraded.code
}

/** Somebody else is starting this cluster right now, or stopping it. */
async function waitForOther(run: UpRun): Promise<number> {
  const deadlineMs = performance.now() + OTHER_START_TIMEOUT_MS
  for (;;) {
    await using client = await connect(run.target)
    if (client !== undefined) return await alreadyRunning(run, client)
    if (performance.now() > deadlineMs || lockHolder(run.target.paths.lock) === undefined)
      throw new CommandError('conflict', `Another process is starting or stopping cluster ${run.target.name}.`, {
        next: ['cluster doctor'],
      })
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }
}

function readTimeout(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? []
  const ms = Number(amount) * (unit === 'ms' ? 1 : unit === 'm' ? 60_000 : 1_000)
  if (!(ms >= 1 && ms <= 600_000)) throw new CommandError('usage', `--timeout wants seconds, at most 600, not '${text}'.`)
  return ms
}
