// Rules LI4 to LI10: what counts, what is said about a failure, and where the search ends.
import { seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { register } from '../models/register.ts'
import type { Operation } from '../operation.ts'
import { script } from '../script.ts'
import { checkLinearizable } from './check.ts'
import { linearizableByDefinition } from './exhaustive.ts'
import { randomExecution } from './random-execution.ts'
import { registerSystem } from './random-systems.ts'

const verdict = (operations: readonly Operation[]) => checkLinearizable(register, operations).verdict

describe('what counts', () => {
  it('[LI4] takes a failed operation as one that never happened', () => {
    const write = { f: 'write', at: [0, 1], input: 5, outcome: 'fail' } as const
    expect(verdict(script(write, { f: 'read', at: [2, 3], output: null }))).toBe('linearizable')
    expect(verdict(script(write, { f: 'read', at: [2, 3], output: 5 }))).toBe('not linearizable')
  })

  it('[LI5] lets an operation of unknown outcome happen at any time after its call, once, or never', () => {
    const write = { f: 'write', at: [1, 2], input: 5, outcome: 'info' } as const
    const read = (at: number, output: number | null) => ({ f: 'read', at: [at, at + 1], output }) as const
    expect(verdict(script(write, read(90, null)))).toBe('linearizable')
    expect(verdict(script(write, read(80, null), read(90, 5)))).toBe('linearizable')
    expect(verdict(script(write, read(-3, 5)))).toBe('not linearizable')
    expect(verdict(script(write, read(80, 5), read(90, null)))).toBe('not linearizable')
    const other = { f: 'write', at: [82, 83], input: 6 } as const
    expect(verdict(script(write, read(80, 5), other, read(90, 5)))).toBe('not linearizable')
  })

  it('[LI5] drops a read whose answer was lost', () => {
    expect(verdict(script({ f: 'read', at: [0, 1], outcome: 'info' }, { f: 'read', at: [2, 3], outcome: 'fail' }))).toBe('linearizable')
  })

  it('[LI6] takes operations as concurrent when one returns at the time the other is called', () => {
    expect(verdict(script({ f: 'write', at: [0, 5], input: 1 }, { f: 'read', at: [5, 6], output: null }))).toBe('linearizable')
    expect(verdict(script({ f: 'write', at: [0, 5], input: 1 }, { f: 'read', at: [5.001, 6], output: null }))).toBe('not linearizable')
  })

  it('[LI7] judges each key by itself, and names those that fail first', () => {
    const history = script(
      { f: 'write', at: [0, 1], key: 'good', input: 1 },
      { f: 'read', at: [2, 3], key: 'good', output: 1 },
      { f: 'write', at: [0, 1], key: 'bad', input: 1 },
      { f: 'read', at: [2, 3], key: 'bad', output: null },
    )
    const result = checkLinearizable(register, history)
    expect(result.verdict).toBe('not linearizable')
    expect(result.partitions.map(each => [each.partition, each.verdict])).toEqual([
      ['bad', 'not linearizable'],
      ['good', 'linearizable'],
    ])
    expect(checkLinearizable(register, []).verdict).toBe('linearizable')
  })
})

describe('what is said about a failure', () => {
  it('[LI8] blames the first return at which the history is no longer linearizable, with an order of all before it', () => {
    let blamed = 0
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed)
      const honest = randomExecution(random, registerSystem({ read: 1, write: 1 }), { processes: 3, operations: 30 })
      const reads = honest.filter(({ f }) => f === 'read')
      const target = reads[reads.length - 2]
      const history = honest.map(each => (each === target ? { ...each, output: reads[0]!.output } : each))
      const [result] = checkLinearizable(register, history).partitions
      if (result?.verdict !== 'not linearizable') continue
      blamed++
      const { stuck, order } = result
      const returned = (before: (t1: number) => boolean) =>
        history.flatMap((each): Operation[] => {
          if (before(each.t1)) return [each]
          return each.t0 < stuck!.operation.t1 ? [{ ...each, outcome: 'info', output: null, t1: Number.POSITIVE_INFINITY }] : []
        })
      expect(
        linearizableByDefinition(
          register,
          returned(t1 => t1 < stuck!.operation.t1),
        ),
      ).toBe(true)
      expect(
        linearizableByDefinition(
          register,
          returned(t1 => t1 <= stuck!.operation.t1),
        ),
      ).toBe(false)
      const placed = new Set(order.map(({ operation }) => operation.operation))
      expect(history.filter(({ t1, operation }) => t1 < stuck!.operation.t1 && !placed.has(operation))).toEqual([])
      expect(placed).not.toContain(stuck!.operation.operation)
    }
    expect(blamed).toBeGreaterThan(20)
  })

  it('[LI8] tells operations and states in the words of the model', () => {
    const [result] = checkLinearizable(
      register,
      script({ f: 'write', at: [0, 1], input: 1 }, { f: 'read', at: [2, 3], output: 2 }),
    ).partitions
    expect(result).toMatchObject({ initialState: 'null', order: [{ text: 'write 1', state: '1' }], stuck: { text: 'read → 2' } })
  })
})

describe('where the search ends', () => {
  /** All writes overlap and each is read at once, so every subset is a configuration; the last read is impossible. */
  const width = 11
  const hopeless = script(
    ...Array.from({ length: width }, (_, value) => ({ f: 'write', at: [0, 10], input: value }) as const),
    ...Array.from({ length: width }, (_, value) => ({ f: 'read', at: [0, 10], output: value }) as const),
    { f: 'write', at: [11, 12], input: 'last' },
    { f: 'read', at: [13, 14], output: 3 },
  )

  it('[LI9] answers unknown when its steps are spent, with the longest order so far', () => {
    const result = checkLinearizable(register, hopeless, { stepsMax: 1_000 })
    expect(result.verdict).toBe('unknown')
    expect(result.steps).toBeLessThan(1_000 + 2 * width)
    expect(result.partitions[0]!.order.length).toBeGreaterThan(width)
    expect(checkLinearizable(register, hopeless).verdict).toBe('not linearizable')
  })

  it('[LI9] says when it could not find whom to blame', () => {
    const honest = randomExecution(seededRandom(1), registerSystem(), { processes: 10, operations: 400, lost: 0.05 })
    const reads = honest.filter(({ f, outcome }) => f === 'read' && outcome === 'ok')
    const target = reads.at(-5)
    const history = honest.map(each => (each === target ? { ...each, output: reads[40]!.output } : each))
    let stepsMax = 1_000
    while (checkLinearizable(register, history, { stepsMax }).verdict === 'unknown') stepsMax = Math.ceil(stepsMax * 1.05)
    expect(checkLinearizable(register, history, { stepsMax }).partitions[0]).toMatchObject({ verdict: 'not linearizable', exact: false })
    const [result] = checkLinearizable(register, history).partitions
    expect(result).toMatchObject({ verdict: 'not linearizable', exact: true })
    expect(result!.stuck!.operation.operation).toBe(target!.operation)
  })

  it('[LI9] answers unknown when the memory for configurations is full', () => {
    expect(checkLinearizable(register, hopeless, { configurationWordsMax: 4_000 }).verdict).toBe('unknown')
  })

  it('[LI10] decides 2,000 operations of 16 clients within a small part of its budget', () => {
    for (const system of [registerSystem(), registerSystem({ write: 9, read: 1 })]) {
      const history = randomExecution(seededRandom(3), system, { processes: 16, operations: 2_000 })
      const result = checkLinearizable(register, history)
      expect(result.verdict).toBe('linearizable')
      expect(result.steps).toBeLessThan(20_000)
    }
  })
})
