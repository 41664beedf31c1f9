// The controller on real coordinators: brokers that are there by what they say over the wire, and a leader that dies.
import type { Incarnation, NodeId } from '@atoll/base'
import {
  brokerReady,
  kvGet,
  type LeaseId,
  leaseGrant,
  leaseKeepAlive,
  nodeExited,
  nodeRegister,
  type PartitionRecord,
  partitionKey,
  partitionRecord,
  type Revision,
  topicCreate,
  topicKey,
  topicRecord,
} from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { never, SimulatedCoordinators } from '../simulated-coordinators.ts'

const topics = topicRecord()
const partitions = partitionRecord()
const name = (n: number) => `broker-${n}` as NodeId

const NOBODY = { host: '127.0.0.1', port: 9 }
const SOMEBODY = { host: '127.0.0.1', port: 7_201 }
/** Each test looks for its brokers where it wants to find them. */
const ADDRESSES = [NOBODY, SOMEBODY].map(endpoint => ({ protocol: 'native', ...endpoint }))

/** Brokers as far as coordinators see them: registered, with leases. */
class Brokers {
  readonly scene: SimulatedCoordinators
  readonly leases = new Map<number, LeaseId>()
  readonly epochs = new Map<NodeId, Revision>()

  constructor(scene: SimulatedCoordinators) {
    this.scene = scene
  }

  async start(n: number, starts = 1, ttlMs = 2_000): Promise<void> {
    const { scene } = this
    const { lease } = await scene.ask(scene.leader(), leaseGrant, { ...never, ttlMs })
    this.leases.set(n, lease)
    const about = { node: name(n), role: 'broker', disk: `disk-${n}`, replaces: undefined, starts, cleanEpoch: 0 as Revision }
    const process = { bootId: 'boot', incarnation: starts as Incarnation, lease, endpoints: ADDRESSES }
    const { epoch } = await scene.ask(scene.leader(), nodeRegister, { ...never, ...about, ...process })
    this.epochs.set(name(n), epoch)
    await scene.ask(scene.leader(), brokerReady, { ...never, node: name(n), epoch, rack: '' })
  }

  async keepAlive(...numbers: number[]): Promise<void> {
    const leases = numbers.flatMap(n => this.leases.get(n) ?? [])
    await this.scene.ask(this.scene.leader(), leaseKeepAlive, { leases })
  }

  async partition(topic: string, partition = 0): Promise<PartitionRecord> {
    const record = await this.#value(topicKey(topic))
    const value = record && (await this.#value(partitionKey(topics.read(record).id, partition)))
    if (value === undefined) throw new Error(`there is no ${topic}-${partition}`)
    return partitions.read(value)
  }

  async exists(topic: string): Promise<boolean> {
    return (await this.#value(topicKey(topic))) !== undefined
  }

  async #value(key: string): Promise<Uint8Array | undefined> {
    const { entry } = await this.scene.ask(this.scene.leader(), kvGet, { key, revision: 0 as Revision, consistency: 'linearizable' })
    return entry?.value
  }
}

async function cluster(): Promise<Brokers> {
  const brokers = new Brokers(await SimulatedCoordinators.ready())
  for (const n of [1, 2, 3]) await brokers.start(n, 1, 4_000)
  await create(brokers, 't')
  return brokers
}

const controllerOf = (scene: SimulatedCoordinators) => scene.running.get(scene.leader())?.agreement.serving.controller

const create = (brokers: Brokers, topic: string, configs: { name: string; value: string }[] = []) =>
  brokers.scene.ask(brokers.scene.leader(), topicCreate, {
    ...never,
    name: topic,
    id: new Uint8Array(16).fill(7),
    partitions: 3,
    replicationFactor: 3,
    assignment: [],
    configs,
    internal: false,
    validateOnly: false,
  })

describe('the controller of real coordinators', () => {
  it('[CT9] elects another leader once the lease of the old one has ended', async () => {
    const brokers = await cluster()
    const [{ leader }, { scene }] = [await brokers.partition('t'), brokers]
    const others = [1, 2, 3].filter(n => name(n) !== leader)
    for (let n = 0; n < 6; n++) {
      await brokers.keepAlive(...others)
      await scene.run(1_000)
    }
    const now = await brokers.partition('t')
    expect([others.map(name).includes(now.leader as NodeId), now.leaderEpoch, now.isr.length]).toEqual([true, 1, 2])
  })

  it('[CT9] goes on at the next leader of the coordinators', async () => {
    const brokers = await cluster()
    const { scene } = brokers
    const { leader } = await brokers.partition('t')
    const others = [1, 2, 3].filter(n => name(n) !== leader)
    scene.crash(scene.leader())
    await scene.run(3_000)
    for (let n = 0; n < 8; n++) {
      await brokers.keepAlive(...others)
      await scene.run(1_000)
    }
    expect(others.map(name)).toContain((await brokers.partition('t')).leader)
  })

  it('[CT9] fences a broker of which it is told that its process is gone', async () => {
    const brokers = await cluster()
    const { scene } = brokers
    const { leader } = await brokers.partition('t')
    const notice = { node: leader as NodeId, epoch: brokers.epochs.get(leader as NodeId) as Revision }
    await scene.ask(scene.leader(), nodeExited, notice)
    await expect(scene.ask(scene.follower(), nodeExited, notice)).rejects.toMatchObject({ code: 'not_leader' })
    await scene.run(100)
    expect((await brokers.partition('t')).leaderEpoch).toBe(1)
  })

  it('[CT9] fences a broker at whose address nobody listens, once another says so too, and no broker that answers', async () => {
    const brokers = await cluster()
    const { scene } = brokers
    const { leader } = await brokers.partition('t')
    const suspect = (endpoint: typeof NOBODY) =>
      scene.doing(async () => controllerOf(scene)?.suspect({ node: leader as NodeId, by: name(9), endpoint }))
    await suspect(SOMEBODY)
    await scene.run(100)
    expect((await brokers.partition('t')).leaderEpoch).toBe(0)
    await suspect(NOBODY)
    await scene.run(100)
    expect((await brokers.partition('t')).leaderEpoch).toBe(1)
  })

  it('[CT5] has the topic of offsets before anybody asks', async () => {
    const brokers = await cluster()
    await brokers.scene.run(1_000)
    expect(await brokers.exists('__consumer_offsets')).toBe(true)
    expect(await brokers.exists('nothing')).toBe(false)
  })

  it('[TO8] refuses settings that there are not before it proposes anything', async () => {
    const brokers = await cluster()
    await expect(create(brokers, 'u', [{ name: 'no.such.thing', value: '1' }])).rejects.toMatchObject({ code: 'invalid_config' })
    expect(await brokers.exists('u')).toBe(false)
  })
})
