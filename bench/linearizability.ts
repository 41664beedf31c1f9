// How long the linearizability checker takes: histories of correct systems, of broken ones, and the worst cases it has.
//   npm run bench -- linearizability [--runs 5] [--steps 10000000]
// Worst cases are built to defeat it, and are printed whatever they show: `unknown` is the step budget or the memory bound.
import { parseArgs } from 'node:util'
import { type Random, seededRandom } from '../packages/base/src/index.ts'
import {
  appendedLog,
  checkLinearizable,
  type LinearizabilityResult,
  lockModel,
  type Operation,
  register,
  storeModel,
  tightenByLog,
  versionedRegister,
} from '../packages/history/src/index.ts'
import { randomExecution } from '../packages/history/src/linearizability/random-execution.ts'
import {
  lockSystem,
  logSystem,
  registerSystem,
  storeSystem,
  versionedSystem,
} from '../packages/history/src/linearizability/random-systems.ts'
import { machineLine } from './machine.ts'

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' }, steps: { type: 'string', default: '10000000' } } })
const runs = Number(values.runs)
const whole = { partition: () => 'all', stepsMax: Number(values.steps) }

console.log(machineLine())
console.log(`worst of ${runs} seeds; every history is one partition\n`)

function row(
  name: string,
  history: (random: Random) => readonly Operation[],
  check: (history: readonly Operation[]) => LinearizabilityResult,
): void {
  const times: number[] = []
  const verdicts = new Set<string>()
  let steps = 0
  for (let seed = 1; seed <= runs; seed++) {
    const operations = history(seededRandom(seed))
    const startedAtMs = performance.now()
    const result = check(operations)
    times.push(performance.now() - startedAtMs)
    verdicts.add(result.verdict)
    steps = Math.max(steps, result.steps)
  }
  const worst = `${Math.max(...times).toFixed(0)} ms`
  const least = `${Math.min(...times).toFixed(0)} ms`
  console.log(
    `${name.padEnd(76)} ${least.padStart(9)} ${worst.padStart(9)} ${String(steps).padStart(10)} steps  ${[...verdicts].join(', ')}`,
  )
}

/** A stale read near the end: the answer of a read long before. */
function stale(history: readonly Operation[]): Operation[] {
  const reads = history.filter(({ f, outcome }) => (f === 'read' || f === 'get') && outcome === 'ok')
  const target = reads[Math.floor(reads.length * 0.9)]
  const source = reads[Math.floor(reads.length * 0.4)]
  return history.map(operation => (operation === target ? { ...operation, output: source?.output } : operation))
}

console.log('correct systems'.padEnd(76), '     best', '    worst')
for (const processes of [8, 16]) {
  const options = { processes, operations: 2_000 }
  const name = (model: string) => `${model}, 2,000 operations, ${processes} clients`
  row(
    name('register'),
    random => randomExecution(random, registerSystem(), options),
    history => checkLinearizable(register, history, whole),
  )
  row(
    name('register, nine writes per read'),
    random => randomExecution(random, registerSystem({ write: 9, read: 1 }), options),
    history => checkLinearizable(register, history, whole),
  )
  row(
    name('versioned register'),
    random => randomExecution(random, versionedSystem(random), options),
    history => checkLinearizable(versionedRegister, history, whole),
  )
  row(
    name('store'),
    random => randomExecution(random, storeSystem(10), options),
    history => checkLinearizable(storeModel(), history, whole),
  )
  row(
    name('lock'),
    random => randomExecution(random, lockSystem(random), options),
    history => checkLinearizable(lockModel(), history, whole),
  )
  row(
    name('log'),
    random => randomExecution(random, logSystem(), options),
    history => checkLinearizable(appendedLog, history, whole),
  )
}
row(
  'register, 20,000 operations, 16 clients',
  random => randomExecution(random, registerSystem(), { processes: 16, operations: 20_000 }),
  history => checkLinearizable(register, history, whole),
)
row(
  'store, 20,000 operations, 16 clients',
  random => randomExecution(random, storeSystem(10), { processes: 16, operations: 20_000 }),
  history => checkLinearizable(storeModel(), history, whole),
)

