// Whether this machine is fit to run a cluster: each check is one sentence and what to do about it.
import { spawnSync } from 'node:child_process'
import { existsSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import type { PlannedNode } from '@atoll/service'
import { portHolder } from './port-holder.ts'

export interface Finding {
  readonly check: string
  readonly outcome: 'ok' | 'warning' | 'failure'
  readonly message: string
  /** What mends it. */
  readonly remedy?: string
}

const NODE_MAJOR_MIN = 24
/** Every node has connections to every other and to its clients; below the lower bound it stops accepting in normal use. */
const DESCRIPTORS_WANTED = 4_096
const DESCRIPTORS_MIN = 256
const MB = 1e6
const DISK_WANTED = 1_000 * MB
const DISK_MIN = 100 * MB
/** What a node needs resident, with room for work. */
const MEMORY_PER_NODE = 80 * MB

/** All checks of the machine itself. `ours` are ports that nodes of this cluster hold. */
export async function checkMachine(plan: readonly PlannedNode[], stateRoot: string, ours: ReadonlySet<number>): Promise<Finding[]> {
  const host = plan[0]?.host ?? '127.0.0.1'
  return [
    checkNode(),
    checkDescriptors(),
    await checkLoopback(host),
    ...(await checkPorts(plan, ours)),
    checkDisk(stateRoot),
    checkMemory(plan.length),
    checkClock(),
  ]
}

function checkNode(): Finding {
  const major = Number.parseInt(process.versions.node, 10)
  return {
    check: 'node',
    outcome: major >= NODE_MAJOR_MIN ? 'ok' : 'failure',
    message: `Node ${process.versions.node} on ${process.platform} ${process.arch}, ${availableParallelism()} cores`,
    remedy: `Node ${NODE_MAJOR_MIN} or later; npm start installs one`,
  }
}

function checkDescriptors(): Finding {
  const { stdout } = spawnSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })
  const limit = stdout.trim() === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stdout)
  return {
    check: 'descriptors',
    outcome: limit >= DESCRIPTORS_WANTED ? 'ok' : limit >= DESCRIPTORS_MIN ? 'warning' : 'failure',
    message: `${limit} open files per process`,
    remedy: `ulimit -n ${DESCRIPTORS_WANTED}`,
  }
}

async function checkLoopback(host: string): Promise<Finding> {
  const trouble = await tryListen(host, 0)
  return {
    check: 'loopback',
    outcome: trouble === undefined ? 'ok' : 'failure',
    message: trouble === undefined ? `${host} can be listened on` : `${host} cannot be listened on: ${trouble}`,
    remedy: 'bring the loopback interface up, or set "host" in cluster.config.json',
  }
}

/** A taken port is no failure: another one is chosen. */
async function checkPorts(plan: readonly PlannedNode[], ours: ReadonlySet<number>): Promise<Finding[]> {
  const all = plan.flatMap(({ name, host, nativePort, fronts }) =>
    [nativePort, ...fronts.map(front => front.port)].map(port => ({ name, host, port })),
  )
  const wanted = all.filter(({ port }) => !ours.has(port))
  const taken = await Promise.all(wanted.map(async one => ((await tryListen(one.host, one.port)) === undefined ? [] : [one])))
  const findings = taken.flat().map(({ name, port }): Finding => {
    const holder = portHolder(port)
    const by = holder === undefined ? '' : ` by ${holder.command} (pid ${holder.pid})`
    return {
      check: 'ports',
      outcome: 'warning',
      message: `port ${port} of ${name} is taken${by}; another one will be chosen`,
      remedy: 'cluster up --port-offset N, or other ports in cluster.config.json',
    }
  })
  return findings.length > 0 ? findings : [{ check: 'ports', outcome: 'ok', message: `${all.length} ports are free or ours` }]
}

function checkDisk(stateRoot: string): Finding {
  const { bavail, bsize } = statfsSync(existingParent(stateRoot))
  const free = bavail * bsize
  return {
    check: 'disk',
    outcome: free >= DISK_WANTED ? 'ok' : free >= DISK_MIN ? 'warning' : 'failure',
    message: `${Math.round(free / MB)} MB free for ${stateRoot}`,
    remedy: 'cluster down --volumes deletes data',
  }
}

function checkMemory(nodes: number): Finding {
  const free = process.availableMemory()
  return {
    check: 'memory',
    outcome: free >= nodes * MEMORY_PER_NODE ? 'ok' : 'warning',
    message: `${Math.round(free / MB)} MB free, ${nodes} nodes need about ${Math.round((nodes * MEMORY_PER_NODE) / MB)} MB`,
    remedy: 'fewer nodes in cluster.config.json',
  }
}

/** A clock before the time this program was built is wrong for sure. */
function checkClock(): Finding {
  const behindMs = statSync(import.meta.filename).mtimeMs - Date.now()
  return {
    check: 'clock',
    outcome: behindMs > 60_000 ? 'failure' : 'ok',
    message: behindMs > 60_000 ? `the clock is ${Math.round(behindMs / 1000)} s before this program was built` : 'the clock is plausible',
    remedy: 'set the clock',
  }
}

/** What keeps one from listening there; undefined when nothing does. */
function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', error => resolve(error.message))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

/** The nearest directory, from `path` upwards, that is there. */
function existingParent(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existingParent(dirname(path))
}
