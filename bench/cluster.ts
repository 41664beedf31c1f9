// How long a cluster takes to be ready, and what it costs while nobody asks it anything.
//   npm run bench -- cluster [--runs 10] [--idle-seconds 30]
// Ready is what `cluster up -d` waits for: every node answers and believes every other alive. Warm means installed and built.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { machineLine } from './machine.ts'

const LAUNCHER = resolve(import.meta.dirname, '../scripts/cluster.mjs')
const { values } = parseArgs({ options: { runs: { type: 'string', default: '10' }, 'idle-seconds': { type: 'string', default: '30' } } })
const directory = mkdtempSync(join(tmpdir(), 'atoll-bench-'))
const config = join(directory, 'cluster.config.json')
writeFileSync(config, '{}')

function cluster(...args: string[]): { readonly out: string; readonly ms: number } {
  const startedMs = performance.now()
  const out = execFileSync(process.execPath, [LAUNCHER, ...args, '--config', config], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return { out, ms: performance.now() - startedMs }
}

const spread = (times: readonly number[], unit: string): string => {
  const ordered = times.toSorted((a, b) => a - b)
  return `median ${ordered[ordered.length >> 1]?.toFixed(0)} ${unit} (${ordered[0]?.toFixed(0)} to ${ordered.at(-1)?.toFixed(0)})`
}

interface Status {
  readonly supervisor: { readonly pid: number }
  readonly nodes: readonly { readonly name: string; readonly pid: number }[]
}

/** CPU time of a process so far, in milliseconds, from the scheduler's own count and not from ticks. */
const cpuMs = (pid: number): number => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
const residentMiB = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

console.log(machineLine())
try {
  const up: number[] = []
  const down: number[] = []
  for (let run = 0; run < Number(values.runs); run++) {
    up.push(cluster('up', '-d').ms)
    down.push(cluster('down').ms)
  }
  console.log(`up -d to ready, warm, launcher and command line included: ${spread(up, 'ms')}`)
  console.log(`down: ${spread(down, 'ms')}`)
  cluster('up', '-d')
  const reading = Array.from({ length: 10 }, () => cluster('status', '--json'))
  console.log(
    `status: ${spread(
      reading.map(({ ms }) => ms),
      'ms',
    )}`,
  )
  if (process.platform === 'linux') {
    const { supervisor, nodes } = JSON.parse(reading[0]?.out ?? '{}') as Status
    const processes = [{ name: 'supervisor', pid: supervisor.pid }, ...nodes]
    await wait(5_000)
    const before = processes.map(({ pid }) => cpuMs(pid))
    const sinceMs = performance.now()
    await wait(Number(values['idle-seconds']) * 1_000)
    const elapsedMs = performance.now() - sinceMs
    processes.forEach(({ name, pid }, i) => {
      console.log(
        `${name.padEnd(16)} ${residentMiB(pid).toFixed(1).padStart(6)} MiB resident, ${(((cpuMs(pid) - (before[i] as number)) / elapsedMs) * 100).toFixed(2).padStart(5)} % of one core (main thread) while idle`,
      )
    })
  }
} finally {
  cluster('down', '--volumes')
  rmSync(directory, { recursive: true, force: true })
}
