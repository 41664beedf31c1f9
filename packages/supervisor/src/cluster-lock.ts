// One supervisor per cluster. A lock is a numbered file that names its holder, and the highest number counts. A lock
// whose holder is gone is never taken over in place (two could do that at once) but succeeded by the next number,
// which only one process can create.
import { existsSync, linkSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { present } from '@atoll/base'
import { identify, isRunning, type ProcessIdentity } from './processes.ts'
import { readIfThere, replaceFile } from './replace-file.ts'
import { makeOwnDirectory, parseObject } from './state-directory.ts'

export interface ClusterLock {
  /** Gives the lock back. */
  release(): void
}

/** Takes the lock, or answers who holds it. */
export function takeLock(directory: string): ClusterLock | { readonly heldBy: ProcessIdentity } {
  makeOwnDirectory(directory)
  const draft = join(directory, `${process.pid}.draft`)
  replaceFile(draft, JSON.stringify(present(identify(process.pid), 'this process')))
  try {
    for (;;) {
      const newest = newestNumber(directory)
      const holder = readHolder(directory, newest)
      if (holder === 'succeeded') continue
      if (holder !== undefined && isRunning(holder)) return { heldBy: holder }
      const mine = tryNumber(directory, draft, newest + 1)
      // The number stays: a lower one that came back would count for nothing. Where the directory is gone, nothing is held.
      if (mine !== undefined) return { release: () => giveBack(mine) }
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

function giveBack(file: string): void {
  if (existsSync(file)) replaceFile(file, '{}')
}

/** The lock of a node that runs without a supervisor; it lies in the cluster's. */
export const nodeLock = (directory: string, node: string): string => join(directory, node)

/**
 * Nodes that run without a supervisor, with the process that runs each. Whoever takes the cluster's lock or a node's looks
 * at the other only then: of two at once at least one sees the other.
 */
export function heldNodes(directory: string): readonly (ProcessIdentity & { readonly node: string })[] {
  const names = entries(directory).filter(name => !/\.(lock|draft)$/.test(name))
  return names.flatMap(node => {
    const holder = lockHolder(nodeLock(directory, node))
    return holder === undefined ? [] : [{ node, ...holder }]
  })
}

/** Who holds the lock now; undefined when nobody does. */
export function lockHolder(directory: string): ProcessIdentity | undefined {
  for (;;) {
    const holder = readHolder(directory, newestNumber(directory))
    if (holder !== 'succeeded') return holder !== undefined && isRunning(holder) ? holder : undefined
  }
}

/** The lock's file, or undefined when another process was faster. */
function tryNumber(directory: string, draft: string, number: number): string | undefined {
  const mine = join(directory, `${number}.lock`)
  try {
    linkSync(draft, mine)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  }
  // Between looking and linking, others may have gone further and deleted the old numbers, and then theirs counts, or
  // deleted the whole directory and begun anew.
  const all = numbers(directory)
  if (all.some(other => other > number) || (number > 1 && !all.includes(number - 1))) {
    rmSync(mine, { force: true })
    return undefined
  }
  for (const other of all) if (other < number) rmSync(join(directory, `${other}.lock`), { force: true })
  return mine
}

const numbers = (directory: string): number[] =>
  entries(directory).flatMap(name => (/^\d+\.lock$/.test(name) ? [Number.parseInt(name, 10)] : []))

function entries(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const newestNumber = (directory: string): number => Math.max(0, ...numbers(directory))

/** `succeeded` when the file went while we looked: look again. */
function readHolder(directory: string, number: number): ProcessIdentity | undefined | 'succeeded' {
  if (number === 0) return undefined
  const file = join(directory, `${number}.lock`)
  const text = readIfThere(file)
  if (text === undefined) return 'succeeded'
  const { pid, startTime, bootId } = parseObject(text, file)
  if (typeof pid !== 'number' || typeof startTime !== 'string') return undefined
  return { pid, startTime, ...(typeof bootId === 'string' ? { bootId } : {}) }
}
