// Rules MO1 to MO6: per model, violations planted in a correct history, each of which the checker must see, beside the honest
// history that differs from it in nothing else.
import { describe, expect, it } from 'vitest'
import { checkLinearizable } from '../linearizability/check.ts'
import type { Model } from '../linearizability/model.ts'
import { type Line, script } from '../script.ts'
import { appendedLog, chainHash, EMPTY_LOG_HASH } from './appended-log.ts'
import { lockModel } from './lock.ts'
import { register } from './register.ts'
import { storeModel } from './store.ts'
import { versionedRegister } from './versioned-register.ts'

interface Planted {
  readonly name: string
  readonly honest: readonly Line[]
  /** Index of the line that is replaced, and what it becomes. */
  readonly line: number
  readonly violation: Partial<Line>
}

/** One line after the other, each a unit of time after the one before. */
const inOrder = (...lines: readonly Omit<Line, 'at'>[]): Line[] => lines.map((line, index) => ({ ...line, at: [2 * index, 2 * index + 1] }))

function proves(rule: string, subject: Pick<Model<unknown, unknown, unknown>, 'name'>, table: readonly Planted[]): void {
  const model = subject as Model<unknown, unknown, unknown>
  const verdict = (lines: readonly Line[]) => checkLinearizable(model, script(...lines), { partition: () => 'all' }).verdict
  describe(`${model.name}`, () => {
    it.each(table)(`${rule} finds a planted $name`, ({ honest, line, violation }) => {
      expect(verdict(honest)).toBe('linearizable')
      expect(verdict(honest.map((each, index) => (index === line ? { ...each, ...violation } : each)))).toBe('not linearizable')
    })
  })
}

const write = (input: number) => ({ f: 'write', input })
const read = (output: number | null) => ({ f: 'read', output })
const cas = (from: number, to: number, output: boolean) => ({ f: 'cas', input: { from, to }, output })

proves('[MO1]', register, [
  { name: 'stale read', honest: inOrder(write(1), write(2), read(2)), line: 2, violation: read(1) },
  { name: 'lost write', honest: inOrder(write(1), read(1)), line: 1, violation: read(null) },
  { name: 'value nobody wrote', honest: inOrder(write(1), read(1)), line: 1, violation: read(7) },
  { name: 'cas that overwrote another value', honest: inOrder(write(1), write(2), cas(1, 3, false)), line: 2, violation: cas(1, 3, true) },
  { name: 'cas refused for no reason', honest: inOrder(write(1), cas(1, 2, true)), line: 1, violation: cas(1, 2, false) },
  {
    name: 'lost update of two cas from one value',
    honest: inOrder(write(1), cas(1, 2, true), cas(1, 3, false)),
    line: 2,
    violation: cas(1, 3, true),
  },
  { name: 'write applied twice', honest: inOrder(write(1), read(1), write(2), read(2)), line: 3, violation: read(1) },
  {
    name: 'read that goes back while a write is under way',
    honest: [
      { f: 'write', at: [0, 9], input: 1 },
      { f: 'read', at: [1, 2], output: 1 },
      { f: 'read', at: [3, 4], output: 1 },
    ],
    line: 2,
    violation: read(null),
  },
])

const put = (key: string, input: string, output: object) => ({ f: 'put', key, input, output })
const get = (key: string, output: object) => ({ f: 'get', key, output })
const entry = (key: string, value: string, createRevision: number, modRevision: number, version: number) => ({
  key,
  value,
  createRevision,
  modRevision,
  version,
})
const txn = (input: object, output: object) => ({ f: 'txn', key: '', input, output })
const guarded = (than: number) => ({
  compare: [{ key: 'a', target: 'modRevision', is: '=', than }],
  success: [{ f: 'put', key: 'b', value: 'x' }],
  failure: [{ f: 'get', key: 'a' }],
})
const a1 = put('a', '1', { revision: 1 })

