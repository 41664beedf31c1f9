// The rules of packages/commit-log/SPEC.md on a disk that does not work: what is reported durable, what recovery does.
import type { CommitLog, CommitLogError, LogStore } from '@atoll/commit-log'
import type { SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { at, batch, contents, epoch, LogBench, openStore } from './bench.ts'

const DIRECTORY = 'logs/orders-0'
const FIRST_SEGMENT = `${DIRECTORY}/00000000000000000000.log`
const values = async (log: CommitLog): Promise<string> => (await contents(log)).map(({ value }) => value).join(' ')
const open = async (ports: SimPorts, options: object = {}): Promise<{ store: LogStore; log: CommitLog }> => {
  const store = await openStore(ports)
  return { store, log: await store.openLog('orders-0', { segmentBytes: 300, ...options }) }
}
const errorOf = (work: Promise<unknown>): Promise<CommitLogError | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => error as CommitLogError,
  )
/** Appends `count` batches, each durable before the next. */
async function fill(log: CommitLog, count: number, term = 1): Promise<void> {
  for (let index = 0; index < count; index++) {
    log.append(batch(`v${log.logEnd}`), epoch(term))
    await log.durable(log.logEnd)
  }
}
/** What is on the disk in files whose path begins so, byte for byte. */
const image = (bench: LogBench, prefix = `${DIRECTORY}/`): string =>
  [...bench.disk.files()]
    .filter(([path]) => path.startsWith(prefix))
    .map(([path, file]) => `${path} ${Buffer.from(file.read(0, file.sizeBytes)).toString('base64')}`)
    .join('\n')

