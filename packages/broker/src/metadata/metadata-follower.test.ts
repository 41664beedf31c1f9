// What is taken of the coordinators' keys, when they are read, watched, lost sight of, and not to be believed.
import { silentLogger } from '@atoll/base'
import { AtollError, type Client } from '@atoll/client/core'
import { topicKey, topicRecord } from '@atoll/protocol'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FakeClock } from '../kafka/fakes.ts'
import { ClusterMetadata } from './cluster-metadata.ts'
import { MetadataFollower } from './metadata-follower.ts'

const codec = topicRecord()
const topic = (name: string, id = name): { key: string; bytes: Uint8Array } => ({
  key: topicKey(name),
  bytes: codec.write({ name, id, partitions: 1, replicationFactor: 1, internal: false, configs: [] }),
})
type Row = ReturnType<typeof topic>

/** Coordinators of which the test says what they hold, and what their watch tells. */
class FakeCoordinators {
  rows: readonly Row[]
  revision: number
  reads = 0
  readonly clock = new FakeClock()
  readonly metadata = new ClusterMetadata()
  #tell: (event: object | Error) => void = () => {}

  constructor(rows: readonly Row[], revision = 1) {
    this.rows = rows
    this.revision = revision
    const client = { kv: { range: async () => this.#range(), watch: () => this.#watch() } } as unknown as Client
    const follower = new MetadataFollower({ clock: this.clock, log: silentLogger, client, metadata: this.metadata })
    void follower.run()
    onTestFinished(() => follower.stop())
  }

  get names(): string[] {
    return Array.from(this.metadata.topics, ({ name }) => name)
  }

  put(row: Row): void {
    this.#tell({ kind: 'put', key: row.key, revision: ++this.revision, entry: { bytes: row.bytes } })
  }

  remove(row: Row): void {
    this.#tell({ kind: 'delete', key: row.key, revision: ++this.revision })
  }

  /** The watch breaks, and is begun anew after a while. */
  async lose(): Promise<void> {
    const { reads } = this
    this.#tell(new AtollError('compacted', 'too late', { operation: 'kv_watch' }))
    await vi.waitUntil(() => this.clock.timerCount === 1)
    this.clock.advance(1_000)
    await vi.waitUntil(() => this.reads > reads)
  }

  #range() {
    this.reads++
    return { entries: this.rows, revision: this.revision }
  }

  async *#watch() {
    for (;;) {
      const told = await new Promise<object | Error>(resolve => {
        this.#tell = resolve
      })
      if (told instanceof Error) throw told
      yield told
    }
  }
}

describe('a broker that follows the coordinators', () => {
  it('[BK11] takes what is there, then every change, and after it lost sight of them the difference', async () => {
    const coordinators = new FakeCoordinators([topic('a'), topic('b')])
    await expect.poll(() => coordinators.names).toEqual(['a', 'b'])
    coordinators.put(topic('c'))
    await expect.poll(() => coordinators.names).toEqual(['a', 'b', 'c'])
    coordinators.remove(topic('a'))
    await expect.poll(() => coordinators.names).toEqual(['b', 'c'])
    coordinators.rows = [topic('c', 'another'), topic('d')]
    const deleted: string[] = []
    coordinators.metadata.listen({ topicDeleted: ({ id }) => deleted.push(id) })
    await coordinators.lose()
    await expect.poll(() => coordinators.names.toSorted()).toEqual(['c', 'd'])
    expect(deleted.toSorted()).toEqual(['b', 'c'])
    expect([coordinators.metadata.topicById('c'), coordinators.metadata.topicById('another')?.name]).toEqual([undefined, 'c'])
  })

  it('[BK14] does not believe coordinators that know less than they did', async () => {
    const coordinators = new FakeCoordinators([topic('a')], 50)
    await expect.poll(() => coordinators.names).toEqual(['a'])
    coordinators.rows = []
    coordinators.revision = 3
    await coordinators.lose()
    await expect.poll(() => coordinators.clock.timerCount).toBe(1)
    expect(coordinators.names).toEqual(['a'])
    coordinators.revision = 51
    coordinators.clock.advance(1_000)
    await expect.poll(() => coordinators.names).toEqual([])
  })
})
