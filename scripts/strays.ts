// Processes started from this checkout's dist/. After a test run there must be none that was not there before.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface Stray {
  readonly pid: number
  readonly command: string
}

/** What was killed with its supervisor may take this long to go, in milliseconds; it is what the product promises. */
const GRACE_MS = 5_000

export function strayProcesses(root: string): readonly Stray[] {
  const place = `${join(root, 'dist')}/`
  return (process.platform === 'linux' ? fromProc() : fromPs()).filter(({ command }) => command.includes(place))
}

function fromProc(): Stray[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        return [{ pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() }]
      } catch {
        return [] // it ended while we looked
      }
    })
}

function fromPs(): Stray[] {
  const { stdout } = spawnSync('ps', ['-axo', 'pid=,command='], { encoding: 'utf8' })
  return stdout.split('\n').flatMap(line => {
    const [, pid, command] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? []
    return pid === undefined || command === undefined ? [] : [{ pid: Number(pid), command }]
  })
}

/** The processes that are still there at the end of the grace period and were not there `before`. */
export async function untilNoneLeft(root: string, before: readonly Stray[]): Promise<readonly Stray[]> {
  const known = new Set(before.map(({ pid }) => pid))
  const deadline = performance.now() + GRACE_MS
  for (;;) {
    const left = strayProcesses(root).filter(({ pid }) => !known.has(pid))
    if (left.length === 0 || performance.now() > deadline) return left
    await delay(100)
  }
}
