// How fast a death is known, and how often one is invented: real processes on this machine.
//   npm run bench -- detection [--nodes 12] [--runs 30] [--only kill,pause,short-pauses,busy,idle] [--minutes 1]
// Known means: every other process has logged the member as dead. `--minutes` is the length of the three parts that look
// for false deaths: random 600 ms pauses, both cores busy, nothing at all.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { machineLine } from './machine.ts'
import { NodeGroup } from './node-group.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '12' },
    runs: { type: 'string', default: '30' },
    minutes: { type: 'string', default: '1' },
    only: { type: 'string', default: 'kill,pause,short-pauses,busy,idle' },
  },
})
const parts = new Set(values.only.split(','))
const runs = Number(values.runs)
const quietMs = Number(values.minutes) * 60_000

console.log(machineLine())
const group = new NodeGroup(Number(values.nodes))
await group.startAll()
console.log(`${group.names.length} processes know each other\n`)

const sorted = (times: number[]): string => {
  const ordered = times.toSorted((a, b) => a - b)
  return `median ${ordered[ordered.length >> 1]} ms, worst ${ordered.at(-1)} ms of ${ordered.length}`
}
const someone = (): string => group.names[Math.floor(Math.random() * group.names.length)] as string

if (parts.has('kill')) {
  const times: number[] = []
  for (let run = 0; run < runs; run++) {
    const victim = someone()
    const killedAtMs = Date.now()
    await group.kill(victim)
    times.push((await group.untilAll('member_dead', victim, killedAtMs)) - killedAtMs)
    const startedAtMs = Date.now()
    await group.start(victim)
    await group.untilAll('member_alive', victim, startedAtMs)
  }
  console.log(`kill -9, known by all:   ${sorted(times)}`)
}

if (parts.has('pause')) {
  const known: number[] = []
  const back: number[] = []
  for (let run = 0; run < runs; run++) {
    const victim = someone()
    // At a random moment of the probe period, so that no run profits from the one before.
    await wait(Math.random() * 500)
    const pausedAtMs = Date.now()
    process.kill(group.pidOf(victim), 'SIGSTOP')
    known.push((await group.untilAll('member_dead', victim, pausedAtMs)) - pausedAtMs)
    const resumedAtMs = Date.now()
    process.kill(group.pidOf(victim), 'SIGCONT')
    back.push((await group.untilAll('member_alive', victim, resumedAtMs)) - resumedAtMs)
  }
  console.log(`SIGSTOP, known by all:   ${sorted(known)}`)
  console.log(`SIGCONT, known by all:   ${sorted(back)}`)
}

const falseDeaths = (name: string, sinceMs: number, more = ''): void => {
  const deaths = group.deaths(sinceMs)
  const suspicions = group.names.flatMap(node =>
    group.events(node).filter(({ event, time }) => event === 'member_suspect' && time >= sinceMs),
  ).length
  console.log(
    `${name}: false deaths ${deaths.length}, suspicions (all nodes' logs) ${suspicions}, in ${((Date.now() - sinceMs) / 60_000).toFixed(1)} min${more}`,
  )
  for (const { time, node, member } of deaths.slice(0, 5)) console.log(`  ${new Date(time).toISOString()} ${node} said ${member} is dead`)
}

if (parts.has('short-pauses')) {
  const sinceMs = Date.now()
  let pauses = 0
  while (Date.now() - sinceMs < quietMs) {
    const pid = group.pidOf(someone())
    process.kill(pid, 'SIGSTOP')
    await wait(600)
    process.kill(pid, 'SIGCONT')
    await wait(200 + Math.random() * 600)
    pauses++
  }
  falseDeaths('600 ms pauses ', sinceMs, `, ${pauses} pauses`)
}

if (parts.has('busy')) {
  const burners = [0, 1].map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))
  const sinceMs = Date.now()
  await wait(quietMs)
  for (const burner of burners) burner.kill('SIGKILL')
  falseDeaths('both cores busy', sinceMs)
}

if (parts.has('idle')) {
  const cpuMs = (): number =>
    group.names.reduce((sum, name) => sum + Number(readFileSync(`/proc/${group.pidOf(name)}/schedstat`, 'utf8').split(' ')[0]) / 1e6, 0)
  const sinceMs = Date.now()
  const before = process.platform === 'linux' ? cpuMs() : 0
  await wait(quietMs)
  const percent = process.platform === 'linux' ? ((cpuMs() - before) / (Date.now() - sinceMs)) * 100 : undefined
  falseDeaths(
    'idle           ',
    sinceMs,
    percent === undefined ? '' : `, CPU of all together ${percent.toFixed(2)} % of one core (main threads)`,
  )
  if (process.platform === 'linux') {
    const resident = group.names.map(
      name => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${group.pidOf(name)}/status`, 'utf8'))?.[1]) / 1024,
    )
    console.log(`resident memory per process: ${Math.min(...resident).toFixed(1)} to ${Math.max(...resident).toFixed(1)} MiB`)
  }
}
group.close()
process.exit(0)