describe('durability', () => {
  it('[CL10] reports in order, each time what a power loss at that moment leaves', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const bench = new LogBench(seed)
      const reported: number[] = []
      await bench.run(async ports => {
        const { log } = await open(ports, { onDurable: (end: number) => reported.push(end) })
        for (let index = 0; index < 12; index++) {
          log.append(batch(`v${index}`), epoch(1 + (index >> 2)))
          if (index % 3 === seed % 3) await log.durable(at(Math.min(index, log.logEnd)))
          if (reported.length === 1 + (seed % 4)) bench.node.losePower('dropped')
        }
        bench.node.losePower('dropped')
      })
      expect(reported).toEqual([...reported].sort((a, b) => a - b))
      await bench.life(async ports => {
        const { log } = await open(ports)
        expect((await contents(log)).length, `seed ${seed}`).toBeGreaterThanOrEqual(reported.at(-1) ?? 0)
      })
    }
  })

  it('[CL11] one round of syncs covers all logs that changed, and the next what came meanwhile', async () => {
    const bench = new LogBench(1)
    await bench.life(async ports => {
      const store = await openStore(ports)
      const logs = []
      for (let index = 0; index < 20; index++) logs.push(await store.openLog(`log-${index}`))
      const before = store.durability.rounds
      for (let turn = 0; turn < 50; turn++) {
        for (const log of logs) log.append(batch('v'), epoch(1))
        await new Promise<void>(resolve => ports.clock.after(0.01, resolve))
      }
      await Promise.all(logs.map(log => log.flush()))
      expect(store.durability.rounds - before).toBeLessThan(12)
      expect(logs.every(log => log.durableEnd === 50)).toBe(true)
    })
  })

  it('[CL12] durable ends are on record soon after their rounds, which do not wait for it', async () => {
    const bench = new LogBench(1)
    await bench.life(async ports => {
      const { store, log } = await open(ports)
      const durable: { readonly end: number; readonly atMs: number }[] = []
      for (let round = 0; round < 200; round++) {
        log.append(batch('v'), epoch(1))
        await log.durable(log.logEnd)
        durable.push({ end: log.durableEnd, atMs: ports.clock.monotonicMs() })
        if (round === 0) expect(store.recordedEnd('orders-0') ?? 0).toBe(0)
        const long = durable.findLast(({ atMs }) => atMs <= ports.clock.monotonicMs() - 20)
        expect(store.recordedEnd('orders-0') ?? 0).toBeGreaterThanOrEqual(long?.end ?? 0)
      }
      expect(durable.at(-1)?.atMs).toBeGreaterThan(100)
      await new Promise<void>(resolve => ports.clock.after(50, resolve))
      expect(store.recordedEnd('orders-0')).toBe(200)
    }, 'dropped')
    await bench.life(async ports => {
      expect((await openStore(ports)).recordedEnd('orders-0')).toBe(200)
    })
  })

  it('[CL13] after a failed sync nothing above the durable end is there, and nothing more is taken', async () => {
    const bench = new LogBench(2)
    let failures = 0
    await bench.life(async ports => {
      const { store, log } = await open(ports, { onFailure: () => failures++ })
      await fill(log, 3)
      log.append(batch('lost'), epoch(1))
      bench.disk.failNextSyncs(1, FIRST_SEGMENT)
      expect((await errorOf(log.durable(at(4))))?.code).toBe('failed')
      expect([log.durableEnd, failures, log.failure?.code]).toEqual([3, 1, 'failed'])
      expect(() => log.append(batch('more'), epoch(1))).toThrow(expect.objectContaining({ code: 'failed' }))
      expect((await errorOf(log.flush()))?.code).toBe('failed')
      expect((await errorOf(log.truncate(at(1))))?.code).toBe('failed')
      expect(await log.read(at(3), { bytesMax: 100 })).toEqual([])
      expect((await log.read(at(2), { bytesMax: 100 })).length).toBe(1)
      // It can be read, and is not to be trusted.
      const again = await store.openLog('orders-0')
      expect(await values(again)).toBe('v0 v1 v2')
      await fill(again, 1)
      expect(again.durableEnd).toBe(4)
    }, 'dropped')
    await bench.life(async ports => {
      expect(await values((await open(ports)).log)).toBe('v0 v1 v2 v3')
    })
  })

  it('[CL13] a failure of the record of durable ends fails every log of the store', async () => {
    const bench = new LogBench(2)
    await bench.life(async ports => {
      const { store, log } = await open(ports)
      const other = await store.openLog('other-0')
      await fill(log, 2)
      await new Promise<void>(resolve => {
        bench.disk.onOperation = ({ kind, path }) => {
          if (kind === 'write' && path.includes('durable-ends')) bench.disk.failNextSyncs(9)
        }
        ports.clock.after(50, resolve)
      })
      bench.disk.onOperation = undefined
      bench.disk.failNextSyncs(0)
      log.append(batch('a'), epoch(1))
      other.append(batch('b'), epoch(1))
      expect((await errorOf(log.flush()))?.code).toBe('failed')
      expect((await errorOf(other.flush()))?.code).toBe('failed')
      expect([log.durableEnd, other.durableEnd]).toEqual([2, 0])
    })
  })

  it('[CL14] a stuck sync is seen, reports nothing, and ends when the disk answers', async () => {
    const bench = new LogBench(2)
    await bench.life(async ports => {
      const { store, log } = await open(ports)
      await fill(log, 1)
      bench.disk.replace({ syncStuck: true })
      const before = ports.clock.monotonicMs()
      log.append(batch('v1'), epoch(1))
      let done = false
      const durable = log.durable(at(2)).then(() => {
        done = true
      })
      await new Promise<void>(resolve => ports.clock.after(60_000, resolve))
      expect([done, log.durableEnd, await values(log)]).toEqual([false, 1, 'v0 v1'])
      expect(store.durability.roundSinceMs).toBeLessThan(before + 5)
      bench.disk.replace({})
      await durable
      expect(store.durability.roundSinceMs).toBeUndefined()
    })
  })

  it('[CL15] a full disk takes an append as a whole or not at all, and works again when it has room', async () => {
    let refused = 0
    for (let seed = 1; seed <= 40; seed++) {
      const bench = new LogBench(seed)
      await bench.life(async ports => {
        const { log } = await open(ports)
        await fill(log, 2)
        let next = 2
        for (let index = 0; index < 30; index++) {
          // Room for some of it; a segment, an index or an epoch may be what finds none.
          bench.disk.setCapacity(index % 5 === seed % 5 ? Number.POSITIVE_INFINITY : 532_480 + (seed % 3) * 4_096)
          const end = log.logEnd
          try {
            log.append(batch(`v${next}`, 'x'.repeat(seed * 50)), epoch(1 + (index >> 3)))
            next += 2
          } catch (error) {
            expect((error as CommitLogError).code).toBe('disk_full')
            expect(log.logEnd).toBe(end)
            refused++
          }
          if (index % 4 === 0) await log.flush()
        }
        bench.disk.setCapacity(Number.POSITIVE_INFINITY)
        await log.flush()
        expect(log.logEnd).toBe(next)
        expect((await contents(log)).length).toBe(next)
        expect(log.failure).toBeUndefined()
      }, 'dropped')
      await bench.life(async ports => {
        const { log } = await open(ports, { verify: 'all' })
        expect((await contents(log)).filter((_, index) => index % 2 === 0).map(({ value }) => value)[5], `seed ${seed}`).toBe('v10')
      })
    }
    expect(refused).toBeGreaterThan(100)
  })
})

