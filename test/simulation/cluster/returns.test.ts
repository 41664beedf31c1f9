// Members that go and come back, in every way there is: paused, killed, left, at once or later, at the same port or another.
// All awake nodes must agree on the truth within a bound, and stay agreed.
import { type NodeId, nodeId } from '@atoll/base'
import { disagreements, SimCluster } from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'

const hashes = await createSimHashes()
const seeds = Array.from({ length: 8 }, (_, i) => i + 1)
/** Nothing is left to be said after this long, in virtual milliseconds. */
const AGREED_MS_MAX = 5_000
/** Long enough for any of these clusters to declare a death, in virtual milliseconds. */
const DETECTED_MS = 5_000

interface LogLine {
  readonly event: string
  readonly member?: string
  readonly refused?: boolean
}

class Scene {
  readonly cluster: SimCluster
  readonly names: readonly NodeId[]

  constructor(seed: number, nodes: number) {
    this.cluster = new SimCluster({ seed, hashes, nodes })
    this.names = this.cluster.names
  }

  name(index: number): NodeId {
    return this.names[index] as NodeId
  }

  async run(ms: number): Promise<void> {
    const { simulation } = this.cluster
    await simulation.run({ untilMs: simulation.nowMs + ms })
  }

  /** Starts all and waits until they know each other. */
  async started(): Promise<this> {
    this.cluster.startAll()
    await this.agree()
    return this
  }

  /** Runs until every awake node is right about everybody, addresses included, and checks that it stays so. */
  async agree(): Promise<void> {
    const { simulation } = this.cluster
    const untilMs = simulation.nowMs + AGREED_MS_MAX
    await simulation.run({ untilMs, until: () => this.wrong().length === 0 })
    this.#holds('not agreed in time')
    for (let i = 0; i < 30; i++) {
      await this.run(100)
      this.#holds('something that was still under way undid it')
    }
  }

  #holds(otherwise: string): void {
    const wrong = this.wrong()
    if (wrong.length > 0) throw new Error(`${otherwise}:\n${wrong.join('\n')}`)
  }

  /** Every mistake of an awake node, a sentence each. */
  wrong(): string[] {
    const late = this.names.filter(name => this.cluster.stateOf(name) === 'running' && !this.cluster.awake().includes(name))
    const misplaced = this.cluster.awake().flatMap(observer =>
      this.cluster
        .awake()
        .filter(subject => this.cluster.viewOf(observer).get(subject)?.port !== this.cluster.portOf(subject))
        .map(subject => `${observer} looks for ${subject} in the wrong place`),
    )
    return [...late.map(name => `${name} has not started`), ...disagreements(this.cluster), ...misplaced]
  }

  /** What `name` logged of `event`, about `member` if one is given. */
  logged(name: NodeId, event: string, member?: NodeId): LogLine[] {
    return this.cluster
      .logOf(name)
      .map(line => JSON.parse(line) as LogLine)
      .filter(line => line.event === event && (member === undefined || line.member === member))
  }
}

