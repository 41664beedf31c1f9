// Starting a supervisor: a process of its own session, which a terminal's Ctrl-C does not reach, tied to its starter by
// a channel until it is detached.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { FromSupervisor, RefusalReason, StartRequest, ToSupervisor } from './launch-messages.ts'
import { processEnvironment } from './node-command.ts'
import { openStderr, readIdentity, StateError, type StatePaths, statePaths, stderrFile } from './state-directory.ts'

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
  readonly pid: number
  readonly #child: ChildProcess

  constructor(child: ChildProcess, pid: number, cleaned: readonly string[]) {
    this.#child = child
    this.pid = pid
    this.cleaned = cleaned
  }

  /** Resolves once the supervisor has ended. */
  get ended(): Promise<SupervisorEnd> {
    return endOf(this.#child)
  }

  /** Lets it live on without us. */
  async detach(): Promise<void> {
    const detached = nextMessage(this.#child)
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

/** Starts a supervisor; resolves when it answers on its socket. Rejects with a LaunchError when it refuses. */
export async function launchSupervisor(request: Omit<StartRequest, 'kind'>): Promise<LaunchedSupervisor> {
  const paths = statePaths(request.directory)
  refuseNewerFormat(paths)
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 })
  const output = openStderr(stderrFile(paths, 'supervisor'))
  const child = spawn(process.execPath, [join(request.programs, 'supervisor.mjs')], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
    env: processEnvironment(),
  })
  closeSync(output)
  child.send({ kind: 'start', ...request } satisfies ToSupervisor, () => {})
  const answer = await nextMessage(child)
  if (answer.kind === 'listening' && child.pid !== undefined) return new LaunchedSupervisor(child, child.pid, answer.cleaned)
  if (answer.kind === 'refused') throw new LaunchError(answer.reason, answer.message)
  throw new LaunchError('failure', `the supervisor answered ${answer.kind}`)
}

/** What a newer version wrote is not even given a log file. */
function refuseNewerFormat(paths: StatePaths): void {
  try {
    readIdentity(paths)
  } catch (error) {
    if (error instanceof StateError) throw new LaunchError('conflict', error.message)
    throw error
  }
}

function nextMessage(child: ChildProcess): Promise<FromSupervisor> {
  return new Promise((resolve, reject) => {
    child.once('message', message => resolve(message as FromSupervisor))
    child.once('error', error => reject(new LaunchError('failure', `the supervisor could not be started: ${error.message}`)))
    void endOf(child).then(() => reject(new LaunchError('failure', 'the supervisor ended while it started')))
  })
}

function endOf(child: ChildProcess): Promise<SupervisorEnd> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve({ orderly: child.exitCode === 0 })
  return new Promise(resolve => child.once('exit', code => resolve({ orderly: code === 0 })))
}