describe('recovery', () => {
  /** A log of ten batches at rest, so that all of it is on record. */
  async function atRest(seed = 3): Promise<LogBench> {
    const bench = new LogBench(seed)
    await bench.life(async ports => {
      const { log } = await open(ports)
      await fill(log, 10)
      await new Promise<void>(resolve => ports.clock.after(50, resolve))
    }, 'dropped')
    return bench
  }

  it('[CL21] a tail that was torn above the recorded end is cut, and the log goes on', async () => {
    let torn = 0
    for (let seed = 1; seed <= 60; seed++) {
      const bench = await atRest(seed)
      await bench.life(async ports => {
        const { log } = await open(ports)
        for (let index = 0; index < 8; index++) log.append(batch('torn '.repeat(200)), epoch(2))
        bench.node.losePower()
      })
      await bench.life(async ports => {
        const { log } = await open(ports)
        expect(log.logEnd).toBeGreaterThanOrEqual(10)
        if (log.logEnd < 18) torn++
        await fill(log, 2, 2)
        expect((await contents(log)).length).toBe(log.logEnd)
      }, 'dropped')
      await bench.life(async ports => {
        const { log } = await open(ports, { verify: 'all' })
        expect((await contents(log)).at(-1)?.value).toBe(`v${log.logEnd - 1}`)
      })
    }
    expect(torn).toBeGreaterThan(20)
  })

  it('[CL22] damage below the recorded end stops the opening, says where it is, and nothing is changed', async () => {
    const last = `${DIRECTORY}/00000000000000000008.log`
    const bench = await atRest()
    bench.disk.flipBit(last, 75)
    const before = image(bench)
    await bench.life(async ports => {
      const error = await errorOf(open(ports))
      expect(error).toMatchObject({ code: 'corrupt', damage: { path: last, position: 70, goodEnd: 9, recordedEnd: 10 } })
    })
    expect(image(bench)).toBe(before)
  })

  it('[CL22] damage further back is found when everything is looked at, and otherwise when it is read', async () => {
    const bench = await atRest()
    bench.disk.flipBit(FIRST_SEGMENT, 75)
    await bench.life(async ports => {
      const error = await errorOf(open(ports, { verify: 'all' }))
      expect(error).toMatchObject({ code: 'corrupt', damage: { path: FIRST_SEGMENT, goodEnd: 1, recordedEnd: 10 } })
      const { log } = await open(ports)
      expect((await errorOf(log.read(at(1), { bytesMax: 100 })))?.code).toBe('corrupt')
    })
  })

  it('[CL23] what is missing below the recorded end is damage too', async () => {
    const losses: Readonly<Record<string, (ports: SimPorts) => Promise<void>>> = {
      'the last segment': ({ disk }) => disk.remove(`${DIRECTORY}/00000000000000000008.log`),
      'the first segment': ({ disk }) => disk.remove(FIRST_SEGMENT),
      'every segment': async ({ disk }) => {
        for (const base of [0, 4, 8]) await disk.remove(`${DIRECTORY}/0000000000000000000${base}.log`)
      },
      'the end of the last segment': async ({ disk }) => disk.open(`${DIRECTORY}/00000000000000000008.log`, 'update').truncate(100),
      'the state': ({ disk }) => disk.remove(`${DIRECTORY}/log-state`),
      'the directory': ({ disk }) => disk.removeDirectory(DIRECTORY),
    }
    for (const [what, lose] of Object.entries(losses)) {
      const bench = await atRest()
      await bench.life(lose)
      const before = image(bench)
      await bench.life(async ports => {
        expect((await errorOf(open(ports)))?.code, what).toBe('corrupt')
      })
      expect(image(bench), what).toBe(before)
    }
    const gap = await atRest()
    await gap.life(({ disk }) => disk.remove(`${DIRECTORY}/00000000000000000004.log`))
    await gap.life(async ports => {
      expect((await errorOf(open(ports, { verify: 'all' })))?.damage).toMatchObject({ goodEnd: 4, recordedEnd: 10 })
    })
  })

  it('[CL24] a tail that was read from the cache after a failed sync is written again before it counts', async () => {
    const bench = await atRest()
    await bench.life(async ports => {
      const { log } = await open(ports)
      log.append(batch('v10'), epoch(1))
      bench.disk.failNextSyncs(1, DIRECTORY)
      await errorOf(log.flush())
    })
    // The process alone is new: its predecessor's failed sync is nobody's memory.
    await bench.life(async ports => {
      const { log } = await open(ports)
      expect([log.logEnd, log.durableEnd]).toEqual([11, 11])
    }, 'dropped')
    await bench.life(async ports => {
      expect((await open(ports)).log.logEnd).toBe(11)
    })
  })

  it('[CL25] damage is put aside: the good beginning goes on, the rest is kept, and the debt is remembered', async () => {
    const bench = await atRest()
    const last = `${DIRECTORY}/00000000000000000008.log`
    bench.disk.flipBit(last, 75)
    const damagedBytes = bench.disk.files().get(last)?.read(0, 1_000)
    await bench.life(async ports => {
      const store = await openStore(ports)
      const error = await errorOf(store.openLog('orders-0'))
      await store.putDamageAside('orders-0', error!.damage!)
      const log = await store.openLog('orders-0')
      expect([log.logEnd, log.owedEnd]).toEqual([9, 10])
    }, 'dropped')
    expect(bench.disk.files().get(`${last}.damaged`)?.read(0, 1_000)).toEqual(damagedBytes)
    await bench.life(async ports => {
      const { log } = await open(ports)
      expect([await values(log), log.owedEnd]).toEqual(['v0 v1 v2 v3 v4 v5 v6 v7 v8', 10])
      await fill(log, 1)
      await log.settleDebt()
    }, 'dropped')
    await bench.life(async ports => {
      const { log } = await open(ports)
      expect([log.logEnd, log.owedEnd]).toEqual([10, undefined])
    })
  })

  it('[CL25] what follows in the same process is in the log, not in a file that lost its name', async () => {
    const bench = await atRest()
    bench.disk.flipBit(`${DIRECTORY}/00000000000000000008.log`, 75)
    await bench.life(async ports => {
      const store = await openStore(ports)
      const error = await errorOf(store.openLog('orders-0'))
      await store.putDamageAside('orders-0', error!.damage!)
      const log = await store.openLog('orders-0')
      await fill(log, 3)
      expect([log.logEnd, log.durableEnd]).toEqual([12, 12])
    }, 'dropped')
    await bench.life(async ports => {
      expect((await open(ports)).log.logEnd).toBe(12)
    })
  })

  it('[CL25] putting aside may end at any operation and is done again', async () => {
    const once = async (ports: SimPorts): Promise<void> => {
      const store = await openStore(ports)
      const error = await errorOf(store.openLog('orders-0', { verify: 'all' }))
      if (error === undefined) return
      await store.putDamageAside('orders-0', error.damage!)
      await store.openLog('orders-0')
    }
    const damaged = async (seed: number): Promise<LogBench> => {
      const bench = await atRest(seed)
      bench.disk.flipBit(`${DIRECTORY}/00000000000000000004.log`, 75)
      return bench
    }
    const operations = await (await damaged(1)).operationsOf(once)
    for (let count = 1; count <= operations; count++) {
      const bench = await damaged(count)
      bench.endAfter(count, count % 2 === 0 ? 'drawn' : 'kill')
      await bench.run(once)
      if (bench.node.state !== 'down') bench.end('kill')
      bench.disk.onOperation = undefined
      await bench.life(once)
      await bench.life(async ports => {
        const { log } = await open(ports, { verify: 'all' })
        expect([await values(log), log.owedEnd], `operation ${count}`).toEqual(['v0 v1 v2 v3 v4', 10])
      })
    }
  })

  it('[CL26] a damaged block of the durable ends hides no other', async () => {
    const bench = await atRest()
    // Every log's end is in later blocks again.
    for (const position of [12, 40]) bench.disk.flipBit('logs/durable-ends-0', position)
    await bench.life(async ports => {
      expect((await openStore(ports)).recordedEnd('orders-0')).toBe(10)
    })
  })

  it('[CL26] the durable ends survive thousands of rounds, many logs, and an end at any time', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const bench = new LogBench(seed, { syncMsMin: 0.01, syncMsMax: 0.05 })
      const known = new Map<string, number>()
      await bench.run(async ports => {
        const store = await openStore(ports)
        const logs = await Promise.all(
          Array.from({ length: 40 }, (_, index) => store.openLog(`${'topic-with-a-long-name-'.repeat(4)}${index}`)),
        )
        for (let round = 0; round < 120 + seed * 7; round++) {
          for (const [index, log] of logs.entries()) if ((round + index) % 3 === 0) log.append(batch('v'), epoch(1))
          await Promise.all(logs.map(log => log.flush()))
          await new Promise<void>(resolve => ports.clock.after(12, resolve))
          for (const log of logs) known.set(log.name, store.recordedEnd(log.name) ?? 0)
        }
        bench.node.losePower()
      })
      await bench.life(async ports => {
        const store = await openStore(ports)
        for (const [name, end] of known) expect(store.recordedEnd(name) ?? 0).toBeGreaterThanOrEqual(end)
        expect([...known.values()].some(end => end > 30)).toBe(true)
      })
    }
  })

  it('[CL2] a log or a record in a newer format is refused and left as it is', async () => {
    for (const path of [`${DIRECTORY}/log-state`, 'logs/durable-ends-0']) {
      const bench = await atRest()
      await bench.life(async ({ disk, compute }) => {
        const file = disk.open(path, 'update')
        const header = file.readNow(0, 20)
        const fields = new DataView(header.buffer, header.byteOffset)
        fields.setUint16(6, 2)
        fields.setUint32(8, compute.crc32c(header.subarray(0, 8)))
        file.write(header, 0)
        await file.sync()
      })
      // The store's own record is written anew when it is opened.
      const kept = path.includes('ends') ? '' : undefined
      const before = image(bench, kept)
      await bench.life(async ports => {
        expect((await errorOf(open(ports)))?.code).toBe('newer_format')
      })
      expect(image(bench, kept)).toBe(before)
    }
  })

  it('[CL60] no read of a recovery is larger than a slice, however large the log', async () => {
    const bench = new LogBench(1)
    await bench.life(async ports => {
      const { log } = await open(ports, { segmentBytes: 16_777_216 })
      for (let index = 0; index < 8; index++) log.append(batch(...Array.from({ length: 100 }, () => 'x'.repeat(5_000))), epoch(1))
      await log.flush()
    })
    const lengths: number[] = []
    await bench.life(async ports => {
      const { disk } = ports
      const watched: SimPorts['disk'] = {
        open(path, mode) {
          const file = disk.open(path, mode)
          return {
            path,
            size: () => file.size(),
            write: (bytes, position) => file.write(bytes, position),
            read(position, length) {
              lengths.push(length)
              return file.read(position, length)
            },
            readNow: (position, length) => file.readNow(position, length),
            truncate: sizeBytes => file.truncate(sizeBytes),
            sync: () => file.sync(),
            close: () => file.close(),
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
      const { log } = await open({ ...ports, disk: watched }, { verify: 'all' })
      expect(log.logEnd).toBe(800)
    })
    expect(Math.max(...lengths)).toBeLessThanOrEqual(524_288)
    expect(lengths.filter(length => length > 400_000).length).toBeGreaterThanOrEqual(8)
  })
})
