// Bugs planted in copies of the engine: each has to be found by the lives and the faults that the engine itself survives,
// within a fixed number of seeds. A bug that is not found means a hole in the tests.
import { describe, expect, it } from 'vitest'
import { loadMutated, type Mutation } from '../mutation.ts'
import { at, batch, contents, type Engine, epoch, LogBench, openStore } from './bench.ts'
import { crashAt, randomLives } from './lives.ts'

const SOURCE = 'packages/commit-log/src'
const SEEDS_MAX = 250
const load = (mutation: Mutation) => loadMutated<Engine>(`${SOURCE}/index.ts`, mutation)
const edit = (file: string, find: string, replace: string) => ({ file: `${SOURCE}/${file}`, find, replace })

/** Something that a good engine survives whatever the seed, and that throws when it does not. */
type Scenario = (seed: number, engine?: Engine) => Promise<unknown>

const endings = ['kill', 'dropped', 'drawn'] as const
const scripted: Scenario = (seed, engine) => crashAt(seed, 1 + ((seed * 7) % 170), endings[seed % 3] ?? 'drawn', engine)

/** One flipped bit in what was durable and at rest: nothing else is ever read, and the log is not opened as if it were whole. */
const flippedBit: Scenario = async (seed, engine) => {
  const bench = new LogBench(seed)
  const expected = Array.from({ length: 10 }, (_, index) => `v${index}`)
  await bench.life(async ports => {
    const store = await openStore(ports, engine)
    const log = await store.openLog('orders-0', { segmentBytes: 300 })
    for (const value of expected) log.append(batch(value), epoch(1 + (log.logEnd >> 2)))
    await store.close()
  }, 'dropped')
  const segments = [...bench.disk.files().keys()].filter(path => path.endsWith('.log')).sort()
  bench.disk.flipBit(segments[seed % segments.length] as string)
  await bench.life(async ports => {
    const store = await openStore(ports, engine)
    try {
      const log = await store.openLog('orders-0', { verify: seed % 2 === 0 ? 'all' : 'tail' })
      const held = (await contents(log)).map(({ value, epoch: term }) => `${value}@${term}`)
      expect(held).toEqual(expected.map((value, index) => `${value}@${1 + (index >> 2)}`))
    } catch (error) {
      if ((error as { code?: string }).code !== 'corrupt') throw error
    }
  })
}

/** A full disk in the middle of appends, and the end of the process: what is there is whole. */
const fullDisk: Scenario = async (seed, engine) => {
  const bench = new LogBench(seed)
  let end = 0
  await bench.life(async ports => {
    const store = await openStore(ports, engine)
    const log = await store.openLog('orders-0', { segmentBytes: 20_000 })
    bench.disk.setCapacity(528_384 + 4_096 * (2 + (seed % 4)))
    for (let index = 0; index < 40; index++) {
      try {
        log.append(batch(`v${log.logEnd}`.padEnd(index % 3 === 0 ? 3 : 500 + seed)), epoch(1))
      } catch (error) {
        if ((error as { code?: string }).code !== 'disk_full') throw error
      }
    }
    bench.disk.setCapacity(Number.POSITIVE_INFINITY)
    for (let index = 0; index < 3; index++) log.append(batch(`v${log.logEnd}`), epoch(1))
    await log.durable(log.logEnd)
    end = log.logEnd
    await store.close()
  }, 'drawn')
  await bench.life(async ports => {
    const log = await (await openStore(ports, engine)).openLog('orders-0', { verify: 'all' })
    expect((await contents(log)).map(({ value }) => value.trim())).toEqual(Array.from({ length: end }, (_, index) => `v${index}`))
  })
}

/** A sync that fails, a process that is killed, a new one that goes on, and then the power. */
const failedSync: Scenario = async (seed, engine) => {
  const bench = new LogBench(seed)
  let reported = 0
  for (let life = 0; life < 2; life++) {
    await bench.life(
      async ports => {
        const log = await (await openStore(ports, engine)).openLog('orders-0')
        expect(log.logEnd).toBeGreaterThanOrEqual(reported)
        log.append(batch('a'), epoch(1))
        await log.durable(log.logEnd)
        log.append(batch('b'.repeat(seed * 30)), epoch(1))
        if (life === 0) bench.disk.failNextSyncs(1, 'logs/orders-0/0')
        await log.durable(log.logEnd).catch(() => {
          // Told by the durable end.
        })
        reported = Math.max(reported, log.durableEnd)
      },
      life === 0 && seed % 2 === 0 ? 'kill' : 'dropped',
    )
  }
  await bench.life(async ports => {
    const log = await (await openStore(ports, engine)).openLog('orders-0')
    expect(log.logEnd).toBeGreaterThanOrEqual(at(reported))
    await contents(log)
  })
}

