// The launcher's one child at a time, first the installer, then the build, then the command: it gets the launcher's signals,
// and it does not outlive the launcher's parent.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

/** How often to look whether the parent is still there, and how long a child may take to stop once it is gone, in milliseconds. */
const PARENT_POLL_MS = 250
const ORPHAN_GRACE_MS = 3_500

/** Something the user can mend, with the sentence to show (empty if the child has said it already) and the exit code. */
export class SetupError extends Error {
  constructor(message, exitCode) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The running child, and whether it is the command itself rather than a step of the set-up. */
let current
let isCommand = false
/** The signal that ended the set-up; nothing is started after it. */
let stoppedBy

export function forwardSignals() {
  // A terminal sends Ctrl-C to the whole group, so the command has it already and decides itself how to stop.
  process.on('SIGINT', () => isCommand || stop('SIGINT'))
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGHUP', () => stop('SIGHUP'))
  const ancestors = aliveAncestors()
  const timer = setInterval(() => {
    if (ancestors.every(isStillThere)) return
    clearInterval(timer)
    // The command stops on the closed channel by itself; anything else, and a command that hangs, is made to.
    if (current?.connected) current.disconnect()
    else stop('SIGTERM')
    setTimeout(() => stop('SIGKILL'), ORPHAN_GRACE_MS).unref()
  }, PARENT_POLL_MS)
  timer.unref()
}

function stop(signal) {
  if (!isCommand) stoppedBy ??= signal
  current?.kill(signal)
}

/** Runs one step of the set-up: no input, all its output on standard error. Returns its exit code. */
export async function runStep(command, args, options) {
  refuseIfStopped()
  const code = await ended(spawn(command, args, { ...options, stdio: ['ignore', 2, 2] }))
  refuseIfStopped()
  return code
}

/** Refuses to go on after a signal that arrived between two steps or ended one. */
export function refuseIfStopped() {
  if (stoppedBy !== undefined) throw new SetupError('', 128 + constants.signals[stoppedBy])
}

/** Runs the command on this terminal, with a channel whose closing tells it that the launcher is gone. Returns its exit code. */
export function handOver(node, args) {
  refuseIfStopped()
  isCommand = true
  return ended(spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] }))
}

function ended(child) {
  current = child
  return new Promise((resolve, reject) => {
    child.on('error', error => reject(new SetupError(`Could not start ${child.spawnfile}: ${error.message}`, 7)))
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  })
}

/**
 * The launcher's parent, and its parent in turn when npm stands there: some shells stay between npm and its script, and
 * `kill -9` of npm leaves them alive.
 */
function aliveAncestors() {
  const parent = process.ppid
  const found = parent > 1 ? [{ pid: parent, of: process.pid }] : []
  const above = process.env.npm_lifecycle_event === undefined ? undefined : parentOf(parent)
  return above > 1 ? [...found, { pid: above, of: parent }] : found
}

function isStillThere({ pid, of }) {
  return pid === (of === process.pid ? process.ppid : parentOf(of))
}

/** Linux only; elsewhere the launcher watches its own parent alone. */
function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined // not Linux, or already gone
  }
}
