// Processes as the machine knows them. A pid alone names nobody: the system reuses it. Together with the time its
// process started it does, so everything that is written down or killed is a pair of both. Where that time counts from the
// start of the system, what is written down also says which start.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

export interface ProcessIdentity {
  readonly pid: number
  /** When it started, as the system tells it and without white space; only ever compared for equality. */
  readonly startTime: string
  /** Which start of the system that counts from; absent where the time is a date. */
  readonly bootId?: string
}

interface Row {
  /** One letter, as ps prints it: `T` is stopped, `Z` is a zombie. */
  readonly state: string
  readonly startTime: string
}

/** The identity of a running process; undefined when there is none (a zombie is none). */
export function identify(pid: number): ProcessIdentity | undefined {
  const row = look(pid)
  if (row === undefined || row.state === 'Z') return undefined
  const bootId = currentBootId()
  return { pid, startTime: row.startTime, ...(bootId === undefined ? {} : { bootId }) }
}

/** Whether exactly this process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  // One that was written down without it is from a version that did not know it.
  if (identity.bootId !== undefined && identity.bootId !== currentBootId()) return false
  return identify(identity.pid)?.startTime === identity.startTime
}

/** Whether the process is stopped (SIGSTOP). */
export function isStopped(pid: number): boolean {
  return look(pid)?.state === 'T'
}

/** Signals a whole process group. False when nobody is left in it. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Ends the processes and everything in their groups with SIGKILL, after making sure that they still are who they were. */
export function killGroups(identities: readonly ProcessIdentity[]): void {
  for (const identity of identities) if (isRunning(identity)) signalGroup(identity.pid, 'SIGKILL')
}

/** True once `condition` holds, false when `timeoutMs` have passed. For what the machine does not report. */
export async function until(condition: () => boolean, timeoutMs: number, intervalMs = 5): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    if (condition()) return true
    if (performance.now() > deadlineMs) return false
    await delay(intervalMs)
  }
}

/** Whether `work` settles within `timeoutMs`. */
export async function settles(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => {
    timer = setTimeout(resolve, timeoutMs, false)
  })
  const inTime = await Promise.race([work.then(() => true), late])
  clearTimeout(timer)
  return inTime
}

/** proc_sys_kernel(5): random, and another one after each start of the system. */
function readBootId(): string | undefined {
  try {
    return process.platform === 'linux' ? readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() : undefined
  } catch {
    return undefined // not every container shows it
  }
}

let knownBootId: { readonly value: string | undefined } | undefined
/** It does not change while this process runs. */
function currentBootId(): string | undefined {
  knownBootId ??= { value: readBootId() }
  return knownBootId.value
}

function look(pid: number): Row | undefined {
  return process.platform === 'linux' ? lookInProc(pid) : askPs(pid)
}

/** proc(5): the command's name, the second field, may hold blanks and parentheses, so counting starts behind the last one. */
function lookInProc(pid: number): Row | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined // no such process
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' }
}

function askPs(pid: number): Row | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  })
  const [state, ...start] = stdout.trim().split(/\s+/)
  return state === undefined || state === '' ? undefined : { state: state.slice(0, 1), startTime: start.join('_') }
}
