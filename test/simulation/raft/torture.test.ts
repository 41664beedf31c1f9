// Seeds of everything at once. A failure prints its seed; `RAFT_SEED=n` runs that one alone and prints what happened.
import * as raft from '@atoll/raft'
import { describe, expect, it } from 'vitest'
import { type Result, torture } from './torture.ts'

const SEEDS = 240
/** The one seed to run instead of all, with its trace. */
const alone = process.env['RAFT_SEED']

/** What every seed must amount to, or it proves too little. */
function isThin({ virtualMs, operations, faultsFired }: Result): boolean {
  return virtualMs < 60_000 || operations < 1_000 || faultsFired < 20
}

function total(results: readonly Result[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { coverage } of results) for (const [what, times] of coverage) counts.set(what, (counts.get(what) ?? 0) + times)
  return counts
}

function runAlone(seed: number): void {
  const { violations, trace } = torture(raft, seed, true)
  if (violations.length > 0) console.log(trace.slice(-400).join('\n'))
  expect(violations).toEqual([])
}

describe('a cluster under torture', () => {
  it(`[RA80] [RA81] keeps every invariant and recovers, in ${alone === undefined ? `${SEEDS} seeds` : `seed ${alone}`}`, () => {
    if (alone !== undefined) return runAlone(Number(alone))
    const results: Result[] = []
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = torture(raft, seed)
      expect(result.violations, `RAFT_SEED=${seed}`).toEqual([])
      expect(isThin(result), `seed ${seed}: ${result.operations} operations, ${result.faultsFired} faults`).toBe(false)
      results.push(result)
    }
    const sum = (pick: (result: Result) => number) => results.reduce((sum, result) => sum + pick(result), 0)
    const counts = [...total(results)].toSorted(([a], [b]) => a.localeCompare(b)).map(([what, times]) => `  ${what}: ${times}`)
    console.log(
      `${sum(({ virtualMs }) => virtualMs) / 1_000} virtual seconds, ${sum(({ operations }) => operations)} operations ` +
        `(${sum(({ acknowledged }) => acknowledged)} writes acknowledged, ${sum(({ served }) => served)} reads served), ` +
        `${sum(({ faultsFired }) => faultsFired)} faults, ${sum(({ leaders }) => leaders)} leaders\n${counts.join('\n')}`,
    )
  })

  it('replays a seed exactly', () => {
    const [first, second] = [torture(raft, 7, true), torture(raft, 7, true)]
    expect(second.trace).toEqual(first.trace)
  })
})
