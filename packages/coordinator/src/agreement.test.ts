// How a disk comes to belong to a cluster, and when it must not be used.
import { type ClusterId, nodeId } from '@atoll/base'
import { parseConfig } from '@atoll/service'
import { createSimHashes, createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { type Coordinator, startCoordinator } from './coordinator.ts'
import { commandTable } from './core/commands.ts'
import { CommandCodec } from './core/index.ts'
import { put, SimulatedCoordinators } from './simulated-coordinators.ts'

const hashes = await createSimHashes()
const SECRET = new Uint8Array(32).fill(7)
const names = ['coordinator-1', 'coordinator-2', 'coordinator-3'].map(nodeId)

class Scene {
  readonly simulation = createSimulation({ seed: 1, hashes })
  readonly running = new Map<string, Coordinator>()
  readonly failures: unknown[] = []

  constructor() {
    for (const name of names) this.simulation.addNode(name)
  }

  machine(index: number) {
    const machine = this.simulation.nodes.get(names[index] ?? nodeId('nobody'))
    if (machine === undefined) throw new Error('no such machine')
    return machine
  }

  start(index: number): void {
    const { id: name } = this.machine(index)
    this.machine(index).start(async (ports: SimPorts) => {
      const native = { host: '127.0.0.1', port: 7_201 + index, strict: true }
      const identity = { name, role: 'coordinator', clusterId: 'test' as ClusterId, secret: SECRET }
      try {
        const options = { ...identity, config: parseConfig('{}', 'the test'), native }
        this.running.set(name, await startCoordinator({ ...ports, links: undefined }, options))
      } catch (error) {
        this.failures.push(error)
        ports.process.exit(1)
      }
    })
  }

  async run(ms: number): Promise<this> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
    return this
  }

  status(index: number) {
    return this.running.get(this.machine(index).id)?.agreement.driver?.status
  }

  leaders(): number {
    return [0, 1, 2].filter(index => this.status(index)?.role === 'leader').length
  }
}

describe('the founding of a cluster', () => {
  it('[CO3] waits for all that the configuration plans', async () => {
    const scene = new Scene()
    scene.start(0)
    scene.start(1)
    await scene.run(5_000)
    expect(scene.status(0)).toBeUndefined()
    scene.start(2)
    await scene.run(2_000)
    expect(scene.leaders()).toBe(1)
    expect(scene.status(0)?.configuration.voters.map(({ node }) => node)).toEqual(names)
  })

  it('[CO3] is over: a disk that was wiped does not found another, nor vote before it is taken in', async () => {
    const scene = new Scene()
    for (const index of [0, 1, 2]) scene.start(index)
    await scene.run(2_000)
    scene.machine(2).crash()
    scene.running.delete(names[2] as string)
    scene.machine(2).disk.wipe()
    // Nobody leads, so nobody can take it in.
    scene.machine(1).crash()
    scene.running.delete(names[1] as string)
    scene.start(2)
    await scene.run(3_000)
    expect(scene.leaders()).toBe(0)
    expect(scene.status(2)?.configuration.voters).toEqual([])
    expect(scene.machine(2).logLines.some(line => line.includes('not_a_member'))).toBe(true)
  })
})

describe('a disk', () => {
  it('[CO5] without term and vote is not started with', async () => {
    const scene = new Scene()
    for (const index of [0, 1, 2]) scene.start(index)
    await scene.run(2_000)
    scene.machine(1).crash()
    scene.machine(1).disk.flipBit('raft/hard-state')
    scene.start(1)
    await scene.run(1_000)
    expect(scene.failures).toMatchObject([{ name: 'CommitLogError', code: 'corrupt' }])
    expect(scene.machine(1).state).toBe('down')
  })
})

describe('an entry of the log', () => {
  it('[SV17] that this build does not know ends every process that would apply it, and says why', async () => {
    const scene = await SimulatedCoordinators.ready()
    const { driver } = scene.running.get(scene.leader())?.agreement ?? {}
    const later = new CommandCodec(commandTable, 2).encode({ kind: 'put', ...put('a') })
    const proposed = scene.begin(async () => driver?.propose(later, 1_000))
    await scene.run(500)
    expect(proposed.error ?? proposed.settled).not.toBe(true)
    const ended = scene.names.filter(name => scene.machine(name).state === 'down')
    // The leader knew first that it is committed; one that was not told any more stands still instead.
    expect(ended.length).toBeGreaterThan(0)
    for (const name of ended) expect(scene.machine(name).logLines.some(line => line.includes('cannot_apply'))).toBe(true)
    expect(scene.names.flatMap(name => scene.running.get(name)?.agreement.machine.state.store.get('a') ?? [])).toEqual([])
  })
})
