// The rules of packages/commit-log/SPEC.md on a disk that works: appending, reading, cutting, dropping, bounds.

import type { Disk } from '@atoll/base'
import { type CommitLog, type LogStore, SnapshotFiles } from '@atoll/commit-log'
import { decodeRecords, encodeBatch, placeBatch, splitBatches } from '@atoll/records'
import type { SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { at, batch, contents, crc32c, epoch, LogBench, openStore } from './bench.ts'

/** Runs `body` with a log in a process of its own. */
async function withLog(
  body: (log: CommitLog, store: LogStore, ports: SimPorts, bench: LogBench) => Promise<void>,
  options: object = { segmentBytes: 300 },
  storeOptions: object = {},
): Promise<void> {
  const bench = new LogBench(7)
  await bench.life(async ports => {
    const store = await openStore(ports, undefined, storeOptions)
    await body(await store.openLog('orders-0', options), store, ports, bench)
  })
}

const values = async (log: CommitLog): Promise<string> => (await contents(log)).map(({ value }) => value).join(' ')
const fill = (log: CommitLog, count: number, term = 1): void => {
  for (let index = 0; index < count; index++) log.append(batch(`v${log.logEnd}`), epoch(term))
}
/** The code of what `act` throws or rejects with. */
async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act()
    return 'none'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
/** What an error is called, as a list. */
const codes = (error: unknown): string[] => [(error as { code: string }).code]
/** Counts the files that are open. */
function countingDisk(disk: Disk, count: { open: number; most: number }): Disk {
  return {
    open(path, mode) {
      const file = disk.open(path, mode)
      count.most = Math.max(count.most, ++count.open)
      let closed = false
      return {
        path,
        size: () => file.size(),
        write: (bytes, position) => file.write(bytes, position),
        read: (position, length) => file.read(position, length),
        readNow: (position, length) => file.readNow(position, length),
        truncate: sizeBytes => file.truncate(sizeBytes),
        sync: () => file.sync(),
        close() {
          if (!closed) count.open--
          closed = true
          file.close()
        },
      }
    },
    rename: (from, to) => disk.rename(from, to),
    remove: path => disk.remove(path),
    makeDirectory: path => disk.makeDirectory(path),
    removeDirectory: path => disk.removeDirectory(path),
    list: path => disk.list(path),
    syncDirectory: path => disk.syncDirectory(path),
    freeBytes: () => disk.freeBytes(),
  }
}

const offsetsOf = (found: readonly Uint8Array[]): number[] =>
  found.flatMap(bytes =>
    splitBatches(bytes).flatMap(({ start }) => decodeRecords(bytes.subarray(start)).map(record => record.offset as number)),
  )

describe('appending', () => {
  it('[CL3] gives a batch the next offsets and its epoch', () =>
    withLog(async log => {
      expect(log.append(batch('a', 'b'), epoch(4))).toEqual({ firstOffset: 0, lastOffset: 1 })
      expect(log.append(batch('c'), epoch(4))).toEqual({ firstOffset: 2, lastOffset: 2 })
      expect(await contents(log)).toEqual([
        { offset: 0, value: 'a', epoch: 4 },
        { offset: 1, value: 'b', epoch: 4 },
        { offset: 2, value: 'c', epoch: 4 },
      ])
    }))

  it('[CL3] takes placed batches all or none, where the log ends and in no earlier epoch', () =>
    withLog(async log => {
      const placed = (first: number, term: number, ...texts: readonly string[]): Uint8Array => {
        const bytes = batch(...texts)
        placeBatch(bytes, 0, at(first), epoch(term))
        return bytes
      }
      log.appendPlaced(Buffer.concat([placed(0, 2, 'a', 'b'), placed(2, 3, 'c')]))
      expect(log.epochs.starts).toEqual([
        { epoch: 2, start: 0 },
        { epoch: 3, start: 2 },
      ])
      const damaged = placed(3, 3, 'd')
      damaged[30]! ^= 1
      const refused = [
        placed(4, 3, 'gap'),
        placed(2, 3, 'again'),
        placed(3, 2, 'older epoch'),
        damaged,
        placed(3, 3, 'cut').subarray(0, 70),
      ]
      for (const bytes of refused) expect(await codeOf(() => log.appendPlaced(bytes))).toBe('invalid_batch')
      expect(await codeOf(() => log.appendPlaced(Buffer.concat([placed(3, 3, 'good'), placed(9, 3, 'bad')])))).toBe('invalid_batch')
      expect(await codeOf(() => log.appendPlaced(new Uint8Array(0)))).toBe('invalid_batch')
      expect(await values(log)).toBe('a b c')
    }))

  it('[CL3] refuses an epoch below the last one', () =>
    withLog(async log => {
      log.append(batch('a'), epoch(4))
      expect(await codeOf(() => log.append(batch('b'), epoch(3)))).toBe('invalid_batch')
      expect(await codeOf(() => log.assignEpoch(epoch(3)))).toBe('invalid_batch')
      expect(log.logEnd).toBe(1)
    }))
})

describe('reading', () => {
  it('[CL4] answers whole batches from the one that holds the offset, at least one, below the end', () =>
    withLog(
      async log => {
        for (const texts of [['a', 'b'], ['c'], ['d', 'e', 'f']]) log.append(batch(...texts), epoch(1))
        for (const hot of [true, false]) {
          if (!hot) for (let index = 0; index < 3; index++) log.append(batch('x'.repeat(900)), epoch(1))
          expect(offsetsOf(await log.read(at(1), { bytesMax: 10_000, end: at(6) }))).toEqual([0, 1, 2, 3, 4, 5])
          expect(offsetsOf(await log.read(at(4), { bytesMax: 1 }))).toEqual([3, 4, 5])
          expect(offsetsOf(await log.read(at(0), { bytesMax: 10_000, end: at(5) }))).toEqual([0, 1, 2])
          expect(offsetsOf(await log.read(at(0), { bytesMax: 100 }))).toEqual([0, 1])
          expect(await log.read(log.logEnd, { bytesMax: 1 })).toEqual([])
        }
        expect(log.readTail(at(0), { bytesMax: 1 })).toBeUndefined()
        for (const offset of [at(log.logEnd + 1)]) expect(await codeOf(() => log.read(offset, { bytesMax: 1 }))).toBe('out_of_range')
      },
      { segmentBytes: 100_000 },
      { tailBytesMax: 1_000 },
    ))

  it('[CL4] goes from segment to segment, also while the log is cut and dropped', () =>
    withLog(async (log, store) => {
      fill(log, 20)
      expect(log.sizeBytes).toBeGreaterThan(900)
      await log.durable(log.logEnd)
      await log.close()
      const again = await store.openLog('orders-0', { segmentBytes: 300 })
      const reads = [0, 5, 10, 15].map(from => again.read(at(from), { bytesMax: 1 }).then(offsetsOf, codes))
      await again.truncate(at(12))
      await again.deleteBefore(at(6))
      const [last, ...others] = (await Promise.all(reads)).reverse()
      expect(others.reverse()).toEqual([[0], [5], [10]])
      // It was read before the cut, or not at all.
      expect([[15], ['out_of_range']]).toContainEqual(last)
      expect(await codeOf(() => again.read(at(5), { bytesMax: 1 }))).toBe('out_of_range')
      expect(await values(again)).toBe('v6 v7 v8 v9 v10 v11')
    }))

  it('[CL6] finds a batch that was damaged, moved or written in another epoch, and says so', async () => {
    // A bit of the second batch of 70 bytes: of its base offset, length, leader epoch, checksum, value.
    for (const place of [7, 11, 15, 19, 69]) {
      await withLog(async (log, store, _ports, bench) => {
        fill(log, 12)
        await log.close()
        bench.disk.flipBit('logs/orders-0/00000000000000000000.log', 70 + place)
        const again = await store.openLog('orders-0')
        expect(await values(again).catch(codes), `byte ${place}`).toEqual(['corrupt'])
        expect(offsetsOf(await again.read(at(8), { bytesMax: 1 }))).toEqual([8])
      })
    }
  })

  it('[CL7] does without an index that is missing or damaged', async () => {
    for (const harm of ['missing', 'damaged', 'shifted'] as const) {
      const bench = new LogBench(3)
      await bench.run(async ports => {
        const store = await openStore(ports)
        const log = await store.openLog('orders-0', { segmentBytes: 30_000 })
        for (let index = 0; index < 40; index++) log.append(batch(`${index} `.padEnd(2_000, '.')), epoch(1))
        await store.close()
        const path = 'logs/orders-0/00000000000000000000.index'
        if (harm === 'missing') await ports.disk.remove(path)
        else {
          const file = ports.disk.open(path, 'update')
          // An entry that points into the middle of a batch, in order with the others.
          if (harm === 'shifted') file.write(Uint8Array.of(0, 0, 0, 2, 0, 0, 0x10, 0x20), 0)
          else file.write(new Uint8Array(file.size()).fill(0x5a), 0)
        }
        const again = await (await openStore(ports)).openLog('orders-0')
        expect(offsetsOf(await again.read(at(9), { bytesMax: 1 }))).toEqual([9])
        expect((await contents(again)).length).toBe(40)
      })
      bench.end('kill')
    }
  })

  it('[CL8] keeps few files open, and those with unsynced bytes as long as they have some', () =>
    withLog(
      async (_log, store, ports, bench) => {
        const count = { open: 0, most: 0 }
        const counted = { ...ports, disk: countingDisk(ports.disk, count) }
        await store.close()
        const bounded = await openStore(counted, undefined, { openFilesMax: 5 })
        const logs = []
        for (let index = 0; index < 20; index++) {
          const log = await bounded.openLog(`log-${index}`, { segmentBytes: 300 })
          fill(log, 6)
          await log.flush()
          logs.push(log)
        }
        for (const log of logs) expect((await contents(log)).length).toBe(6)
        // Five, the two of the durable ends, and what one log has unsynced at once.
        expect(count.most).toBeLessThanOrEqual(14)
        expect(count.open).toBeLessThanOrEqual(7)
        expect(bench.disk.fired.syncsFailed).toBe(0)
      },
      {},
      {},
    ))

  it('[CL9] finds the first batch of a time', () =>
    withLog(
      async log => {
        const timed = (timestampMs: number) => encodeBatch([{ timestampMs, value: new Uint8Array(1_500) }], { crc32c })
        for (let index = 0; index < 30; index++) log.append(timed(index === 12 ? 50_000 : index * 1_000), epoch(1))
        const found = async (timestampMs: number, end?: number) => {
          const bytes = await log.findTime(timestampMs, end === undefined ? undefined : at(end))
          return bytes && offsetsOf([bytes])[0]
        }
        expect(await Promise.all([0, 1, 5_000, 11_500, 29_000, 50_000].map(time => found(time)))).toEqual([0, 1, 5, 12, 12, 12])
        expect([await found(50_001), await found(11_500, 12)]).toEqual([undefined, undefined])
      },
      { segmentBytes: 10_000 },
    ))
})

describe('cutting and dropping', () => {
  it('[CL30] cuts whole batches, and what is cut stays cut', async () => {
    const bench = new LogBench(5)
    await bench.life(async ports => {
      const store = await openStore(ports)
      const log = await store.openLog('orders-0', { segmentBytes: 300 })
      for (const [term, texts] of [
        [1, ['a']],
        [2, ['b', 'c', 'd']],
        [2, ['e']],
        [3, ['f']],
        [3, ['g']],
        [3, ['h']],
      ] as const)
        log.append(batch(...texts), epoch(term))
      await log.durable(log.logEnd)
      expect(await log.truncate(at(99))).toBe(8)
      expect(await log.truncate(at(5))).toBe(5)
      expect(log.epochs.last).toEqual({ epoch: 2, start: 1 })
      // Inside of a batch: it goes as a whole.
      expect(await log.truncate(at(3))).toBe(1)
      expect([log.logEnd, log.durableEnd, log.epochs.last?.epoch]).toEqual([1, 1, 1])
    }, 'drawn')
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0')
      expect(await values(log)).toBe('a')
      log.append(batch('i'), epoch(4))
      await log.durable(at(2))
      expect(await values(log)).toBe('a i')
    })
  })

  it('[CL31] drops whole segments below the new start, and only what is durable', async () => {
    const bench = new LogBench(5)
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0', { segmentBytes: 300 })
      fill(log, 10)
      await log.deleteBefore(at(5))
      // Nothing was durable.
      expect(log.logStart).toBe(0)
      await log.durable(log.logEnd)
      await log.deleteBefore(at(5))
      await log.deleteBefore(at(2))
      expect(log.logStart).toBe(5)
      expect((await ports.disk.list('logs/orders-0')).map(({ name }) => name).filter(name => name.endsWith('.log'))).toEqual([
        '00000000000000000004.log',
        '00000000000000000008.log',
      ])
    }, 'dropped')
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0')
      expect(log.logStart).toBe(5)
      expect(await values(log)).toBe('v5 v6 v7 v8 v9')
    })
  })

  it('[CL32] keeps by size and by age, and never drops what has to stay', () =>
    withLog(async log => {
      for (let index = 0; index < 12; index++)
        log.append(encodeBatch([{ timestampMs: index * 1_000, value: new Uint8Array(5) }], { crc32c }), epoch(1))
      await log.durable(log.logEnd)
      const all = log.sizeBytes
      expect(await log.retainedFrom({}, log.logEnd)).toBe(0)
      expect(await log.retainedFrom({ bytesMax: all - 1 }, log.logEnd)).toBe(0)
      const kept = await log.retainedFrom({ bytesMax: all / 2 }, log.logEnd)
      expect(kept).toBeGreaterThan(0)
      await log.deleteBefore(kept)
      expect(log.sizeBytes).toBeGreaterThanOrEqual(all / 2)
      expect(await log.retainedFrom({ oldestMs: 9_000 }, log.logEnd)).toBe(8)
      expect(await log.retainedFrom({ oldestMs: 9_000 }, at(7))).toBe(kept)
      expect(await log.retainedFrom({ oldestMs: 99_000, bytesMax: 0 }, log.logEnd)).toBe(8)
    }))

  it('[CL33] begins anew elsewhere', async () => {
    const bench = new LogBench(5)
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0', { segmentBytes: 300 })
      fill(log, 10)
      await log.restartAt(at(500))
      expect([log.logStart, log.logEnd, log.durableEnd, log.epochs.starts.length]).toEqual([500, 500, 500, 0])
      log.append(batch('new'), epoch(8))
      await log.durable(at(501))
    }, 'drawn')
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0')
      expect(await contents(log)).toEqual([{ offset: 500, value: 'new', epoch: 8 }])
    })
  })

  it('[CL41] remembers an epoch in which nothing was written', async () => {
    const bench = new LogBench(5)
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0')
      fill(log, 3, 2)
      log.assignEpoch(epoch(6))
      log.assignEpoch(epoch(6))
      await log.flush()
    }, 'dropped')
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0')
      expect(log.epochs.last).toEqual({ epoch: 6, start: 3 })
      expect(log.endOfEpoch(epoch(5))).toEqual({ epoch: 2, end: 3 })
    })
  })

  it('[CL41] forgets it on demand, so that records of an epoch in between can be taken', async () => {
    const bench = new LogBench(6)
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0')
      fill(log, 3, 2)
      log.forgetEmptyEpochs()
      expect(log.epochs.last?.epoch).toBe(2)
      log.assignEpoch(epoch(6))
      log.forgetEmptyEpochs()
      await log.flush()
    }, 'dropped')
    await bench.life(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0')
      expect(log.epochs.last?.epoch).toBe(2)
      fill(log, 1, 4)
      expect(log.epochs.starts).toEqual([
        { epoch: 2, start: 0 },
        { epoch: 4, start: 3 },
      ])
    })
  })
})

