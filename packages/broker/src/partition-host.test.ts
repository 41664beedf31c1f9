// Rules PH1 to PH7: three brokers' partitions in one simulated process, with their disks' files side by side.
import { type Logger, type NodeId, nodeId, silentLogger } from '@atoll/base'
import { type LogStore, openLogStore } from '@atoll/commit-log'
import { type PartitionRecord, ProtocolError, type Revision } from '@atoll/protocol'
import { encodeBatch, type Offset, readBatchHeader } from '@atoll/records'
import { createSimHashes, createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { partitionKeyOf } from './adapters/fetch-wire.ts'
import { defaultSettings } from './partition/settings.ts'
import { PartitionHost } from './partition-host.ts'

const hashes = await createSimHashes()
const KEY = partitionKeyOf('00ff', 0)
const names = [1, 2, 3].map(place => nodeId(`broker-${place}`))
const log: Logger = silentLogger

const batch = (baseSequence: number, bytes = 10) =>
  encodeBatch([{ timestampMs: 1_000, key: null, value: new Uint8Array(bytes) }], {
    crc32c: hashes.crc32c,
    producer: { id: 9, epoch: 0, baseSequence },
  })

class Scene {
  readonly hosts = new Map<NodeId, PartitionHost>()
  readonly damaged: boolean[] = []
  /** Links from these and to these lose everything. */
  readonly cut = new Set<NodeId>()
  proposals = 0
  record: PartitionRecord = {
    topic: 'orders',
    partition: 0,
    replicas: names,
    isr: names.map(node => ({ node, epoch: 1 as Revision })),
    eligible: [],
    leader: names[0],
    leaderEpoch: 1 as PartitionRecord['leaderEpoch'],
    partitionEpoch: 1,
    adding: [],
    removing: [],
    minIsr: 2,
    flush: 'disk',
    uncleanEpoch: undefined,
  }
  readonly #ports: SimPorts
  readonly #stores = new Map<NodeId, LogStore>()

  constructor(ports: SimPorts) {
    this.#ports = ports
  }

  host(place: number): PartitionHost {
    return this.hosts.get(names[place - 1] as NodeId) as PartitionHost
  }

  async start(node: NodeId): Promise<void> {
    const { disk, clock, compute } = this.#ports
    const store = await openLogStore({ disk, clock, compute, directory: `${node}/logs` })
    this.#stores.set(node, store)
    const host = new PartitionHost({
      self: node,
      disk,
      clock,
      compute,
      log,
      store,
      snapshotDirectory: `${node}/producers`,
      registrations: { brokerEpoch: () => 1, mayJoin: () => true },
      links: {
        fetch: async (leader, request) => {
          await this.pass(1)
          const isCut = () => this.cut.has(node) || this.cut.has(leader)
          const peer = this.hosts.get(leader)
          if (peer === undefined || isCut()) throw new ProtocolError('connection_lost')
          const answer = await peer.replicaFetch(node, request)
          if (isCut()) throw new ProtocolError('connection_lost')
          return answer
        },
        report: (leader, ends) => {
          if (!this.cut.has(node) && !this.cut.has(leader)) this.hosts.get(leader)?.durableEnds(node, ends)
        },
      },
      controller: {
        propose: async (_key, { leaderEpoch, partitionEpoch, isr }) => {
          this.proposals++
          await this.pass(1)
          const isStale = partitionEpoch !== this.record.partitionEpoch
          if (!isStale) this.commit({ isr: isr.map(member => ({ node: member.node, epoch: member.brokerEpoch as Revision })) })
          return { leaderEpoch, refusal: isStale ? 'stale' : undefined, assignment: undefined }
        },
        resign: () => undefined,
      },
      settings: { ...defaultSettings, replicaLagMsMax: 2_000, diskStuckMs: 1_000 },
      fetcher: { fetchBytesMax: 100_000, fetchWaitMs: 200, fetchBackoffMs: 20 },
    })
    this.damaged.push(await host.open(KEY, this.record))
    this.hosts.set(node, host)
    host.assign(KEY, this.record, 1)
  }

  async stop(place: number): Promise<void> {
    const node = names[place - 1] as NodeId
    await this.host(place).closeAll()
    this.hosts.delete(node)
    await this.#stores.get(node)?.close()
  }

  /** Spoils a byte in the middle of its log. */
  async damage(place: number): Promise<void> {
    const directory = `${names[place - 1]}/logs/00ff-0`
    const { disk } = this.#ports
    const found = (await disk.list(directory)).find(({ name }) => name.endsWith('.log'))
    const file = disk.open(`${directory}/${found?.name}`, 'update')
    file.write(new Uint8Array([0xff]), 700)
    await file.sync()
    file.close()
  }

  commit(change: Partial<PartitionRecord>): void {
    this.record = { ...this.record, ...change, partitionEpoch: this.record.partitionEpoch + 1 }
    for (const host of this.hosts.values()) host.assign(KEY, this.record, 1)
  }

  lead(place: number): void {
    this.commit({ leader: names[place - 1], leaderEpoch: (this.record.leaderEpoch + 1) as PartitionRecord['leaderEpoch'] })
  }

  produce(place: number, sequence: number, acks: 'none' | 'leader' | 'all' = 'all', timeoutMs = 3_000) {
    const bytes = batch(sequence)
    return this.host(place).produce(KEY, bytes, readBatchHeader(bytes), acks, timeoutMs)
  }

  pass(ms: number): Promise<void> {
    return new Promise(resolve => this.#ports.clock.after(ms, resolve))
  }

  async until(holds: () => boolean): Promise<void> {
    for (let ms = 0; !holds(); ms++) {
      if (ms > 10_000) throw new Error('it does not come to that')
      await this.pass(1)
    }
  }
}

/** Runs `body` with the three started. */
async function withHosts(body: (scene: Scene, now: () => number) => Promise<void>): Promise<void> {
  const simulation = createSimulation({ seed: 1, hashes })
  const machine = simulation.addNode(nodeId('a'), {})
  let done = false
  machine.start(async ports => {
    const scene = new Scene(ports)
    for (const name of names) await scene.start(name)
    await body(scene, () => ports.clock.monotonicMs())
    done = true
  })
  const { reason } = await simulation.run({ until: () => done || machine.state === 'down', eventsMax: 2_000_000 })
  if (reason !== 'until') throw new Error(`it waits for ever: ${reason}`)
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof ProtocolError ? error.code : String(error)),
  )

describe('hosted partitions', () => {
  it('[PH1] copy what their leader appends, and acknowledge what is on every disk', async () => {
    await withHosts(async scene => {
      const answers = await Promise.all([0, 1, 2, 3].map(sequence => scene.produce(1, sequence)))
      expect(answers.map(answer => answer?.firstOffset)).toEqual([0, 1, 2, 3])
      for (const place of [1, 2, 3]) expect(scene.host(place).log(KEY)?.durableEnd).toBe(4)
      await scene.until(() => scene.host(3).replica(KEY)?.highWatermark === 4)
      expect(
        scene
          .host(1)
          .replica(KEY)
          ?.readForConsumer(undefined, 0 as Offset, 10_000),
      ).toMatchObject({ batches: { length: 4 } })
      expect(await scene.produce(1, 4, 'none')).toBeUndefined()
      expect(await scene.produce(1, 5, 'leader')).toMatchObject({ firstOffset: 5 })
      expect(scene.proposals).toBe(0)
    })
  })

  it('[PH2] follow another leader, which answers a retry with the original offset', async () => {
    await withHosts(async scene => {
      await scene.produce(1, 0)
      scene.cut.add(names[0] as NodeId)
      const pending = codeOf(scene.produce(1, 1))
      await scene.pass(50)
      scene.lead(2)
      expect(await pending).toBe('partition_leadership_lost')
      expect(await codeOf(scene.produce(1, 2))).toBe('not_partition_leader')
      scene.commit({ isr: scene.record.isr.slice(1) })
      expect(await scene.produce(2, 0)).toMatchObject({ firstOffset: 0, duplicate: true })
      expect(await scene.produce(2, 1)).toMatchObject({ firstOffset: 1, duplicate: false })
      scene.cut.clear()
      await scene.until(() => scene.record.isr.length === 3)
      const ends = [1, 2, 3].map(place =>
        scene
          .host(place)
          .log(KEY)
          ?.endOfEpoch(2 as never),
      )
      expect(ends).toEqual([ends[1], ends[1], ends[1]])
    })
  })

  it('[PH3] tell the controller who fell behind, and go on without', async () => {
    await withHosts(async scene => {
      await scene.produce(1, 0)
      scene.cut.add(names[2] as NodeId)
      expect(await scene.produce(1, 1)).toMatchObject({ firstOffset: 1 })
      expect(scene.record.isr.map(({ node }) => node)).toEqual(names.slice(0, 2))
    })
  })

  it('[PH4] refuse what cannot be kept, with the error that says so', async () => {
    await withHosts(async scene => {
      expect(await codeOf(scene.produce(2, 0))).toBe('not_partition_leader')
      expect(await codeOf(scene.produce(1, 0))).toBe('done')
      expect(await codeOf(scene.produce(1, 5))).toBe('out_of_order_sequence')
      for (const name of names.slice(1)) scene.cut.add(name)
      expect(await codeOf(scene.produce(1, 1, 'all', 100))).toBe('request_timed_out')
      scene.commit({ isr: scene.record.isr.slice(0, 1) })
      expect(await codeOf(scene.produce(1, 2))).toBe('not_enough_replicas')
    })
  })

  it('[PH4] delete on every replica what is not wanted, and nothing that is not committed', async () => {
    await withHosts(async scene => {
      for (let sequence = 0; sequence < 4; sequence++) await scene.produce(1, sequence)
      expect(await scene.host(1).deleteRecords(KEY, 3 as Offset, 2_000)).toBe(3)
      await scene.until(() => [1, 2, 3].every(place => scene.host(place).log(KEY)?.logStart === 3))
      expect(await codeOf(scene.host(1).deleteRecords(KEY, 9 as Offset, 2_000))).toBe('offset_out_of_range')
      expect(await codeOf(scene.host(2).deleteRecords(KEY, 4 as Offset, 2_000))).toBe('not_partition_leader')
      scene.host(1).retain(KEY, 9 as Offset)
      await scene.until(() => scene.host(3).log(KEY)?.logStart === 4)
    })
  })

  it('[PH8] with damage are filled again from the others, and then owe nothing', async () => {
    await withHosts(async scene => {
      for (let sequence = 0; sequence < 30; sequence++) await scene.produce(1, sequence)
      await scene.stop(3)
      scene.commit({ isr: scene.record.isr.slice(0, 2) })
      await scene.damage(3)
      await scene.start(names[2] as NodeId)
      expect(scene.damaged.at(-1)).toBe(true)
      expect(scene.host(3).log(KEY)?.owes).toBe(true)
      await scene.until(() => scene.record.isr.length === 3)
      await scene.until(() => scene.host(3).log(KEY)?.owes === false)
      expect(scene.host(3).log(KEY)?.logEnd).toBe(30)
    })
  })

  it('[PH5] let consumers wait for more, for another leader, or for so long', async () => {
    await withHosts(async (scene, now) => {
      const began = now()
      await scene.host(1).more([KEY], 1, 300)
      expect(now() - began).toBeGreaterThanOrEqual(300)
      const waiting = scene.host(1).more([KEY], 1, 30_000)
      await scene.produce(1, 0)
      await waiting
      const disturbed = scene.host(1).more([KEY], 1_000_000, 30_000)
      scene.lead(2)
      await disturbed
      expect(now() - began).toBeLessThan(5_000)
    })
  })

  it('[PH6] are there again after everything was let go of, with their producers', async () => {
    await withHosts(async scene => {
      for (let sequence = 0; sequence < 8; sequence++) await scene.produce(1, sequence)
      const waiting = scene.host(1).more([KEY], 1_000_000, 30_000)
      scene.cut.add(names[1] as NodeId)
      const pending = codeOf(scene.produce(1, 8))
      await scene.pass(20)
      for (const host of scene.hosts.values()) await host.closeAll()
      expect(await pending).toBe('partition_leadership_lost')
      await waiting
      expect(await codeOf(scene.produce(1, 9))).toBe('shutting_down')
      scene.hosts.clear()
      scene.cut.clear()
      scene.record = { ...scene.record, leaderEpoch: 9 as PartitionRecord['leaderEpoch'], partitionEpoch: 50 }
      for (const name of names) await scene.start(name)
      expect(await scene.produce(1, 7)).toMatchObject({ firstOffset: 7, duplicate: true })
      expect(scene.damaged).not.toContain(true)
    })
  })

  it('[PH7] do not lead on a right that an earlier life of the broker was given', async () => {
    await withHosts(async scene => {
      scene.host(1).assign(KEY, { ...scene.record, leaderEpoch: 2 as PartitionRecord['leaderEpoch'], partitionEpoch: 2 }, 77)
      expect(scene.host(1).replica(KEY)?.isLeader).toBe(false)
      expect(await codeOf(scene.produce(1, 0))).toBe('not_partition_leader')
    })
  })

  it('[PH7] lead no more once their broker is registered anew, until they are told to', async () => {
    await withHosts(async scene => {
      await scene.produce(1, 0)
      const old = scene.host(1)
      // It hears nothing; meanwhile another leads and takes what comes next.
      scene.hosts.delete(names[0] as NodeId)
      scene.commit({ leader: names[1], leaderEpoch: 2 as PartitionRecord['leaderEpoch'], isr: scene.record.isr.slice(1) })
      await scene.produce(2, 1)
      scene.hosts.set(names[0] as NodeId, old)
      old.registered()
      // A producer that is where the other left it is not told that a batch is missing: this one cannot know.
      expect(await codeOf(scene.produce(1, 2))).toBe('not_partition_leader')
      old.assign(KEY, scene.record, 77)
      await scene.until(() => old.log(KEY)?.durableEnd === 2)
      expect(await scene.produce(2, 2)).toMatchObject({ firstOffset: 2 })
    })
  })
})
