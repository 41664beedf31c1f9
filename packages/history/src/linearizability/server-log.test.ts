// Rule LI11: what a dump of the servers' log says about operations of unknown outcome.
import { seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { register } from '../models/register.ts'
import type { Operation } from '../operation.ts'
import { script } from '../script.ts'
import { checkLinearizable } from './check.ts'
import { type Request, randomExecution } from './random-execution.ts'
import { registerSystem } from './random-systems.ts'
import { tightenByLog } from './server-log.ts'

const identify = ({ f, input }: Pick<Operation, 'f' | 'input'>) => (f === 'write' ? String(input) : undefined)

describe('a dump of the log', () => {
  const history = script(
    { f: 'write', at: [0, 1], input: 1 },
    { f: 'write', at: [2, 3], input: 2, outcome: 'info' },
    { f: 'write', at: [2, 3], input: 3, outcome: 'info' },
    { f: 'write', at: [6, 7], input: 4 },
    { f: 'read', at: [4, 5], outcome: 'info' },
  )

  it('[LI11] leaves out what was never applied, and narrows the bounds of what was', () => {
    const { operations, problems } = tightenByLog(history, ['1', '3', '4'], identify)
    expect(problems).toEqual([])
    expect(operations.map(({ operation, outcome, t0, t1 }) => [operation, outcome, t0, t1])).toEqual([
      [0, 'ok', 0, 1],
      [2, 'applied', 2, 7],
      [3, 'ok', 6, 7],
      [4, 'info', 4, Number.POSITIVE_INFINITY],
    ])
    // Behind write 4 in the log, it took effect after that was called.
    expect(tightenByLog(history, ['1', '4', '3'], identify).operations[1]).toMatchObject({
      operation: 2,
      t0: 6,
      t1: Number.POSITIVE_INFINITY,
    })
  })

  it('[LI11] sees an effect that is duplicated, lost or undead, and an identity that is none', () => {
    const failed = script({ f: 'write', at: [0, 1], input: 9, outcome: 'fail' })
    expect(tightenByLog(history, ['1', '3', '3', '4'], identify).problems).toEqual(['3 stands in the log twice: its effect was duplicated'])
    expect(tightenByLog(history, ['1'], identify).problems).toEqual([
      'operation 3 (write k) was answered, and does not stand in the log: it was lost',
    ])
    expect(tightenByLog(failed, ['9'], identify).problems).toEqual(['operation 0 (write k) failed, and stands in the log'])
    expect(tightenByLog(history.slice(0, 1).concat(history.slice(0, 1)), ['1'], identify).problems).toEqual([
      'operation 0 (write k) and operation 0 (write k) have one identity, 1',
    ])
  })

  it('[LI11] changes no verdict about a correct system', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed)
      const system = registerSystem({ read: 1, write: 1 })
      const log: string[] = []
      const logged = {
        ...system,
        execute: (request: Request) => {
          const identity = identify(request)
          if (identity !== undefined) log.push(identity)
          return system.execute(request)
        },
      }
      const operations = randomExecution(random, logged, { processes: 6, operations: 150, lost: 0.1 })
      const tightened = tightenByLog(operations, log, identify)
      expect(tightened.problems).toEqual([])
      expect(tightened.operations.filter(({ f, outcome }) => f === 'write' && outcome === 'info')).toEqual([])
      const after = checkLinearizable(register, tightened.operations)
      expect(after.verdict, `seed ${seed}`).toBe('linearizable')
    }
  })
})