describe('snapshots', () => {
  const open = (ports: SimPorts) => SnapshotFiles.open(ports.disk, 'snapshots', crc32c)
  const data = (length: number, salt: number) => Uint8Array.from({ length }, (_, index) => (index * 31 + salt) & 0xff)

  it('[CL53] say of a full disk the same again, and leave nothing once given up', async () => {
    const bench = new LogBench(1)
    await bench.life(async ports => {
      const files = await open(ports)
      const writer = files.begin({ end: at(10), epoch: epoch(1) })
      bench.disk.replace({ full: true })
      expect(await codeOf(() => writer.write(data(200_000, 1)))).toBe('disk_full')
      bench.disk.replace({})
      expect(await codeOf(() => writer.write(data(10, 2)))).toBe('disk_full')
      expect(await codeOf(() => writer.finish())).toBe('disk_full')
      await writer.abandon()
      expect(files.known).toEqual([])
    })
  })

  it('[CL53] are finished once there is room, though the last piece found none', async () => {
    const bench = new LogBench(1)
    await bench.life(async ports => {
      const files = await open(ports)
      const id = { end: at(10), epoch: epoch(1) }
      const writer = files.begin(id)
      writer.write(data(70_000, 1))
      bench.disk.replace({ full: true })
      expect(await codeOf(() => writer.finish())).toBe('disk_full')
      expect(await codeOf(() => writer.finish())).toBe('disk_full')
      bench.disk.replace({})
      await writer.finish()
      const reader = await files.read(id)
      expect(await reader.read(0, 70_000)).toEqual(data(70_000, 1))
      reader.close()
    })
  })

  it('[CL50] are there as a whole or not at all, whenever the process ends', async () => {
    const write = async (ports: SimPorts): Promise<void> => {
      const files = await open(ports)
      for (const end of [10, 20]) {
        const writer = files.begin({ end: at(end), epoch: epoch(1) })
        for (let part = 0; part < 3; part++) writer.write(data(50_000, end + part))
        await writer.finish()
      }
      await files.removeBefore({ end: at(20), epoch: epoch(1) })
    }
    const operations = await new LogBench(1).operationsOf(write)
    for (let count = 1; count <= operations + 1; count++) {
      const bench = new LogBench(count)
      bench.endAfter(count, count % 2 === 0 ? 'drawn' : 'dropped')
      let finished = 0
      await bench.run(async ports => {
        const files = await open(ports)
        for (const end of [10, 20]) {
          const writer = files.begin({ end: at(end), epoch: epoch(1) })
          for (let part = 0; part < 3; part++) writer.write(data(50_000, end + part))
          await writer.finish()
          finished = end
        }
        await files.removeBefore({ end: at(20), epoch: epoch(1) })
      })
      bench.end('drawn')
      bench.disk.onOperation = undefined
      await bench.life(async ports => {
        const files = await open(ports)
        const newest = files.known.at(-1)
        expect(newest?.end ?? 0, `operation ${count}`).toBeGreaterThanOrEqual(finished)
        for (const id of files.known) {
          const reader = await files.read(id)
          expect(Buffer.compare(await reader.read(0, 50_000), data(50_000, id.end))).toBe(0)
          await reader.verify()
        }
      })
    }
  })

  it('[CL51] that are damaged are found, and lead to nothing being removed', async () => {
    const bench = new LogBench(4)
    await bench.life(async ports => {
      const files = await open(ports)
      for (const end of [10, 20]) {
        const writer = files.begin({ end: at(end), epoch: epoch(1) })
        writer.write(data(100_000, end))
        await writer.finish()
      }
      bench.disk.flipBit('snapshots/00000000000000000020-0000000001.checkpoint', 70_000)
      const newest = files.known.at(-1)!
      const reader = await files.read(newest)
      expect(Buffer.compare(await reader.read(0, 60_000), data(100_000, 20).subarray(0, 60_000))).toBe(0)
      expect(await codeOf(() => reader.read(60_000, 10_000))).toBe('corrupt')
      expect(await codeOf(() => files.removeBefore(newest))).toBe('corrupt')
      expect(files.known.length).toBe(2)
      expect((await ports.disk.list('snapshots')).length).toBe(2)
      bench.disk.flipBit('snapshots/00000000000000000010-0000000001.checkpoint', 12)
      expect(await codeOf(() => files.read(files.known[0]!))).toBe('corrupt')
    })
  })

  it('[CL52] are read from any place, and an unfinished one is gone after a restart', async () => {
    const bench = new LogBench(4)
    await bench.life(async ports => {
      const files = await open(ports)
      const writer = files.begin({ end: at(7), epoch: epoch(3) })
      for (let part = 0; part < 200_000; part += 7_777) writer.write(data(200_000, 1).subarray(part, part + 7_777))
      await writer.finish()
      const reader = await files.read({ end: at(7), epoch: epoch(3) })
      expect(reader.dataBytes).toBe(200_000)
      for (const [from, length] of [
        [0, 1],
        [65_530, 20],
        [131_072, 65_536],
        [199_999, 50],
        [200_000, 5],
      ] as const)
        expect(Buffer.compare(await reader.read(from, length), data(200_000, 1).subarray(from, from + length))).toBe(0)
      files.begin({ end: at(9), epoch: epoch(3) }).write(data(70_000, 1))
      const empty = files.begin({ end: at(12), epoch: epoch(3) })
      await empty.abandon()
    })
    await bench.life(async ports => {
      expect((await open(ports)).known).toEqual([{ end: 7, epoch: 3 }])
      expect((await ports.disk.list('snapshots')).length).toBe(1)
    })
  })
})
