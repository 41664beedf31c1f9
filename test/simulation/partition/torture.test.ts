// Seeds of everything at once. A failure prints its seed; `PARTITION_SEED=n` runs that one alone and prints what happened.
import * as broker from '@atoll/broker'
import { describe, expect, it } from 'vitest'
import { type Result, torture } from './torture.ts'

const SEEDS = 60
/** The one seed to run instead of all, with its trace. */
const alone = process.env['PARTITION_SEED']

/** What every seed must amount to, or it proves too little. */
function isThin({ virtualMs, acknowledged, consumed, faultsFired }: Result): boolean {
  return virtualMs < 12_000 || acknowledged < 200 || consumed < 150 || faultsFired < 8
}

function total(results: readonly Result[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { coverage } of results) for (const [what, times] of coverage) counts.set(what, (counts.get(what) ?? 0) + times)
  return counts
}

function runAlone(seed: number): void {
  const { violations, trace } = torture(broker, seed, { tracing: true })
  if (violations.length > 0) console.log(trace.slice(-200).join('\n'))
  expect(violations).toEqual([])
}

describe('replicas under torture', () => {
  it(`[RP40] [RP41] keep every invariant and recover, in ${alone === undefined ? `${SEEDS} seeds` : `seed ${alone}`}`, () => {
    if (alone !== undefined) return runAlone(Number(alone))
    const results: Result[] = []
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = torture(broker, seed)
      expect(result.violations, `PARTITION_SEED=${seed}`).toEqual([])
      const { acknowledged, consumed, faultsFired } = result
      expect(isThin(result), `seed ${seed}: ${acknowledged} acknowledged, ${consumed} consumed, ${faultsFired} faults`).toBe(false)
      results.push(result)
    }
    const sum = (pick: (result: Result) => number) => results.reduce((sum, result) => sum + pick(result), 0)
    const counts = [...total(results)].toSorted(([a], [b]) => a.localeCompare(b)).map(([what, times]) => `  ${what}: ${times}`)
    console.log(
      `${sum(({ virtualMs }) => virtualMs) / 1_000} virtual seconds, ${sum(({ acknowledged }) => acknowledged)} batches acknowledged, ` +
        `${sum(({ consumed }) => consumed)} consumed, ${sum(({ faultsFired }) => faultsFired)} faults, ` +
        `${sum(({ leaders }) => leaders)} leaderships\n${counts.join('\n')}`,
    )
  })

  it('replays a seed exactly', () => {
    const [first, second] = [torture(broker, 3, { tracing: true }), torture(broker, 3, { tracing: true })]
    expect(second.trace).toEqual(first.trace)
  })
})
