// Rules PD1 to PD8: the log of a replica on its disk, here a simulated one.
import { nodeId } from '@atoll/base'
import { openLogStore } from '@atoll/commit-log'
import { encodeBatch, type LeaderEpoch, type Offset, placeBatch, readBatchHeader } from '@atoll/records'
import { createSimHashes, createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import type { ProducerStates } from '../partition/producers.ts'
import { type FlushMode, type OpenedPartition, openPartitionLog } from './partition-log.ts'
import { decodeSnapshot, encodeSnapshot } from './producer-snapshots.ts'

const hashes = await createSimHashes()
const at = (value: number) => value as Offset
const epoch = (value: number) => value as LeaderEpoch

const batch = (baseSequence: number, { records = 1, id = 9, bytes = 10 } = {}) =>
  encodeBatch(
    Array.from({ length: records }, () => ({ timestampMs: 1_000, key: null, value: new Uint8Array(bytes) })),
    { crc32c: hashes.crc32c, producer: { id, epoch: 0, baseSequence } },
  )

interface Opened extends OpenedPartition {
  /** Counts the calls. */
  readonly told: { durable: number; failed: number }
}

class Bench {
  readonly #simulation = createSimulation({ seed: 1, hashes })
  readonly node = this.#simulation.addNode(nodeId('a'), {})
  flush: FlushMode = 'disk'

  /** Runs `body` with the partition's log opened, as a process that then ends: killed, or with the power gone. */
  async life(body: (opened: Opened, ports: SimPorts) => Promise<void>, end: 'kill' | 'power' = 'kill'): Promise<void> {
    let done = false
    this.node.start(async ports => {
      const { disk, clock, compute } = ports
      const store = await openLogStore({ disk, clock, compute, directory: 'logs', tailBytesMax: 2_000 })
      const told = { durable: 0, failed: 0 }
      const opened = await openPartitionLog({
        store,
        disk,
        clock,
        crc32c: hashes.crc32c,
        name: 'orders-0',
        snapshotDirectory: 'producers/orders-0',
        flush: this.flush,
        segmentBytes: 4_000,
        onDurable: () => told.durable++,
        onFailure: () => told.failed++,
      })
      await body({ ...opened, told }, ports)
      done = true
    })
    const { reason } = await this.#simulation.run({ until: () => done || this.node.state === 'down', eventsMax: 1_000_000 })
    if (reason !== 'until') throw new Error(`the process waits for ever: ${reason}`)
    if (end === 'kill') this.node.crash()
    else this.node.losePower('dropped')
  }

  /** Waits, in the simulation, until `holds`. */
  static async until(ports: SimPorts, holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>(resolve => ports.clock.after(1, resolve))
  }
}

/** Appends as a leader does, one batch per sequence, and notes it. */
function lead({ log, producers }: OpenedPartition, from: number, count: number, leaderEpoch = 1): void {
  for (let sequence = from; sequence < from + count; sequence++) {
    const bytes = batch(sequence)
    const placed = log.append(bytes, epoch(leaderEpoch))
    if (typeof placed === 'string') throw new Error(placed)
    producers.appended(readBatchHeader(bytes), placed.firstOffset, 0)
  }
}

const lastSequence = (producers: ProducerStates) => producers.entries()[0]?.batches.at(-1)?.lastSequence

describe('a partition’s log on a disk', () => {
  it('[PD1] counts as durable what is synced, or with `flush: os` what is written', async () => {
    const bench = new Bench()
    await bench.life(async (opened, ports) => {
      lead(opened, 0, 3)
      expect(opened.log.durableEnd).toBe(0)
      await Bench.until(ports, () => opened.log.durableEnd === 3)
      expect(opened.told.durable).toBeGreaterThan(0)
      opened.log.setFlush('os')
      lead(opened, 3, 1)
      expect(opened.log.durableEnd).toBe(4)
    })
  })

  it('[PD2] takes batches in place as a leader and as they are as a follower', async () => {
    await new Bench().life(async ({ log }) => {
      const first = batch(0, { records: 2 })
      expect(log.append(first, epoch(3))).toEqual({ firstOffset: 0, lastOffset: 1 })
      expect(log.readTail(at(0), at(2), 1_000)?.[0]?.buffer).toBe(first.buffer)
      const next = batch(2)
      expect(log.appendPlaced(next)).toBe('invalid')
      placeBatch(next, 0, at(2), epoch(4))
      expect(log.appendPlaced(next)).toMatchObject([{ baseOffset: 2, leaderEpoch: 4 }])
      expect(log.lastEpoch).toBe(4)
      expect(log.assignEpoch(epoch(6))).toBeUndefined()
      log.forgetEmptyEpochs()
      expect(log.endOfEpoch(epoch(9))).toEqual({ epoch: 4, end: 3 })
    })
  })

  it('[PD3] says what a disk refused, and goes on when there is room', async () => {
    const bench = new Bench()
    await bench.life(async ({ log }) => {
      bench.node.disk.replace({ full: true })
      expect(log.append(batch(0), epoch(1))).toBe('disk_full')
      expect(log.failed).toBe(false)
      bench.node.disk.replace({})
      expect(log.append(batch(0), epoch(1))).toEqual({ firstOffset: 0, lastOffset: 0 })
    })
  })

  it('[PD3] that failed takes nothing more, and says so once', async () => {
    const bench = new Bench()
    await bench.life(async (opened, ports) => {
      lead(opened, 0, 1)
      await Bench.until(ports, () => opened.log.durableEnd === 1)
      bench.node.disk.replace({ syncFails: true })
      lead(opened, 1, 1)
      await Bench.until(ports, () => opened.log.failed)
      expect(opened.told.failed).toBe(1)
      expect(opened.log.append(batch(2), epoch(1))).toBe('failed')
      opened.log.setFlush('os')
      expect(opened.log.durableEnd).toBe(1)
      bench.node.disk.replace({})
    })
  })

  it('[PD4] reads from the disk what is no longer in memory', async () => {
    await new Bench().life(async opened => {
      lead(opened, 0, 60)
      expect(opened.log.readTail(at(0), at(60), 200)).toBeUndefined()
      const [found] = await opened.log.readCold(at(5), at(60), 200)
      expect(found && readBatchHeader(found).baseOffset).toBe(5)
    })
  })

  it('[PD5] finds its producers after a cut, a kill and a power loss', async () => {
    const bench = new Bench()
    await bench.life(async (opened, ports) => {
      lead(opened, 0, 20)
      const producers = await opened.log.cut({ kind: 'truncate', to: at(12) })
      expect(opened.log.logEnd).toBe(12)
      expect(lastSequence(producers)).toBe(11)
      await Bench.until(ports, () => opened.log.durableEnd === 12)
    }, 'power')
    await bench.life(async opened => {
      expect(opened.log.logEnd).toBe(12)
      expect(lastSequence(opened.producers)).toBe(11)
      expect(opened.producers.entries()[0]?.batches).toHaveLength(5)
    })
  })

  it('[PD6] takes a snapshot of them as a shortcut, and only one that belongs to this log', async () => {
    const bench = new Bench()
    await bench.life(async opened => {
      lead(opened, 0, 10)
      await opened.log.close(opened.producers)
    })
    await bench.life(async opened => {
      expect(lastSequence(opened.producers)).toBe(9)
      lead(opened, 10, 2)
      await opened.log.takeSnapshot(opened.producers)
      // What is cut and written anew has another epoch there: the snapshot above the cut says nothing of it.
      await opened.log.cut({ kind: 'truncate', to: at(10) })
      const other = batch(0, { id: 77 })
      opened.log.append(other, epoch(2))
      opened.log.append(batch(1, { id: 77 }), epoch(2))
      const found = await opened.log.findProducers()
      expect(found.entries().map(({ producerId, batches }) => [producerId, batches.at(-1)?.lastSequence])).toEqual([
        [9, 9],
        [77, 1],
      ])
    })
  })

  it('[PD6] starts from the log alone when no snapshot can be read', async () => {
    const bench = new Bench()
    await bench.life(async opened => {
      lead(opened, 0, 10)
      await opened.log.close(opened.producers)
    })
    await bench.life(async (_opened, { disk }) => {
      for (const { name } of await disk.list('producers/orders-0')) {
        const file = disk.open(`producers/orders-0/${name}`, 'update')
        file.write(new Uint8Array([1, 2, 3]), 25)
        await file.sync()
        file.close()
      }
    })
    await bench.life(async opened => {
      expect(lastSequence(opened.producers)).toBe(9)
    })
  })

  it('[PD6] a snapshot reads back as it was written, and nothing else does', () => {
    const producers = [
      { producerId: 2 ** 40, epoch: 3, batches: [{ firstSequence: 0, lastSequence: 4, firstOffset: at(7), lastOffset: at(11) }] },
      { producerId: 1, epoch: 0, batches: [{ firstSequence: 5, lastSequence: 5, firstOffset: at(2 ** 45), lastOffset: at(2 ** 45) }] },
    ]
    const snapshot = { end: at(12), epoch: epoch(4), producers }
    const bytes = encodeSnapshot(snapshot)
    expect(decodeSnapshot(bytes)).toEqual(snapshot)
    for (let length = 0; length < bytes.length; length++) expect(decodeSnapshot(bytes.subarray(0, length))).toBeUndefined()
  })

  it('[PD7] drops whole batches, waits for its turn, and begins anew where it is told', async () => {
    await new Bench().life(async ({ log }) => {
      for (let sequence = 0; sequence < 20; sequence += 2) log.append(batch(sequence, { records: 2 }), epoch(1))
      const work = [log.trim(at(5)), log.cut({ kind: 'truncate', to: at(18) }), log.trim(at(11))]
      await Promise.all(work)
      expect([log.logStart, log.logEnd]).toEqual([10, 18])
      const producers = await log.cut({ kind: 'restart', at: at(40) })
      expect([log.logStart, log.logEnd, log.lastEpoch, producers.size]).toEqual([40, 40, undefined, 0])
    })
  })

  it('[PD8] [RP28] opens a damaged log as far as it is good, and says so until it has everything again', async () => {
    const bench = new Bench()
    await bench.life(async opened => {
      lead(opened, 0, 40)
      await opened.log.close(opened.producers)
    })
    await bench.life(async (_opened, { disk }) => {
      const first = (await disk.list('logs/orders-0')).find(({ name }) => name.endsWith('.log'))
      const file = disk.open(`logs/orders-0/${first?.name}`, 'update')
      file.write(new Uint8Array([0xff]), 500)
      await file.sync()
      file.close()
    })
    await bench.life(async opened => {
      expect(opened.isDamaged).toBe(true)
      expect(opened.log.logEnd).toBe(6)
      expect(lastSequence(opened.producers)).toBe(5)
      await opened.log.settleDebt(at(39))
    })
    await bench.life(async opened => {
      expect(opened.isDamaged).toBe(true)
      lead(opened, 6, 34)
      await opened.log.settleDebt(at(40))
    })
    await bench.life(async opened => {
      expect(opened.isDamaged).toBe(false)
      expect(opened.log.logEnd).toBe(40)
    })
  })
})
