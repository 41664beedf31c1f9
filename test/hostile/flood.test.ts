// Ten thousand connections that say nothing. The node keeps a few hundred, answers everybody else, and is as before when
// they are gone.
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectUndisturbed, type LogLine, type NodeProcess, Starvation, StateDirectory } from './coordinators.ts'
import { RawPeer } from './raw-peer.ts'

const MiB = 1024 ** 2
/** Connections the node keeps without a hello. */
const STRANGERS_MAX = 256
/** Opened together; the backlog of a listening socket takes them whole. */
const SLICE = 200
const directory = new StateDirectory()
let nodes: readonly NodeProcess[]
let target: NodeProcess

const starvation = new Starvation()

beforeAll(async () => {
  nodes = await directory.cluster(3)
  target = nodes[0] as NodeProcess
})
afterAll(() => directory[Symbol.asyncDispose]())

/** What this process may have open; some systems allow less than is wanted here. */
function connectionsAllowed(): number {
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim())
  return Math.min(10_000, Number.isNaN(limit) ? 10_000 : limit - 500)
}

interface Flood {
  readonly mostDescriptors: number
  readonly mostResidentBytes: number
  readonly slowestAnswerMs: number
}

/** Opens `count` connections that say nothing, lets a peer in meanwhile, and waits until the node has closed them all. */
async function flood(count: number): Promise<Flood> {
  const descriptorsBefore = target.descriptors() ?? 0
  const peers: RawPeer[] = []
  const most = { mostDescriptors: 0, mostResidentBytes: 0, slowestAnswerMs: 0 }
  for (let opened = 0; opened < count; opened += SLICE) {
    // Addresses of the loopback besides the first are Linux's own; each brings its own range of ports.
    const from = process.platform === 'linux' ? `127.0.0.${2 + (Math.floor(opened / 2_000) % 5)}` : undefined
    peers.push(...(await Promise.all(Array.from({ length: SLICE }, () => RawPeer.connect(target.port, from)))))
    const askedMs = performance.now()
    const { residentBytes } = await target.status()
    most.slowestAnswerMs = Math.max(most.slowestAnswerMs, performance.now() - askedMs)
    most.mostDescriptors = Math.max(most.mostDescriptors, target.descriptors() ?? 0)
    most.mostResidentBytes = Math.max(most.mostResidentBytes, residentBytes)
  }
  const newcomer = await target.call('newcomer')
  newcomer.end()
  await Promise.all(peers.map(peer => peer.closed))
  await target.until('the descriptors are as before', () => (target.descriptors() ?? 0) <= descriptorsBefore)
  return most
}

describe('a flood of idle connections', () => {
  it('is bounded, answered around, logged in a few lines and forgotten', async () => {
    const before = { descriptors: target.descriptors() ?? 0, resident: (await target.status()).residentBytes, lines: target.log().length }
    const count = connectionsAllowed()
    const first = await flood(count)
    const second = await flood(count / 2)
    const inMiB = (bytes: number): number => Math.round(bytes / MiB)
    console.info(
      `${count} idle connections: resident ${inMiB(before.resident)} MiB before, ${inMiB(first.mostResidentBytes)} at most, and ${inMiB(second.mostResidentBytes)} in another flood; ${first.mostDescriptors} descriptors at most, ${before.descriptors} before; slowest answer ${first.slowestAnswerMs.toFixed(0)} ms`,
    )
    expect(first.mostDescriptors).toBeLessThanOrEqual(before.descriptors + STRANGERS_MAX + 2 * SLICE)
    expect(first.mostResidentBytes - before.resident).toBeLessThan(96 * MiB)
    // What the first one cost is used again: it is garbage, not a leak.
    expect(second.mostResidentBytes - first.mostResidentBytes).toBeLessThan(16 * MiB)
    expect(Math.max(first.slowestAnswerMs, second.slowestAnswerMs)).toBeLessThan(1_000)
    const said = target.log().slice(before.lines)
    const reasons = said.map((line: LogLine) => `${line.event} ${String(line['code'])}`)
    expect(reasons).toContain('connection_refused unauthenticated_connections_max')
    expect(reasons).toContain('connection_refused hello_timed_out')
    expect(said.length).toBeLessThan(80)
    await expectUndisturbed(nodes, starvation)
  })
})