proves('[MO2]', storeModel(), [
  { name: 'revision used twice', honest: inOrder(a1, put('b', '2', { revision: 2 })), line: 1, violation: { output: { revision: 1 } } },
  { name: 'revision left out', honest: inOrder(a1, put('b', '2', { revision: 2 })), line: 1, violation: { output: { revision: 3 } } },
  {
    name: 'stale read of another key',
    honest: inOrder(a1, put('b', '2', { revision: 2 }), get('a', { revision: 2 })),
    line: 2,
    violation: { output: { revision: 1 } },
  },
  { name: 'lost put', honest: inOrder(a1, get('a', { entry: entry('a', '1', 1, 1, 1) })), line: 1, violation: { output: { entry: null } } },
  {
    name: 'wrong previous value',
    honest: inOrder(a1, put('a', '2', { previous: { value: '1' } })),
    line: 1,
    violation: { output: { previous: null } },
  },
  {
    name: 'wrong version',
    honest: inOrder(a1, a1Again(), get('a', { entry: { version: 2 } })),
    line: 2,
    violation: { output: { entry: { version: 1 } } },
  },
  {
    name: 'create revision that moved',
    honest: inOrder(a1, a1Again(), get('a', { entry: { createRevision: 1 } })),
    line: 2,
    violation: { output: { entry: { createRevision: 2 } } },
  },
  {
    name: 'delete that did nothing',
    honest: inOrder(a1, { f: 'delete', key: 'a', output: { revision: 2 } }, get('a', { entry: null })),
    line: 2,
    violation: { output: { entry: { value: '1' } } },
  },
  {
    name: 'revision for a delete of nothing',
    honest: inOrder(a1, { f: 'delete', key: 'z', output: { revision: 1 } }),
    line: 1,
    violation: { output: { revision: 2 } },
  },
  {
    name: 'txn that ignored its compare',
    honest: inOrder(a1, txn(guarded(1), { revision: 2, succeeded: true })),
    line: 1,
    violation: { input: guarded(7) },
  },
  {
    name: 'txn torn in two',
    honest: inOrder(a1, txn(guarded(1), { revision: 2 }), get('b', { revision: 2, entry: { value: 'x', modRevision: 2 } })),
    line: 2,
    violation: { output: { revision: 2, entry: null } },
  },
  {
    name: 'range that left out a key',
    honest: inOrder(a1, { f: 'range', key: 'a', input: { to: 'c' }, output: { entries: [{ key: 'a' }] } }),
    line: 1,
    violation: { output: { entries: [] } },
  },
])
function a1Again() {
  return put('a', '2', { revision: 2 })
}

const vput = (input: string, revision?: number) => ({ f: 'put', input, output: revision === undefined ? {} : { revision } })
const vget = (value: string, modRevision: number) => ({ f: 'get', output: { entry: { value, modRevision } } })
const vcas = (modRevision: number, value: string, succeeded: boolean) => ({
  f: 'cas',
  input: { modRevision, value },
  output: { succeeded },
})

proves('[MO3]', versionedRegister, [
  { name: 'stale read', honest: inOrder(vput('1', 4), vput('2', 9), vget('2', 9)), line: 2, violation: vget('1', 4) },
  { name: 'revision that went back', honest: inOrder(vput('1', 4), vput('2', 9)), line: 1, violation: vput('2', 3) },
  { name: 'revision of another write', honest: inOrder(vput('1', 4), vput('2', 9), vget('2', 9)), line: 2, violation: vget('2', 8) },
  {
    name: 'cas on an old revision',
    honest: inOrder(vput('1', 4), vput('2', 9), vcas(9, '3', true)),
    line: 2,
    violation: vcas(4, '3', true),
  },
  { name: 'cas refused for no reason', honest: inOrder(vput('1', 4), vcas(4, '3', true)), line: 1, violation: vcas(4, '3', false) },
  {
    name: 'two revisions for one write that nobody was told of',
    honest: inOrder(vput('1'), vget('1', 5), vget('1', 5)),
    line: 2,
    violation: vget('1', 6),
  },
  {
    name: 'delete that found nothing',
    honest: inOrder(vput('1', 4), { f: 'delete', output: { deleted: true } }),
    line: 1,
    violation: { output: { deleted: false } },
  },
  {
    name: 'value back after a delete',
    honest: inOrder(vput('1', 4), { f: 'delete', output: {} }, { f: 'get', output: { entry: null } }),
    line: 2,
    violation: vget('1', 4),
  },
])

const acquire = (token: number | null) => ({ f: 'acquire', output: token === null ? null : { token } })
const release = (token: number, output = true) => ({ f: 'release', input: { token }, output })

