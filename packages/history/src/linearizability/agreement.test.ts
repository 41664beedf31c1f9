// Rules LI1 to LI4: every model accepts what a correct system did, and the search agrees with the definition on histories
// that were tampered with.
import { type Random, seededRandom } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appendedLog } from '../models/appended-log.ts'
import { lockModel } from '../models/lock.ts'
import { register } from '../models/register.ts'
import { storeModel } from '../models/store.ts'
import { versionedRegister } from '../models/versioned-register.ts'
import type { Operation } from '../operation.ts'
import { checkLinearizable } from './check.ts'
import { linearizableByDefinition } from './exhaustive.ts'
import type { Model } from './model.ts'
import { randomExecution, type System } from './random-execution.ts'
import { lockSystem, logSystem, registerSystem, storeSystem, versionedSystem } from './random-systems.ts'

// The states and inputs of these models have nothing in common; the tests pass each model only what it made itself.
type AnyModel = Model<unknown, unknown, unknown>
const subjects: readonly { readonly name: string; readonly model: AnyModel; readonly system: (random: Random) => System }[] = [
  { name: 'register', model: register as AnyModel, system: () => registerSystem() },
  { name: 'store', model: storeModel() as AnyModel, system: () => storeSystem(3) },
  { name: 'versioned register', model: versionedRegister as AnyModel, system: versionedSystem },
  { name: 'lock', model: lockModel() as AnyModel, system: lockSystem },
  { name: 'lock with leases', model: lockModel({ expiring: true }) as AnyModel, system: lockSystem },
  { name: 'log', model: appendedLog as AnyModel, system: () => logSystem() },
]
const seeds = fc.integer({ min: 0, max: 2 ** 31 })
const whole = { partition: () => 'all' }

/** Rewrites one answer, with an answer of the same request kind from elsewhere in the history, a lost effect, or another place in time. */
function tampered(history: readonly Operation[], random: Random): Operation[] {
  const answered = history.filter(({ outcome }) => outcome === 'ok')
  const target = answered[random.below(answered.length)]!
  const alike = answered.filter(({ f }) => f === target.f)
  const other = alike[random.below(alike.length)]!
  const last = Math.max(...answered.map(({ t1 }) => t1))
  const mutations: readonly ((operation: Operation) => Operation[])[] = [
    operation => [{ ...operation, output: other.output }],
    // Told to have happened, did not: its request is taken out, those of others remain.
    () => [],
    operation => [operation, { ...operation, operation: 9_999, process: 9_999, t0: operation.t1 + 0.01, t1: operation.t1 + 0.02 }],
    operation => [{ ...operation, t0: last + 1, t1: last + 2 }],
    // Certainly applied, with an answer that nobody heard.
    operation => [{ ...operation, outcome: 'applied', output: null }],
    operation => [{ ...operation, t1: operation.t0 + (operation.t1 - operation.t0) * random.float() * 0.5 }],
  ]
  const mutate = mutations[random.below(mutations.length)]!
  return history.flatMap(operation => (operation === target ? mutate(operation) : [operation])).sort((a, b) => a.t0 - b.t0)
}

/** Operations at arbitrary times, of arbitrary outcome, on so few values that most of them occur several times. */
function registerSoup(random: Random, operations: number): Operation[] {
  const values = 1 + random.below(4)
  return Array.from({ length: operations }, (_, index): Operation => {
    const f = ['read', 'write', 'cas'][random.below(3)]!
    const outcome = random.below(4) === 0 ? 'info' : random.below(12) === 0 ? 'applied' : 'ok'
    const value = () => random.below(values)
    const input = f === 'read' ? null : f === 'write' ? value() : { from: value(), to: value() }
    const answer = f === 'read' ? [null, value(), value()][random.below(3)] : f === 'write' ? null : random.below(2) === 0
    const t0 = random.below(12)
    const t1 = outcome === 'info' ? Number.POSITIVE_INFINITY : t0 + 1 + random.below(8)
    const output = outcome === 'ok' ? answer : null
    return { process: index, operation: index, f, key: 'r', node: null, input, output, outcome, t0, t1, error: null }
  })
}

describe('register with few values', () => {
  it('[LI2] agrees with the definition on anything at all', () => {
    const verdicts = { true: 0, false: 0 }
    for (let seed = 1; seed <= 3_000; seed++) {
      const random = seededRandom(seed)
      const history = registerSoup(random, 3 + random.below(7))
      const truth = linearizableByDefinition(register, history)
      verdicts[`${truth}`]++
      expect(checkLinearizable(register, history).verdict, `seed ${seed}`).toBe(truth ? 'linearizable' : 'not linearizable')
    }
    expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(500)
  })
})

describe.each(subjects)('$name', ({ model, system }) => {
  it('[LI1] accepts whatever a correct system did, lost answers included', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 8 }), fc.constantFrom(0, 0.03), (seed, processes, lost) => {
        const random = seededRandom(seed)
        const history = randomExecution(random, system(random), { processes, operations: 120, lost })
        const result = checkLinearizable(model, history, whole)
        expect(result.verdict).toBe('linearizable')
        expect(result.partitions[0]?.stuck).toBeUndefined()
      }),
      { seed: 11, numRuns: 60 },
    )
  })

  it('[LI2] agrees with the definition on small histories, tampered with or not', () => {
    const verdicts = { true: 0, false: 0 }
    fc.assert(
      fc.property(seeds, seed => {
        const random = seededRandom(seed)
        const honest = randomExecution(random, system(random), { processes: 3, operations: 7, lost: 0.15 })
        const history = honest.some(({ outcome }) => outcome === 'ok') ? tampered(honest, random) : honest
        const truth = linearizableByDefinition(model, history)
        verdicts[`${truth}`]++
        expect(checkLinearizable(model, history, whole).verdict).toBe(truth ? 'linearizable' : 'not linearizable')
      }),
      { seed: 12, numRuns: 500 },
    )
    // Both sides were seen often enough to mean something.
    expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(50)
  })

  it('[LI2] agrees with the definition on longer histories', () => {
    const verdicts = { true: 0, false: 0 }
    fc.assert(
      fc.property(seeds, seed => {
        const random = seededRandom(seed)
        const history = tampered(randomExecution(random, system(random), { processes: 4, operations: 60, lost: 0.02 }), random)
        const truth = linearizableByDefinition(model, history)
        verdicts[`${truth}`]++
        expect(checkLinearizable(model, history, whole).verdict).toBe(truth ? 'linearizable' : 'not linearizable')
      }),
      { seed: 14, numRuns: 60 },
    )
    expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(5)
  })

  it('[LI3] shows an order that keeps real time and that the model accepts', () => {
    fc.assert(
      fc.property(seeds, seed => {
        const random = seededRandom(seed)
        const history = randomExecution(random, system(random), { processes: 5, operations: 60, lost: 0.05 })
        const [result] = checkLinearizable(model, history, whole).partitions
        const order = result!.order.map(({ operation }) => operation)
        expect(order.filter(({ outcome }) => outcome === 'ok')).toHaveLength(history.filter(({ outcome }) => outcome === 'ok').length)
        let state: unknown = model.initial
        let latestCall = -Infinity
        for (const operation of order) {
          expect(operation.t1).toBeGreaterThanOrEqual(latestCall)
          latestCall = Math.max(latestCall, operation.t0)
          state = model.step(state, model.input(operation), operation.outcome === 'ok' ? model.output(operation) : undefined)
          expect(state).toBeDefined()
        }
      }),
      { seed: 13, numRuns: 30 },
    )
  })
})
