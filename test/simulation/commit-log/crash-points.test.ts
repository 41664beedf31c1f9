// A scripted life of a log, ended after every single operation on the disk in every way a process can end, and random
// lives with faults. What was reported durable is there afterwards, nothing is invented, and the log goes on.
import { describe, expect, it } from 'vitest'
import { type Crash, LogBench, LogModel } from './bench.ts'
import { crashAt, randomLives, script } from './lives.ts'

const crashes: readonly Crash[] = ['kill', 'dropped', 'kept', 'drawn', 'drawn', 'drawn']
const RANDOM_SEEDS = 150

describe('a log', async () => {
  const operations = await new LogBench(1).operationsOf(ports => script(ports, new LogModel()))

  it.each(crashes.map((crash, index) => [crash, index] as const))(
    '[CL20] survives an end after each operation: %s, %i',
    async (crash, index) => {
      for (let count = 1; count <= operations; count++) {
        try {
          await crashAt(1_000 * index + count, count, crash)
        } catch (error) {
          throw new Error(`operation ${count} of ${operations}, ${crash}, seed ${1_000 * index + count}`, { cause: error })
        }
      }
    },
  )

  it(`[CL20] survives ${RANDOM_SEEDS} random lives with full disks and failed syncs`, async () => {
    const fired: Record<string, number> = {}
    for (let seed = 1; seed <= RANDOM_SEEDS; seed++) {
      const bench = await randomLives(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error })
      })
      for (const [fault, count] of Object.entries(bench.disk.fired)) fired[fault] = (fired[fault] ?? 0) + count
    }
    for (const fault of ['pagesDropped', 'pagesTorn', 'pagesGarbled', 'namesLost', 'writesRefused', 'syncsFailed', 'pagesLostBySync'])
      expect(fired[fault], fault).toBeGreaterThan(20)
  })
})
