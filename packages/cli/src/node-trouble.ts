// What is known of a node that failed: how it ended, the last lines it wrote, where the rest is, and what to do.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { SupervisedNode } from '@atoll/protocol'
import { type StatePaths, stderrFile } from '@atoll/supervisor'
import type { ExitReason } from './exit-codes.ts'
import { describeHolder } from './port-holder.ts'

const LINES_MAX = 20

/** The lines that explain the failed ones among `nodes`. */
export function troubleLines(nodes: readonly SupervisedNode[], paths: StatePaths): string[] {
  return nodes
    .filter(({ state }) => state === 'failed')
    .flatMap(node => {
      const path = stderrFile(paths, node.name)
      return [
        `${node.name} failed: ${node.exit ?? 'no reason known'}`,
        ...(node.takenPort === undefined
          ? []
          : [`  Port ${node.takenPort} is taken ${describeHolder(node.takenPort)}; without --strict-ports another one is chosen.`]),
        ...lastLines(path).map(line => `  | ${line}`),
        `  Its output: ${path}`,
        `  Its log: ${path.replace(/stderr$/, 'ndjson')}`,
      ]
    })
}

/** Failed nodes decide the exit code: a taken port is a conflict, anything else a failure. */
export function troubleReason(nodes: readonly SupervisedNode[]): ExitReason {
  const failed = nodes.filter(({ state }) => state === 'failed')
  if (failed.some(({ takenPort }) => takenPort !== undefined)) return 'conflict'
  return failed.length > 0 ? 'failure' : 'notReady'
}

export function troubleNext(nodes: readonly SupervisedNode[]): string[] {
  const failed = nodes.find(({ state }) => state === 'failed')
  return [...(failed === undefined ? [] : [`cluster logs ${failed.name}`]), 'cluster doctor']
}

export function lastLines(path: string, count = LINES_MAX): string[] {
  try {
    return readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .filter(line => line !== '')
      .slice(-count)
  } catch (error) {
    return [`(${basename(path)} cannot be read: ${(error as Error).message})`]
  }
}