const bugs: readonly (Mutation & { readonly by: Scenario })[] = [
  {
    name: 'a file is not synced',
    by: scripted,
    edits: [edit('unsynced.ts', 'await this.#files.get(path).sync()', 'this.#files.get(path)')],
  },
  {
    name: 'durable is reported when written',
    by: scripted,
    edits: [
      edit(
        'commit-log.ts',
        '    this.#changed()\n    return { firstOffset',
        '    this.#changed()\n    this.endSync(this.#logEnd)\n    return { firstOffset',
      ),
    ],
  },
  {
    name: 'durable is reported when the sync began',
    by: scripted,
    edits: [
      edit('durability.ts', 'const outcomes =', 'for (const { target, work } of works) target.endSync(work.end)\n    const outcomes ='),
    ],
  },
  {
    name: 'a new name is not synced',
    by: scripted,
    edits: [edit('unsynced.ts', 'syncs.push(this.#disk.syncDirectory(this.#directory))', '')],
  },
  {
    name: 'the epochs are not synced with their records',
    by: scripted,
    edits: [
      edit(
        'unsynced.ts',
        'if (this.#stateFile.staged) syncs.push(this.#stateFile.commit())',
        'if (this.#stateFile.staged) void this.#stateFile.commit()',
      ),
    ],
  },
  {
    name: 'the state is renamed before it is synced',
    by: scripted,
    edits: [edit('log-state.ts', 'await file.sync()', 'void file.size()')],
  },
  {
    name: 'a sync that failed is tried again',
    by: failedSync,
    edits: [
      edit(
        'unsynced.ts',
        'await this.#files.get(path).sync()',
        'await this.#files.get(path).sync().catch(() => this.#files.get(path).sync())',
      ),
    ],
  },
  {
    name: 'a failed sync is forgotten',
    by: failedSync,
    edits: [
      edit(
        'durability.ts',
        "if (outcome.status === 'rejected') target.failSync(diskErrorOnly(outcome.reason))",
        'if (false) target.failSync(undefined)',
      ),
    ],
  },
  {
    name: 'what a killed predecessor left is not written again',
    by: failedSync,
    edits: [edit('log-recovery.ts', 'files.get(segment.path).write(slice, position)', 'void slice')],
  },
  {
    name: 'damage below the durable end is cut',
    by: flippedBit,
    edits: [edit('log-recovery.ts', 'if (this.#logEnd >= this.#recordedEnd) return\n', 'if (this.#logEnd >= 0) return\n')],
  },
  {
    name: 'offsets are not checked when read',
    by: flippedBit,
    edits: [edit('log-reader.ts', 'if (why !== undefined) throw this.#corrupt(segment, position + start, why)', 'void why')],
  },
  {
    name: 'the durable end on record is not lowered before a cut',
    by: randomLives,
    edits: [edit('commit-log.ts', 'await this.#context.durability.lower(this.name, end)', '')],
  },
  {
    name: 'a cut is not synced',
    by: scripted,
    edits: [edit('commit-log.ts', 'await allDone(this.#unsynced.begin())\n    this.#durableEnd = end', 'this.#durableEnd = end')],
  },
  {
    name: 'segments are dropped before the new start is durable',
    by: scripted,
    edits: [
      edit(
        'commit-log.ts',
        '    this.#changed()\n    await this.flush()\n    // The state is durable',
        '    this.#changed()\n    // The state is durable',
      ),
    ],
  },
  {
    name: 'what a full disk took of an append is left before the next',
    by: fullDisk,
    edits: [edit('segment-files.ts', '      this.#cutExcess(segment)\n', '      segment.sizeBytes = file.size()\n')],
  },
]

describe('the engine itself', () => {
  it.each([
    ['scripted', scripted],
    ['flippedBit', flippedBit],
    ['fullDisk', fullDisk],
    ['failedSync', failedSync],
    ['random', randomLives],
  ] as const)('survives %s', async (_, scenario) => {
    for (let seed = 1; seed <= 100; seed++) await scenario(seed)
  })
})

describe('a planted bug is found', () => {
  it.each(bugs)('$name', async ({ by, ...mutation }) => {
    const engine = await load(mutation)
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const found = await by(seed, engine).then(
        () => false,
        () => true,
      )
      if (found) return
    }
    throw new Error(`not found in ${SEEDS_MAX} seeds`)
  })
})
