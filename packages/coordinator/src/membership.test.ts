// Who belongs to the coordinators, over losses and replacements: whole coordinators on simulated disks and links.
import { type ClusterId, nodeId, present } from '@atoll/base'
import { type ErrorCode, type ProtocolError, raftJoin, raftRemove } from '@atoll/protocol'
import type { DiskId, Member } from '@atoll/raft'
import { parseConfig } from '@atoll/service'
import { createSimHashes, createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { type Coordinator, startCoordinator } from './coordinator.ts'
import { type Command, CommandCodec } from './core/index.ts'
import { stepTowards } from './membership.ts'

const hashes = await createSimHashes()
const SECRET = new Uint8Array(32).fill(7)
const codec = new CommandCodec()

const member = (node: string, disk: string): Member => ({ node: nodeId(node), disk: disk as DiskId })

class Scene {
  readonly simulation = createSimulation({ seed: 1, hashes, logLinesMax: 10_000 })
  /** Undefined while it is on its way. */
  readonly started = new Map<number, Coordinator | undefined>()
  /** What the configuration of a process that starts plans. */
  planned: number
  snapshotEntries: number | undefined
  #written = 0

  constructor(count: number, machines = count) {
    this.planned = count
    for (let i = 0; i < machines; i++) this.simulation.addNode(this.name(i))
    for (let i = 0; i < count; i++) this.start(i)
  }

  name(index: number) {
    return nodeId(`coordinator-${index + 1}`)
  }

  machine(index: number) {
    return present(this.simulation.nodes.get(this.name(index)), 'a machine')
  }

  start(index: number): void {
    const { planned, snapshotEntries } = this
    this.started.set(index, undefined)
    this.machine(index).start(async (ports: SimPorts) => {
      const config = parseConfig(JSON.stringify({ roles: { coordinator: { count: planned } } }), 'the test')
      const native = { host: '127.0.0.1', port: 7_201 + index, strict: true }
      const identity = { name: this.name(index), role: 'coordinator', clusterId: 'test' as ClusterId, secret: SECRET }
      const coordinator = await startCoordinator({ ...ports, links: undefined }, { ...identity, config, native }, { snapshotEntries })
      this.started.set(index, coordinator)
      coordinator.join(Array.from({ length: 5 }, (_, i) => ({ host: '127.0.0.1', port: 7_201 + i })))
    })
  }

  crash(index: number): void {
    this.machine(index).crash()
    this.started.delete(index)
  }

  /** Its process is killed, its directory deleted, and another process started. */
  replace(index: number): void {
    this.crash(index)
    this.machine(index).disk.wipe()
    this.start(index)
  }

  get running(): ReadonlyMap<number, Coordinator> {
    return new Map([...this.started].flatMap(([index, coordinator]) => (coordinator === undefined ? [] : [[index, coordinator]])))
  }

  agreement(index: number) {
    return present(this.running.get(index), 'a running coordinator').agreement
  }

  driver(index: number) {
    return present(this.agreement(index).driver, 'one that belongs to a cluster')
  }

  get leader(): number {
    return present(
      [...this.running.keys()].find(index => this.agreement(index).driver?.isLeader),
      'a leader',
    )
  }

  follower(): number {
    return present(
      [...this.running.keys()].find(index => index !== this.leader),
      'a follower',
    )
  }

  async run(ms: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  async until(what: string, holds: () => boolean, ms = 20_000): Promise<void> {
    const untilMs = this.simulation.nowMs + ms
    while (!holds()) {
      if (this.simulation.nowMs >= untilMs) throw new Error(`not within ${ms} ms: ${what}`)
      await this.run(20)
    }
  }

  /** One leads, and all that run vote and have applied what it has. */
  whole(voters: number): boolean {
    const all = [...this.started.values()].map(coordinator => coordinator?.agreement.driver)
    const leader = all.find(driver => driver?.isLeader)
    const known = leader?.status
    return (
      known !== undefined &&
      known.configuration.voters.length === voters &&
      all.every(driver => driver?.applied === known.lastIndex && driver.status.configuration.voters.length === voters)
    )
  }

  /** Runs `act` in an event of its own, and until it has settled; answers the code of its refusal. */
  async refusal(act: () => Promise<unknown>): Promise<ErrorCode | 'done'> {
    let outcome: ErrorCode | 'done' | undefined
    this.simulation.at(this.simulation.nowMs, () => {
      act().then(
        () => {
          outcome = 'done'
        },
        (error: unknown) => {
          outcome = (error as ProtocolError).code
        },
      )
    })
    await this.until('an outcome', () => outcome !== undefined)
    return present(outcome, 'an outcome')
  }

  async propose(...commands: readonly Command[]): Promise<void> {
    for (const command of commands) {
      const outcome = await this.refusal(() => this.driver(this.leader).propose(codec.encode(command), 2_000))
      if (outcome !== 'done') throw new Error(outcome)
    }
  }

  async write(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.propose(put(`key ${++this.#written}`))
  }

  /** As a client: over the wire, from one that is not the leader. */
  async ask(from: number, to: number, act: 'join' | 'remove', what: string): Promise<ErrorCode | 'done'> {
    return this.refusal(async () => {
      const { endpoint } = present(this.running.get(from), 'a running coordinator')
      const session = await endpoint.call({ host: '127.0.0.1', port: 7_201 + to }, this.name(to), { timeoutMs: 1_000 })
      if (act === 'join') await session.request(raftJoin, { disk: what }, { timeoutMs: 5_000 })
      else await session.request(raftRemove, { node: nodeId(what) }, { timeoutMs: 5_000 })
    })
  }

  has(index: number, key: string): boolean {
    return this.agreement(index).machine.state.store.get(key) !== undefined
  }

  logged(index: number, event: string): number {
    return this.machine(index).logLines.filter(line => line.includes(`"${event}"`)).length
  }
}

const once = { session: 0, sequence: 0, answeredBelow: 0 } as never as { session: never; sequence: 0; answeredBelow: 0 }
const put = (key: string): Command => ({ kind: 'put', ...once, key, value: new Uint8Array(100), lease: 0 as never, wantPrevious: false })
const register = (node: string, disk: string): Command => ({
  kind: 'node_register',
  ...once,
  node: nodeId(node),
  role: 'coordinator',
  disk,
  replaces: undefined,
  starts: 1,
  cleanEpoch: 0 as never,
  bootId: 'boot',
  incarnation: 0 as never,
  lease: 0 as never,
  endpoints: [],
})

describe('the way to a vote', () => {
  const [a, b, lost, fresh] = [member('a', '1'), member('b', '1'), member('c', '1'), member('c', '2')]
  it.each([
    ['the lost disk goes first', { voters: [a, b, lost], learners: [] }, { kind: 'remove', node: 'c' }],
    ['so does one that only learnt', { voters: [a, b], learners: [lost] }, { kind: 'remove', node: 'c' }],
    ['then the new one learns', { voters: [a, b], learners: [] }, { kind: 'add_learner', member: fresh }],
    ['then it votes', { voters: [a, b], learners: [fresh] }, { kind: 'promote', node: 'c' }],
    ['and that is all', { voters: [a, b, fresh], learners: [] }, undefined],
  ])('[CO8] one step at a time: %s', (_, configuration, step) => {
    expect(stepTowards(configuration, fresh)).toEqual(step)
  })
})

describe('a coordinator that lost its disk', () => {
  it('[CO8] votes again under a new identity, with everything that was acknowledged, and counts', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    await scene.write(20)
    const lost = scene.follower()
    const { disk } = scene.agreement(lost).self
    scene.replace(lost)
    await scene.until('it votes', () => scene.whole(3))
    expect(scene.agreement(lost).self.disk).not.toBe(disk)
    expect(scene.has(lost, 'key 1') && scene.has(lost, 'key 20')).toBe(true)
    // With another one gone it is needed for every commit.
    scene.crash(scene.leader)
    await scene.until('a leader among two', () => [...scene.running.values()].some(({ agreement }) => agreement.driver?.isLeader))
    await scene.write(1)
    expect(scene.has(scene.leader, 'key 21')).toBe(true)
  })

  it('[CO8] is taken in from a snapshot when the log does not go back so far', async () => {
    const scene = new Scene(0, 3)
    scene.planned = 3
    scene.snapshotEntries = 50
    for (const index of [0, 1, 2]) scene.start(index)
    await scene.until('a leader', () => scene.whole(3))
    await scene.write(200)
    const lost = scene.follower()
    scene.replace(lost)
    await scene.until('it votes', () => scene.whole(3))
    expect(scene.logged(lost, 'snapshot_installed')).toBeGreaterThan(0)
    expect(scene.has(lost, 'key 1')).toBe(true)
  })

  it('[CO8] may be the leader, and may be killed at any time on its way', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    await scene.write(5)
    const lost = scene.leader
    scene.replace(lost)
    for (let i = 0; i < 8; i++) {
      await scene.run(170)
      scene.crash(lost)
      scene.start(lost)
    }
    await scene.until('it votes', () => scene.whole(3))
    expect(scene.has(lost, 'key 5')).toBe(true)
  })

  it('[CO8] is taken in though the leader changes midway', async () => {
    const scene = new Scene(5)
    await scene.until('a leader', () => scene.whole(5))
    const lost = scene.follower()
    scene.replace(lost)
    for (let i = 0; i < 4; i++) {
      await scene.run(250)
      const leader = [...scene.running.keys()].find(index => scene.agreement(index).driver?.isLeader)
      if (leader === undefined || leader === lost) continue
      scene.crash(leader)
      await scene.run(400)
      scene.start(leader)
    }
    await scene.until('all vote', () => scene.whole(5))
  })

  it('[CO8] all of them, one after the other: nothing is lost, and those who founded the cluster are still known', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    await scene.write(5)
    for (const index of [0, 1, 2, 0]) {
      scene.replace(index)
      await scene.until('it votes', () => scene.whole(3))
    }
    await scene.write(1)
    expect(scene.has(0, 'key 1') && scene.has(scene.leader, 'key 6')).toBe(true)
  })

  it('[CO9] is not taken in while two of three are lost: there is nobody to decide it', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    for (const index of [0, 1]) scene.crash(index)
    for (const index of [0, 1]) scene.machine(index).disk.wipe()
    for (const index of [0, 1]) scene.start(index)
    await scene.run(10_000)
    expect([...scene.running.values()].some(({ agreement }) => agreement.driver?.isLeader)).toBe(false)
    for (const index of [0, 1]) expect(scene.driver(index).status.configuration.voters).toEqual([])
  })

  it('[CO9] its old disk is retired and never taken in again', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    const lost = scene.follower()
    const { node, disk } = scene.agreement(lost).self
    await scene.propose(register(node, disk))
    scene.replace(lost)
    await scene.until('it votes', () => scene.whole(3))
    expect(scene.logged(scene.leader, 'disk_retired')).toBe(1)
    // The new one goes too, and the old one asks.
    scene.crash(lost)
    await scene.run(2_000)
    const { membership, machine } = { membership: scene.agreement(scene.leader).membership, machine: scene.agreement(scene.leader).machine }
    expect(machine.state.store.get(`$atoll/node/${node}`)).toBeDefined()
    expect(await scene.refusal(() => membership.join({ node, disk }, 1_000))).toBe('identity_refused')
  })
})

