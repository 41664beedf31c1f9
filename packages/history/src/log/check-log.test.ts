// Rules PL1 to PL9: a partitioned log, as its producers and consumers saw it.
import { type Random, seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { HistoryError } from '../history-error.ts'
import type { Operation, Outcome } from '../operation.ts'
import { type Line, script } from '../script.ts'
import { checkLog, type LogOptions } from './check-log.ts'

const send = (at: Line['at'], values: string, offset?: number, outcome: Outcome = 'ok'): Line => ({
  f: 'send',
  at,
  input: { values: values.split(' ') },
  output: offset === undefined ? {} : { offset },
  outcome,
})
/** The records of a poll are consecutive unless `offsets` says otherwise. */
const poll = (
  at: Line['at'],
  first: number,
  values: string,
  more: { process?: number; from?: number; offsets?: readonly number[] } = {},
): Line => ({
  f: 'poll',
  at,
  process: more.process ?? 100,
  input: more.from === undefined ? null : { from: more.from },
  output: { records: values === '' ? [] : values.split(' ').map((value, place) => [more.offsets?.[place] ?? first + place, value]) },
})
const found = (lines: readonly Line[], options: LogOptions = {}) => checkLog(script(...lines), options).violations.map(({ rule }) => rule)

describe('a log', () => {
  it('[PL1] that did nothing wrong is accepted, also when answers were lost', () => {
    const lines = [
      send([0, 1], 'a b', 0),
      send([2, 3], 'c', undefined, 'info'),
      send([4, 5], 'd', 3),
      poll([6, 7], 0, 'a b'),
      poll([8, 9], 2, 'c d'),
    ]
    expect(found(lines, { finalPolls: true })).toEqual([])
  })

  it('[PL2] has one value at an offset', () => {
    expect(found([send([0, 1], 'a', 0), send([0, 1], 'b', 0)])).toContain('inconsistent offsets')
    expect(found([send([0, 1], 'a', 0), send([0, 1], 'b', 1), poll([2, 3], 0, 'b')])).toContain('inconsistent offsets')
    const twoConsumers = [send([0, 1], 'a', undefined, 'info'), send([0, 1], 'b', undefined, 'info')]
    expect(found([...twoConsumers, poll([2, 3], 0, 'a'), poll([4, 5], 0, 'b', { process: 101 })])).toContain('inconsistent offsets')
  })

  it('[PL3] has a value once, where producers are idempotent', () => {
    const lines = [send([0, 1], 'a', 0), poll([2, 3], 0, 'a a')]
    expect(found(lines)).toEqual(['duplicate'])
    const report = checkLog(script(...lines), { allow: ['duplicate'] })
    expect(report.violations).toEqual([])
    expect(report.allowed).toEqual(new Map([['duplicate', 1]]))
  })

  it('[PL4] has what was acknowledged below what was read', () => {
    const lines = [send([0, 1], 'a', 0), send([2, 3], 'b', 1), send([4, 5], 'c', 2), poll([6, 7], 0, 'a c', { offsets: [0, 2] })]
    expect(found(lines)).toEqual(['lost', 'poll skipped'])
    expect(found([send([0, 1], 'a', 0), send([0, 1], 'b', 1), poll([2, 3], 1, 'b')], { logStart: () => 1 })).toEqual([])
    expect(found([send([0, 1], 'a', 0, 'info'), send([0, 1], 'b', 1), poll([2, 3], 1, 'b')])).toEqual([])
  })

  it('[PL5] shows everything that was acknowledged in the end', () => {
    const lines = [send([0, 1], 'a', 0), send([2, 3], 'b', 1), poll([4, 5], 0, 'a')]
    expect(found(lines)).toEqual([])
    expect(found(lines, { finalPolls: true })).toEqual(['unseen'])
    expect(found([send([0, 1], 'a', undefined, 'applied')], { finalPolls: true })).toEqual(['unseen'])
  })

  it('[PL6] keeps the order in which sends were acknowledged, also of what only a consumer saw', () => {
    expect(found([send([0, 1], 'a', 1), send([2, 3], 'b', 0)])).toEqual(['reordered'])
    expect(found([send([0, 3], 'a', 1), send([2, 4], 'b', 0)])).toEqual([])
    const lost = [send([0, 1], 'a', 1), send([2, 3], 'b', undefined, 'info'), poll([4, 5], 0, 'b a')]
    expect(found(lost)).toEqual(['reordered'])
  })

  it('[PL7] takes no consumer back, unless it asked for it', () => {
    const lines = [send([0, 1], 'a b', 0), poll([2, 3], 0, 'a b')]
    expect(found([...lines, poll([4, 5], 1, 'b')])).toEqual(['offset went back'])
    expect(found([...lines, poll([4, 5], 1, 'b', { from: 1 })])).toEqual([])
    expect(found([...lines, poll([4, 5], 0, 'a', { process: 101 })])).toEqual([])
  })

  it('[PL8] lets no consumer pass over what is there; gaps in the offsets are none', () => {
    const lines = [send([0, 1], 'a', 0), send([2, 3], 'b', 1), send([4, 5], 'c', 2), poll([6, 7], 0, 'a b c', { process: 101 })]
    expect(found([...lines, poll([6, 7], 0, 'a'), poll([8, 9], 2, 'c')])).toEqual(['poll skipped'])
    const control = [send([0, 1], 'a', 0), send([2, 3], 'b', 5), poll([6, 7], 0, 'a'), poll([8, 9], 5, 'b')]
    expect(found(control)).toEqual([])
  })

  it('[PL9] shows nothing that nobody sent, or that was refused', () => {
    expect(found([poll([0, 1], 0, 'x')])).toEqual(['never written'])
    expect(found([send([0, 1], 'a', undefined, 'fail'), poll([2, 3], 0, 'a')])).toEqual(['never written'])
    expect(() => checkLog(script({ f: 'put', at: [0, 1] }))).toThrow(HistoryError)
  })
})

/** What producers and consumers of correct partitions see; some answers are lost, some sends refused. */
function correctRun(random: Random): Operation[] {
  const lines: Line[] = []
  const logs = new Map<string, string[]>([
    ['p0', []],
    ['p1', []],
  ])
  const positions = new Map<string, number>()
  for (let time = 0; time < 600; time += 2) {
    const key = random.float() < 0.5 ? 'p0' : 'p1'
    const log = logs.get(key) ?? []
    if (random.float() < 0.6) {
      const fate = random.float()
      const values = `${key}-${time} ${key}-${time}b`
      if (fate > 0.1) lines.push({ ...send([time, time + 1], values, log.length, fate < 0.2 ? 'info' : 'ok'), key })
      else lines.push({ ...send([time, time + 1], values, undefined, 'fail'), key })
      if (fate > 0.1 && (fate < 0.15 || fate >= 0.2)) log.push(...values.split(' '))
    } else {
      const consumer = `${key}/${random.below(3)}`
      const from = positions.get(consumer) ?? 0
      const records = log.slice(from, from + 5)
      lines.push({ ...poll([time, time + 1], from, records.join(' '), { process: 100 + Number(consumer.at(-1)) }), key })
      positions.set(consumer, from + records.length)
    }
  }
  for (const [key, log] of logs) lines.push({ ...poll([1_000, 1_001], 0, log.join(' '), { process: 9_000 }), key })
  return script(...lines)
}

describe('a whole run', () => {
  it('[PL1] of a correct log is accepted', () => {
    for (let seed = 1; seed <= 30; seed++)
      expect(checkLog(correctRun(seededRandom(seed)), { finalPolls: true }), `seed ${seed}`).toMatchObject({ violations: [], count: 0 })
  })

  /** Changes the records of one poll, and says which rule that breaks. */
  const faults: readonly (readonly [rule: string, tamper: (records: [number, string][]) => [number, string][]])[] = [
    ['offset went back', records => [...records, records[0] as [number, string]]],
    ['poll skipped', records => [records[0] as [number, string], ...records.slice(2)]],
    ['inconsistent offsets', ([[offset] = [0], second = [0, ''], ...rest]) => [[offset, second[1]], second, ...rest]],
    ['duplicate', records => [...records, [100_000, records[0]?.[1] ?? '']]],
    ['never written', records => [...records, [100_001, 'nobody’s']]],
  ]

  it.each(faults)('[PL2] [PL3] [PL7] [PL8] [PL9] with one fault planted is refused: %s', (rule, tamper) => {
    for (let seed = 1; seed <= 10; seed++) {
      const run = correctRun(seededRandom(seed))
      const tampered = run.map(operation => {
        if (operation.process !== 9_000 || operation.key !== 'p0') return operation
        const { records } = operation.output as { records: [number, string][] }
        return { ...operation, output: { records: tamper(records) } }
      })
      const rules = checkLog(tampered, { finalPolls: true }).violations.map(violation => violation.rule)
      expect(rules, `seed ${seed}`).toContain(rule)
    }
  })
})
