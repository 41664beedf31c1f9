// Bugs of other systems that have to do with a log on one machine: what they lost is not lost here. Named after the menu of
// bug classes; those that need several nodes are tested where there are several.
import { SnapshotFiles } from '@atoll/commit-log'
import { expect, it } from 'vitest'
import { at, batch, contents, crc32c, epoch, LogBench, openStore } from './bench.ts'

const seeds = Array.from({ length: 20 }, (_, index) => index + 1)

it('B5: no acknowledged record waits for a lazy sync (NATS 7564)', async () => {
  for (const seed of seeds) {
    const bench = new LogBench(seed)
    const acknowledged: string[] = []
    await bench.run(async ({ clock, ...ports }) => {
      const log = await (await openStore({ clock, ...ports })).openLog('orders-0')
      clock.after(20, () => bench.node.losePower('dropped'))
      for (let index = 0; ; index++) {
        log.append(batch(`p-${index}`), epoch(1))
        await log.durable(log.logEnd)
        acknowledged.push(`p-${index}`)
      }
    })
    await bench.life(async ports => {
      const held = (await contents(await (await openStore(ports)).openLog('orders-0'))).map(({ value }) => value)
      expect(acknowledged.length).toBeGreaterThan(3)
      expect(held.slice(0, acknowledged.length)).toEqual(acknowledged)
    })
  }
})

it('B7: one flipped bit loses no record around it, and is not hidden by cutting (NATS 7549)', async () => {
  for (const seed of seeds) {
    const bench = new LogBench(seed)
    await bench.life(async ports => {
      const store = await openStore(ports)
      const log = await store.openLog('orders-0', { segmentBytes: 1_000 })
      for (let index = 0; index < 60; index++) log.append(batch(`v${index}`), epoch(1))
      await store.close()
    }, 'dropped')
    const segments = [...bench.disk.files()].filter(([path]) => path.endsWith('.log'))
    const [path] = segments[seed % segments.length] as (typeof segments)[number]
    bench.disk.flipBit(path)
    const sizes = segments.map(([, file]) => file.sizeBytes)
    await bench.life(async ports => {
      const store = await openStore(ports)
      const opened = await store.openLog('orders-0', { verify: 'all' }).catch((error: unknown) => error)
      expect(opened).toMatchObject({ code: 'corrupt', damage: { path, recordedEnd: 60 } })
    })
    expect(segments.map(([, file]) => file.sizeBytes)).toEqual(sizes)
  }
})

it('B8: a damaged snapshot or state leads to no deletion (NATS 7556)', async () => {
  for (const seed of seeds) {
    const bench = new LogBench(seed)
    const id = { end: at(5), epoch: epoch(1) }
    await bench.life(async ports => {
      const store = await openStore(ports)
      const log = await store.openLog('raft')
      for (let index = 0; index < 9; index++) log.append(batch(`v${index}`), epoch(1))
      await store.close()
      const writer = (await SnapshotFiles.open(ports.disk, 'snapshots', crc32c)).begin(id)
      writer.write(new Uint8Array(500).fill(7))
      await writer.finish()
    }, 'dropped')
    const files = [...bench.disk.files().keys()].filter(path => !path.includes('durable-ends'))
    bench.disk.flipBit('snapshots/00000000000000000005-0000000001.checkpoint')
    if (seed % 2 === 0) bench.disk.flipBit('logs/raft/log-state')
    await bench.life(async ports => {
      const snapshots = await SnapshotFiles.open(ports.disk, 'snapshots', crc32c)
      await expect(snapshots.removeBefore(id)).rejects.toMatchObject({ code: 'corrupt' })
      const opened = await (await openStore(ports)).openLog('raft').catch((error: unknown) => error)
      if (seed % 2 === 0) expect(opened).toMatchObject({ code: 'corrupt' })
      else expect(opened).toMatchObject({ logStart: 0, logEnd: 9 })
    })
    expect([...bench.disk.files().keys()]).toEqual(expect.arrayContaining(files))
  }
})

it('B21: what was readable and reported durable is read again after power loss (etcd 14140)', async () => {
  for (const seed of seeds) {
    const bench = new LogBench(seed)
    let seen: readonly string[] = []
    await bench.run(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0', { segmentBytes: 300 })
      ports.clock.after(15 + seed, () => bench.node.losePower())
      for (let index = 0; ; index++) {
        log.append(batch(`v${index}`), epoch(1))
        if (index % 3 === 0) await log.durable(at(Math.max(0, log.logEnd - 1)))
        // A reader that stays below the durable end, as followers and consumers do.
        const found: string[] = []
        for (const { offset, value } of await contents(log)) if (offset < log.durableEnd) found.push(value)
        seen = found
      }
    })
    await bench.life(async ports => {
      const held = (await contents(await (await openStore(ports)).openLog('orders-0'))).map(({ value }) => value)
      expect(held.slice(0, seen.length)).toEqual(seen)
    })
  }
})

it('B22: a single node keeps the last acknowledged write (etcd 14370)', async () => {
  for (const seed of seeds) {
    const bench = new LogBench(seed)
    await bench.run(async ports => {
      const log = await (await openStore(ports)).openLog('orders-0', {
        onDurable: end => {
          if (end === 1) bench.node.losePower('dropped')
        },
      })
      log.append(batch('the only one'), epoch(1))
      await log.durable(at(1))
    })
    await bench.life(async ports => {
      const held = await contents(await (await openStore(ports)).openLog('orders-0'))
      expect(held.map(({ value }) => value)).toEqual(['the only one'])
    })
  }
})

it('B23: neither start nor end goes back over a crash while old segments are dropped (etcd 14685, 17780)', async () => {
  for (const seed of seeds) {
    const bench = new LogBench(seed)
    const told = { start: 0, durable: 0 }
    for (let life = 0; life < 8; life++) {
      bench.endAfter(40 + ((seed * 13 + life * 29) % 100), life % 2 === 0 ? 'drawn' : 'kill')
      await bench.run(async ports => {
        const log = await (await openStore(ports)).openLog('orders-0', { segmentBytes: 300 })
        expect(log.logStart).toBeGreaterThanOrEqual(told.start)
        expect(log.logEnd).toBeGreaterThanOrEqual(told.durable)
        for (let index = 0; index < 20; index++) {
          log.append(batch(`v${log.logEnd}`), epoch(1))
          await log.durable(log.logEnd)
          told.durable = log.durableEnd
          if (index % 5 !== 4) continue
          await log.deleteBefore(at(log.durableEnd - 3))
          told.start = log.logStart
        }
      })
      if (bench.node.state !== 'down') bench.end('drawn')
      bench.disk.onOperation = undefined
    }
    expect(told.start).toBeGreaterThan(0)
  }
})