describe.each(seeds)('seed %i', seed => {
  it('a node paused past the floor comes back, and blames nobody for its own absence', async () => {
    const scene = await new Scene(seed, 5).started()
    const victim = scene.name(seed % 5)
    scene.cluster.pause(victim)
    await scene.run(DETECTED_MS)
    expect(disagreements(scene.cluster)).toEqual([])
    scene.cluster.resume(victim)
    await scene.agree()
    expect(scene.logged(victim, 'member_dead')).toEqual([])
    expect(scene.logged(victim, 'stalled')).toHaveLength(1)
    expect(scene.logged(victim, 'own_stall')).toHaveLength(1)
  })

  it.each([
    ['at once at the same port', 0, 0],
    ['at once at another port', 0, 10_000],
    ['after its death is known at the same port', DETECTED_MS, 0],
    ['after its death is known at another port', DETECTED_MS, 10_000],
  ])('a node is started again %s', async (_, afterMs, portShift) => {
    const scene = await new Scene(seed, 5).started()
    const victim = scene.name(seed % 5)
    scene.cluster.crash(victim)
    if (afterMs > 0) await scene.run(afterMs)
    for (const name of scene.cluster.awake()) expect(scene.logged(name, 'member_dead', victim)).toHaveLength(afterMs > 0 ? 1 : 0)
    scene.cluster.start(victim, scene.cluster.portOf(victim) + portShift)
    await scene.agree()
  })

  it('two nodes are started again, each at the port the other one had', async () => {
    const scene = await new Scene(seed, 5).started()
    const [first, second] = [scene.name(0), scene.name(1)]
    const [firstPort, secondPort] = [scene.cluster.portOf(first), scene.cluster.portOf(second)]
    scene.cluster.crash(first)
    scene.cluster.crash(second)
    if (seed % 2 === 0) await scene.run(DETECTED_MS)
    scene.cluster.start(first, secondPort)
    scene.cluster.start(second, firstPort)
    await scene.agree()
  })

  it('all are killed at once and started again', async () => {
    const scene = await new Scene(seed, 5).started()
    for (const name of scene.names) scene.cluster.crash(name)
    await scene.run(100)
    scene.cluster.startAll()
    await scene.agree()
    for (const name of scene.names) expect(scene.logged(name, 'member_dead')).toEqual([])
  })

  it('a node that leaves is never suspected nor dead, and may come back', async () => {
    const scene = await new Scene(seed, 4).started()
    const leaver = scene.name(seed % 4)
    scene.cluster.stop(leaver)
    await scene.run(DETECTED_MS)
    for (const name of scene.cluster.awake()) {
      expect(scene.cluster.viewOf(name).get(leaver)?.state).toBe('left')
      expect([...scene.logged(name, 'member_suspect'), ...scene.logged(name, 'member_dead')]).toEqual([])
    }
    scene.cluster.start(leaver)
    await scene.agree()
  })

  it('of two nodes each notices the other’s death and return, and its pause and return', async () => {
    const scene = await new Scene(seed, 2).started()
    const [first, second] = [scene.name(0), scene.name(1)]
    scene.cluster.crash(second)
    await scene.run(DETECTED_MS)
    expect(scene.cluster.viewOf(first).get(second)?.state).toBe('dead')
    scene.cluster.start(second)
    await scene.agree()
    scene.cluster.pause(first)
    await scene.run(DETECTED_MS)
    expect(scene.cluster.viewOf(second).get(first)?.state).toBe('dead')
    scene.cluster.resume(first)
    await scene.agree()
  })

  it('a node alone is content, and stops', async () => {
    const scene = await new Scene(seed, 1).started()
    await scene.run(60_000)
    expect(scene.cluster.logOf(scene.name(0)).map(line => (JSON.parse(line) as LogLine).event)).toEqual([
      'started',
      'founded',
      'became_leader',
      'leader_changed',
      'leases_taken_over',
      'registered',
    ])
    scene.cluster.stop(scene.name(0))
    await scene.run(1_000)
    expect(scene.cluster.stateOf(scene.name(0))).toBe('down')
  })

  it('a flood of connections without a hello makes nobody suspect', async () => {
    const scene = await new Scene(seed, 3).started()
    const { simulation } = scene.cluster
    let opened = 0
    simulation.addNode(nodeId('flooder')).start(ports => {
      const open = (): void => {
        for (let i = 0; i < 50; i++) {
          void ports.net
            .connect({ host: '127.0.0.1', port: scene.cluster.portOf(scene.name(i % 3)) }, { timeoutMs: 1_000 })
            .then(connection => {
              opened++
              connection.open({ onData() {}, onDrain() {}, onClose() {} })
            })
        }
        if (opened < 3_000) ports.clock.after(20, open)
      }
      open()
    })
    await scene.run(6_000)
    expect(opened).toBeGreaterThanOrEqual(3_000)
    expect(scene.wrong()).toEqual([])
    for (const name of scene.names) {
      expect([...scene.logged(name, 'member_suspect'), ...scene.logged(name, 'refuted_self')]).toEqual([])
      expect(scene.logged(name, 'connection_refused').length).toBeLessThan(30)
    }
  })

  it('a node behind a cut is never taken for one that refuses, dead or alive', async () => {
    const scene = await new Scene(seed, 5).started()
    const victim = scene.name(seed % 5)
    const rules = [
      { from: victim, to: '*' as const, fault: { cut: true } },
      { from: '*' as const, to: victim, fault: { cut: true } },
    ]
    scene.cluster.breakLinks(rules)
    await scene.run(DETECTED_MS)
    if (seed % 2 === 0) scene.cluster.crash(victim)
    await scene.run(DETECTED_MS)
    for (const name of scene.names) {
      expect([...scene.logged(name, 'member_suspect'), ...scene.logged(name, 'member_dead')].filter(({ refused }) => refused)).toEqual([])
    }
    for (const name of scene.names.filter(other => other !== victim)) expect(scene.cluster.viewOf(name).get(victim)?.state).toBe('dead')
    scene.cluster.healLinks(rules)
    if (seed % 2 === 0) scene.cluster.start(victim)
    await scene.agree()
  })
})