proves('[MO4]', lockModel(), [
  { name: 'second holder', honest: inOrder(acquire(1), acquire(null)), line: 1, violation: acquire(2) },
  { name: 'token used twice', honest: inOrder(acquire(1), release(1), acquire(2)), line: 2, violation: acquire(1) },
  { name: 'token that went back', honest: inOrder(acquire(5), release(5), acquire(6)), line: 2, violation: acquire(3) },
  { name: 'grant refused though free', honest: inOrder(acquire(1), release(1), acquire(2)), line: 2, violation: acquire(null) },
  { name: 'release by somebody else', honest: inOrder(acquire(1), release(7, false)), line: 1, violation: release(7, true) },
  { name: 'release that ended nothing', honest: inOrder(acquire(1), release(1)), line: 1, violation: release(1, false) },
  { name: 'holder that is not one', honest: inOrder(acquire(1), { f: 'holder', output: 1 }), line: 1, violation: { output: null } },
])

proves('[MO5]', lockModel({ expiring: true }), [
  { name: 'token used twice', honest: inOrder(acquire(1), acquire(2)), line: 1, violation: acquire(1) },
  { name: 'token that went back', honest: inOrder(acquire(5), acquire(6)), line: 1, violation: acquire(3) },
  { name: 'release of an old grant', honest: inOrder(acquire(1), acquire(2), release(1, false)), line: 2, violation: release(1, true) },
  {
    name: 'held after it was released',
    honest: inOrder(acquire(1), { f: 'release', input: { token: 1 }, output: null }, { f: 'holder', output: null }),
    line: 2,
    violation: { output: 1 },
  },
  { name: 'old token seen again', honest: inOrder(acquire(1), acquire(2), { f: 'holder', output: 2 }), line: 2, violation: { output: 1 } },
  { name: 'grant refused though free', honest: inOrder(acquire(1), release(1), acquire(2)), line: 2, violation: acquire(null) },
])

const append = (records: string[], tail: number | null, more: object = {}) => ({
  f: 'append',
  input: { records, ...more },
  output: tail === null ? null : { tail },
})
const hashOf = (...records: string[]) => records.reduce(chainHash, EMPTY_LOG_HASH)
const readLog = (tail: number, hash: string) => ({ f: 'read', output: { tail, hash } })

proves('[MO6]', appendedLog, [
  {
    name: 'stale tail',
    honest: inOrder(append(['a'], 1), append(['b'], 2), { f: 'tail', output: { tail: 2 } }),
    line: 2,
    violation: { output: { tail: 1 } },
  },
  { name: 'lost record', honest: inOrder(append(['a'], 1), append(['b'], 2)), line: 1, violation: append(['b'], 1) },
  {
    name: 'duplicated record',
    honest: inOrder(append(['a'], 1), readLog(1, hashOf('a'))),
    line: 1,
    violation: readLog(2, hashOf('a', 'a')),
  },
  { name: 'changed record', honest: inOrder(append(['a'], 1), readLog(1, hashOf('a'))), line: 1, violation: readLog(1, hashOf('b')) },
  {
    name: 'reordering',
    honest: inOrder(append(['a'], 1), append(['b'], 2), readLog(2, hashOf('a', 'b'))),
    line: 2,
    violation: readLog(2, hashOf('b', 'a')),
  },
  {
    name: 'append past a tail that did not match',
    honest: inOrder(append(['a'], 1), append(['b'], null, { matchTail: 0 })),
    line: 1,
    violation: append(['b'], 2, { matchTail: 0 }),
  },
  {
    name: 'append under an old token',
    honest: inOrder({ f: 'fence', input: { token: 'new' } }, append(['a'], null, { token: 'old' })),
    line: 1,
    violation: append(['a'], 1, { token: 'old' }),
  },
])

describe('shapes', () => {
  const subjects = [register, storeModel(), versionedRegister, lockModel(), appendedLog] as readonly Pick<
    Model<unknown, unknown, unknown>,
    'name'
  >[]
  it.each(subjects)('[MO7] $name names the operation it does not know or cannot read', subject => {
    const model = subject as Model<unknown, unknown, unknown>
    const checked = (line: Line) => () => checkLinearizable(model, script(line))
    expect(checked({ f: 'surprise', at: [0, 1] })).toThrow(/operation 0 \(process 0, surprise "k"\): the model knows /)
    for (const f of ['cas', 'txn', 'append', 'release'])
      expect(checked({ f, at: [0, 1], input: 'neither list nor object', output: 'nor this' })).toThrow(/not a valid history: operation 0/)
  })
})
