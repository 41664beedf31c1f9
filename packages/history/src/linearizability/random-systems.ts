// For tests and benchmarks: correct systems of each model, for `random-execution.ts`.
import type { Random } from '@atoll/base'
import { appendedLog, type LogInput } from '../models/appended-log.ts'
import { type RegisterInput, register } from '../models/register.ts'
import { storeModel } from '../models/store.ts'
import { storeRequest } from '../models/store-requests.ts'
import type { Operation } from '../operation.ts'
import type { Request, System } from './random-execution.ts'

/** How often each kind of request is drawn, relative to the others. */
type Weights = Readonly<Record<string, number>>

function pick(random: Random, weights: Weights): string {
  const names = Object.entries(weights).flatMap(([name, weight]) => new Array<string>(weight).fill(name))
  return names[random.below(names.length)] ?? ''
}

/** Values are unique, except that a cas expects one read before or any recent one. */
export function registerSystem(weights: Weights = { read: 5, write: 4, cas: 1 }): System {
  let state = register.initial
  return {
    draw(random, index, last) {
      const f = pick(random, weights)
      const from = typeof last === 'number' ? last : random.below(index + 1)
      return { f, key: 'r', input: f === 'read' ? null : f === 'write' ? index : { from, to: index } }
    },
    execute(request) {
      const executed = register.execute(state, { ...inputOf(request, 'value') } as RegisterInput)
      state = executed.state
      return executed.output
    },
  }
}

export function storeSystem(keys = 5, weights: Weights = { get: 4, put: 4, delete: 1, range: 1, txn: 2 }): System {
  const model = storeModel()
  let state = model.initial
  return {
    draw(random, index) {
      const f = pick(random, weights)
      const key = `k${random.below(keys)}`
      if (f === 'range') return { f, key: 'k0', input: { to: 'k9' } }
      if (f === 'put') return { f, key, input: `v${index}` }
      if (f !== 'txn') return { f, key, input: null }
      const [known] = state.entries.filter(entry => entry.key === key)
      const compare = [{ key, target: 'modRevision', is: '=', than: random.below(3) === 0 ? 0 : (known?.modRevision ?? 0) }]
      const puts = [key, `k${random.below(keys)}`].map(at => ({ f: 'put', key: at, value: `t${index}` }))
      return { f, key, input: { compare, success: puts, failure: [{ f: 'get', key }] } }
    },
    execute(request) {
      const executed = model.execute(state, storeRequest(request as unknown as Operation))
      state = executed.state
      return executed.output
    },
  }
}

/** One key of a store whose revision also grows by what others do. */
export function versionedSystem(random: Random): System {
  let revision = 0
  let entry: { value: string; modRevision: number } | null = null
  const raise = () => {
    revision += 1 + random.below(3)
    return revision
  }
  return {
    draw(drawn, index, last) {
      const f = pick(drawn, { get: 4, put: 3, delete: 1, cas: 2 })
      const seen = (last as { entry?: { modRevision: number } | null } | null)?.entry?.modRevision
      const input = f === 'put' ? `v${index}` : f === 'cas' ? { modRevision: seen ?? entry?.modRevision ?? 0, value: `v${index}` } : null
      return { f, key: 'k', input }
    },
    execute({ f, input }) {
      if (f === 'get') return { entry }
      if (f === 'put') entry = { value: input as string, modRevision: raise() }
      else if (f === 'delete') {
        const deleted = entry !== null
        entry = null
        return deleted ? { deleted, revision: raise() } : { deleted }
      } else {
        const { modRevision, value } = input as { modRevision: number; value: string }
        if (modRevision !== (entry?.modRevision ?? 0)) return { succeeded: false }
        entry = { value, modRevision: raise() }
        return { succeeded: true, revision }
      }
      return { revision }
    },
  }
}

export function lockSystem(random: Random): System {
  let token = 0
  let holder: number | null = null
  return {
    draw(drawn, _index, last) {
      const held = (last as { token?: number } | null)?.token
      if (held !== undefined) return { f: 'release', key: 'l', input: { token: held } }
      return { f: pick(drawn, { acquire: 3, holder: 1 }), key: 'l', input: null }
    },
    execute({ f, input }) {
      if (f === 'holder') return holder
      if (f === 'release') {
        const current = holder === (input as { token: number }).token
        if (current) holder = null
        return current
      }
      if (holder !== null) return null
      token += 1 + random.below(3)
      holder = token
      return { token }
    },
  }
}

export function logSystem(): System {
  let state = appendedLog.initial
  return {
    draw(random, index) {
      const f = pick(random, { append: 4, read: 3, tail: 1 })
      const records = Array.from({ length: 1 + random.below(2) }, (_, place) => `${index}.${place}`)
      const matchTail = random.below(3) === 0 ? state.tail : undefined
      return { f, key: 'log', input: f === 'append' ? { records, ...(matchTail === undefined ? {} : { matchTail }) } : null }
    },
    execute(request) {
      const executed = appendedLog.execute(state, inputOf(request, 'input') as unknown as LogInput)
      state = executed.state
      return executed.output
    },
  }
}

/** The request in the form that a model's `input` gives it; a plain argument takes the name `plain`. */
function inputOf({ f, input }: Request, plain: string): Readonly<Record<string, unknown>> {
  return typeof input === 'object' ? { f, ...input } : { f, [plain]: input }
}
