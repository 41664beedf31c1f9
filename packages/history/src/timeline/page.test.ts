// Rules TL1 to TL4: the page of a failed history.
import { seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { DRAWN_OPERATIONS_MAX } from '../limits.ts'
import { checkLinearizable } from '../linearizability/check.ts'
import { randomExecution } from '../linearizability/random-execution.ts'
import { registerSystem } from '../linearizability/random-systems.ts'
import { register } from '../models/register.ts'
import type { Operation } from '../operation.ts'
import { script } from '../script.ts'
import { layOut } from './layout.ts'
import { timelinePage } from './page.ts'

const checked = (operations: readonly Operation[]) => checkLinearizable(register, operations, { partition: () => 'all' }).partitions[0]!
const failed = script(
  { f: 'write', at: [0, 1], input: 'one', process: 0 },
  { f: 'write', at: [2, 5], input: '<b>"two"</b>', process: 1 },
  { f: 'write', at: [3, 4], input: 'lost', process: 0, outcome: 'info' },
  { f: 'read', at: [6, 7], output: 'one', process: 1 },
  { f: 'read', at: [8, 9], output: '<b>"two"</b>', process: 2 },
)

describe('the page', () => {
  const page = timelinePage('Leader <paused> & resumed', checked(failed))

  it('[TL1] needs nothing but itself, and has a light and a dark side', () => {
    expect(page).not.toMatch(/https?:|\bsrc=|\bhref=|url\(|@import/)
    expect(page).toContain('color-scheme: light dark')
    expect(page).toContain('prefers-color-scheme: dark')
  })

  it('[TL2] has a row per process, and marks the first operation that cannot be linearized', () => {
    expect(page.match(/<div>process \d<\/div>/g)).toEqual(['<div>process 0</div>', '<div>process 1</div>', '<div>process 2</div>'])
    const marked = page.match(/<div class="op stuck"[^>]*>[^<]*<\/div>/g)
    expect(marked).toHaveLength(1)
    expect(marked![0]).toMatch(/the first operation that cannot be linearized">read → &quot;one&quot;</)
    expect(page).toContain('class="deadline"')
    expect(page).toMatch(/class="op perhaps"[^>]*never returned&#10;outcome info/)
  })

  it('[TL3] shows nothing of a history as markup', () => {
    expect(page).toContain('<title>Leader &lt;paused&gt; &amp; resumed</title>')
    expect(page).not.toContain('<b>')
  })

  it('[TL2] also draws a history that is linearizable', () => {
    const good = timelinePage('good', checked(failed.filter(({ operation }) => operation !== 3)))
    expect(good).toContain('<span class="verdict good">linearizable</span>')
    expect(good).not.toContain('class="op stuck"')
  })

  it('[TL4] draws a bounded part of a long history, the failure in it, and says what is left out', () => {
    const honest = randomExecution(seededRandom(4), registerSystem({ read: 1, write: 1 }), {
      processes: 6,
      operations: 3 * DRAWN_OPERATIONS_MAX,
    })
    const reads = honest.filter(({ f }) => f === 'read')
    const target = reads[Math.floor(reads.length * 0.7)]
    const result = checked(honest.map(each => (each === target ? { ...each, output: reads[5]!.output } : each)))
    const { bars, before, after } = layOut(result)
    expect(bars).toHaveLength(DRAWN_OPERATIONS_MAX)
    expect(before + after).toBe(2 * DRAWN_OPERATIONS_MAX)
    expect(timelinePage('long', result)).toContain(`${before} operations before and ${after} after are not drawn.`)
    expect(bars.map(({ operation }) => operation)).toContain(result.stuck!.operation)
  })

  it('[TL2] draws bars as wide as they are long, and effects inside them in the order found', () => {
    const { bars } = layOut(checked(randomExecution(seededRandom(9), registerSystem(), { processes: 5, operations: 80 })))
    const inOrder = bars.toSorted((a, b) => a.place! - b.place!)
    for (const [index, { left, right, point }] of inOrder.entries()) {
      expect(right).toBeGreaterThan(left)
      expect(point!).toBeGreaterThanOrEqual(left)
      expect(point!).toBeLessThanOrEqual(right)
      expect(point!).toBeGreaterThanOrEqual(inOrder[index - 1]?.point ?? 0)
    }
  })
})