describe('two processes of one name', () => {
  it('[CO9] the one whose disk is not a member is refused while the other is heard from', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    const [leader, twin] = [scene.leader, scene.follower()]
    expect(await scene.ask(twin, leader, 'join', 'another disk')).toBe('name_taken')
    expect(await scene.ask(twin, leader, 'join', scene.agreement(twin).self.disk)).toBe('done')
    expect(scene.driver(leader).status.configuration.voters).toHaveLength(3)
  })

  it('[CO9] only the leader decides', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    const [one, other] = [0, 1, 2].filter(index => index !== scene.leader) as [number, number]
    expect(await scene.ask(one, other, 'join', 'another disk')).toBe('not_leader')
    expect(await scene.ask(one, other, 'remove', scene.name(one))).toBe('not_leader')
  })
})

describe('more and fewer coordinators', () => {
  it('[CO8] those that a grown configuration plans join a cluster that they did not found', async () => {
    const scene = new Scene(3, 5)
    await scene.until('a leader', () => scene.whole(3))
    await scene.write(3)
    scene.planned = 5
    scene.start(3)
    scene.start(4)
    await scene.until('five vote', () => scene.whole(5))
    expect(scene.has(3, 'key 1') && scene.has(4, 'key 3')).toBe(true)
  })

  it('[CO10] one that is removed votes no more, and asking again is the same', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    const [leader, gone] = [scene.leader, scene.follower()]
    const { node, disk } = scene.agreement(gone).self
    await scene.propose(register(node, disk))
    const other = present(
      [0, 1, 2].find(index => index !== leader && index !== gone),
      'the third',
    )
    expect(await scene.ask(other, leader, 'remove', node)).toBe('done')
    expect(await scene.ask(other, leader, 'remove', node)).toBe('done')
    expect(scene.driver(leader).status.configuration.voters.map(voter => voter.node)).not.toContain(node)
    scene.crash(gone)
    scene.start(gone)
    await scene.run(5_000)
    expect(scene.driver(scene.leader).status.configuration.voters).toHaveLength(2)
    await scene.write(1)
  })

  it('[CO10] a leader hands over before it goes', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    const [old, witness] = [scene.leader, scene.follower()]
    expect(await scene.ask(witness, old, 'remove', scene.name(old))).toBe('not_leader')
    await scene.until('another leads', () => [...scene.running.keys()].some(index => index !== old && scene.driver(index).isLeader))
    await scene.run(1_000)
    expect(await scene.ask(old, scene.leader, 'remove', scene.name(old))).toBe('done')
    expect(scene.driver(scene.leader).status.configuration.voters).toHaveLength(2)
  })

  it('[CO10] nobody goes whom the quorum needs, nor the last, nor a stranger', async () => {
    const scene = new Scene(3)
    await scene.until('a leader', () => scene.whole(3))
    const [leader, witness] = [scene.leader, scene.follower()]
    const third = present(
      [0, 1, 2].find(index => index !== leader && index !== witness),
      'the third',
    )
    expect(await scene.ask(witness, leader, 'remove', 'coordinator-9')).toBe('unknown_node')
    scene.crash(third)
    await scene.run(1_000)
    expect(await scene.ask(witness, leader, 'remove', scene.name(witness))).toBe('wrong_state')
    expect(await scene.ask(witness, leader, 'remove', scene.name(third))).toBe('done')
    expect(scene.driver(leader).status.configuration.voters).toHaveLength(2)
    const alone = new Scene(1)
    await alone.until('a leader', () => alone.whole(1))
    expect(await alone.ask(0, 0, 'remove', alone.name(0))).toBe('last_voter')
  })
})
