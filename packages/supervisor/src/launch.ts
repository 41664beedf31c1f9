// Starting a supervisor: a process of its own session, which a terminal's Ctrl-C does not reach, tied to its starter by
// a channel until it is detached.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import type { FromSupervisor, RefusalReason, StartRequest, ToSupervisor } from './launch-messages.ts'
import { processEnvironment } from './node-command.ts'
import { settles } from './processes.ts'
import { makeOwnDirectory, openStderr, readIdentity, StateError, type StatePaths, statePaths, stderrFile } from './state-directory.ts'

/** A supervisor that says nothing for this long is stuck; ending what an earlier one left is in it. In milliseconds. */
const ANSWER_TIMEOUT_MS = 15_000
/** One that its starter has let go ends by itself within this long, in milliseconds. */
const ABANDONED_TIMEOUT_MS = 4_000

/** The supervisor did not start; `reason` says what kind of trouble. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError'
  readonly reason: RefusalReason
  constructor(reason: RefusalReason, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface SupervisorEnd {
  /** It stopped its nodes and then itself; otherwise it was killed or crashed, and the reaper killed them. */
  readonly orderly: boolean
}

/** A supervisor that lives only as long as its starter, until it is detached. */
export class LaunchedSupervisor {
  /** Nodes of an earlier supervisor that had to be killed first. */
  readonly cleaned: readonly string[]
  readonly #child: ChildProcess
  readonly #stderrPath: string

  constructor(child: ChildProcess, stderrPath: string, cleaned: readonly string[]) {
    this.#child = child
    this.#stderrPath = stderrPath
    this.cleaned = cleaned
  }

  /** Resolves once the supervisor has ended. */
  get ended(): Promise<SupervisorEnd> {
    return endOf(this.#child)
  }

  /** Resolves once it has ended, with SIGKILL after `timeoutMs`: its reaper then ends the nodes. */
  endsWithin(timeoutMs: number): Promise<SupervisorEnd> {
    return endOrKill(this.#child, timeoutMs)
  }

  /** Lets it live on without us. */
  async detach(): Promise<void> {
    const detached = nextMessage(this.#child, this.#stderrPath)
    this.#child.send({ kind: 'detach' } satisfies ToSupervisor)
    await detached
    this.release()
  }

  /** Closes the channel: a supervisor that was not detached stops everything. */
  release(): void {
    if (this.#child.connected) this.#child.disconnect()
    this.#child.unref()
  }
}

export interface LaunchOptions {
  /** Gives up; what was started has ended when the launch rejects. */
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

/** Starts a supervisor; resolves when it answers on its socket. Rejects with a LaunchError when it refuses, or does not answer. */
export async function launchSupervisor(request: Omit<StartRequest, 'kind'>, options: LaunchOptions = {}): Promise<LaunchedSupervisor> {
  const paths = statePaths(request.directory)
  refuseUnusable(paths)
  const stderrPath = stderrFile(paths, 'supervisor')
  const output = openStderr(stderrPath)
  const child = spawn(process.execPath, [join(request.programs, 'supervisor.mjs')], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
    env: processEnvironment(),
  })
  closeSync(output)
  // Whoever waits for an answer hears of it; later ones are signals that found nobody.
  child.on('error', () => {})
  child.send({ kind: 'start', ...request } satisfies ToSupervisor, () => {})
  const answer = await nextMessage(child, stderrPath, options).catch(async (error: unknown) => {
    if (child.connected) child.disconnect()
    if (child.pid !== undefined) await endOrKill(child, ABANDONED_TIMEOUT_MS)
    throw error
  })
  if (answer.kind === 'listening') return new LaunchedSupervisor(child, stderrPath, answer.cleaned)
  if (answer.kind === 'refused') throw new LaunchError(answer.reason, answer.message)
  throw new LaunchError('failure', `the supervisor answered ${answer.kind}`)
}

/** What a newer version wrote is not even given a log file; what cannot be made is said before anything is started. */
function refuseUnusable(paths: StatePaths): void {
  try {
    readIdentity(paths)
    makeOwnDirectory(paths.logs)
  } catch (error) {
    if (error instanceof StateError) throw new LaunchError(error.reason, error.message)
    throw error
  }
}

async function nextMessage(child: ChildProcess, stderrPath: string, options: LaunchOptions = {}): Promise<FromSupervisor> {
  const { signal, timeoutMs = ANSWER_TIMEOUT_MS } = options
  const { promise, resolve, reject } = Promise.withResolvers<FromSupervisor>()
  const fail = (message: string): void => reject(new LaunchError('failure', message))
  const onMessage = (message: unknown): void => resolve(message as FromSupervisor)
  const onError = (error: Error): void => fail(`the supervisor could not be started: ${error.message}`)
  const onExit = (): void => fail(`the supervisor ended while it started; what it said is in ${stderrPath}`)
  const onAbort = (): void => fail('the start was interrupted')
  const timer = setTimeout(
    () => fail(`the supervisor did not answer within ${timeoutMs / 1000} s; what it said is in ${stderrPath}`),
    timeoutMs,
  )
  child.once('message', onMessage)
  child.once('error', onError)
  void endOf(child).then(onExit)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted === true) onAbort()
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    child.off('message', onMessage)
    child.off('error', onError)
    signal?.removeEventListener('abort', onAbort)
  }
}

async function endOrKill(child: ChildProcess, timeoutMs: number): Promise<SupervisorEnd> {
  // It may have been let go; here it is waited for.
  child.ref()
  const end = endOf(child)
  if (!(await settles(end, timeoutMs))) child.kill('SIGKILL')
  return await end
}

function endOf(child: ChildProcess): Promise<SupervisorEnd> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve({ orderly: child.exitCode === 0 })
  return new Promise(resolve => child.once('exit', code => resolve({ orderly: code === 0 })))
}