console.log('\none stale read at nine tenths')
for (const processes of [8, 16]) {
  const options = { processes, operations: 2_000 }
  row(
    `register, 2,000 operations, ${processes} clients`,
    random => stale(randomExecution(random, registerSystem(), options)),
    history => checkLinearizable(register, history, whole),
  )
  row(
    `store, 2,000 operations, ${processes} clients`,
    random => stale(randomExecution(random, storeSystem(10), options)),
    history => checkLinearizable(storeModel(), history, whole),
  )
}

console.log('\nlost answers (each may take effect at any later time), 16 clients')
for (const lost of [0.005, 0.02, 0.1]) {
  const options = { processes: 16, operations: 2_000, lost }
  const name = (model: string) => `${model}, 2,000 operations, ${lost * 100} % lost`
  row(
    name('register'),
    random => randomExecution(random, registerSystem(), options),
    history => checkLinearizable(register, history, whole),
  )
  row(
    name('store'),
    random => randomExecution(random, storeSystem(10), options),
    history => checkLinearizable(storeModel(), history, whole),
  )
  row(
    name('register, one stale read'),
    random => stale(randomExecution(random, registerSystem(), options)),
    history => checkLinearizable(register, history, whole),
  )
}

console.log('\nworst cases')
const line = (operation: number, f: string, input: unknown, output: unknown, t0: number): Operation => ({
  process: operation,
  operation,
  f,
  key: 'r',
  node: null,
  input,
  output,
  outcome: 'ok',
  t0,
  t1: t0 + 1,
  error: null,
})
for (const width of [8, 12, 16]) {
  // Every write is read while all are under way, so every subset with every last value is a configuration. Then a stale read.
  const subsets = (): Operation[] => [
    ...Array.from({ length: width }, (_, value) => line(value, 'write', value, null, 0)),
    ...Array.from({ length: width }, (_, value) => line(width + value, 'read', null, value, 0)),
    line(2 * width, 'write', 'last', null, 2),
    line(2 * width + 1, 'read', null, 0, 4),
  ]
  row(`register, ${width} concurrent writes, each read, then a stale read`, subsets, history => checkLinearizable(register, history, whole))
}
for (const width of [8, 12, 16]) {
  // Pairs of values are only read in an order that nothing but trying finds: each write of a value has a twin.
  const twins = (random: Random): Operation[] => {
    const writes = Array.from({ length: width }, (_, index) => line(index, 'write', index >> 1, null, 0))
    const cas = Array.from({ length: width }, (_, index) =>
      line(width + index, 'cas', { from: random.below(width), to: random.below(width) }, random.below(2) === 0, 0),
    )
    return [...writes, ...cas, line(2 * width, 'read', null, 'never', 2)]
  }
  row(`register, ${width} writes of twin values, ${width} cas, all at once`, twins, history => checkLinearizable(register, history, whole))
}
for (const lost of [0.02, 0.1]) {
  // A store whose answers carry no revision leaves all to guessing.
  const blind = (random: Random): Operation[] =>
    randomExecution(random, storeSystem(10), { processes: 8, operations: 1_000, lost }).map(each => {
      const { revision: _, ...rest } = each.output === null ? { revision: 0 } : (each.output as { revision: number })
      return { ...each, output: rest }
    })
  row(`store without revisions in answers, 1,000 operations, 8 clients, ${lost * 100} % lost`, blind, history =>
    checkLinearizable(storeModel(), history, whole),
  )
}

console.log('\nthe same with a dump of the server log')
const logged = (random: Random): { operations: readonly Operation[]; log: readonly string[] } => {
  const system = storeSystem(10)
  const log: string[] = []
  const operations = randomExecution(
    random,
    {
      ...system,
      execute: request => {
        if (request.f === 'put') log.push(String(request.input))
        return system.execute(request)
      },
    },
    { processes: 16, operations: 2_000, lost: 0.1 },
  )
  return { operations, log }
}
row(
  'store, 2,000 operations, 16 clients, 10 % lost, lost puts resolved',
  random => {
    const { operations, log } = logged(random)
    return tightenByLog(operations, log, ({ f, input }) => (f === 'put' ? String(input) : undefined)).operations
  },
  history => checkLinearizable(storeModel(), history, whole),
)
