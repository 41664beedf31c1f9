// Colour, tables, time spans and log lines as a person reads them.
import { expect, it } from 'vitest'
import { logText, parseSince, passes } from './log-view.ts'
import { Output, wantsColor } from './output.ts'
import { tableLines } from './table.ts'

it.each([
  ['auto', true, {}, true],
  ['auto', false, {}, false],
  ['auto', true, { NO_COLOR: '1' }, false],
  ['auto', true, { NO_COLOR: '' }, true],
  ['auto', false, { FORCE_COLOR: '1' }, true],
  ['auto', true, { FORCE_COLOR: '0' }, false],
  ['auto', true, { TERM: 'dumb' }, false],
  ['auto', false, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ['always', false, { NO_COLOR: '1' }, true],
  ['never', true, { FORCE_COLOR: '1' }, false],
] as const)('colour %s, terminal %s, %j: %s', (when, isTerminal, env, wanted) => {
  expect(wantsColor(when, isTerminal, env)).toBe(wanted)
})

it('pads columns by what is seen, not by what is written', () => {
  expect(
    tableLines([
      ['a', '\x1b[31mred\x1b[39m', 'x'],
      ['long', 'r', 'y'],
    ]),
  ).toEqual(['a     \x1b[31mred\x1b[39m  x', 'long  r    y'])
})

const now = Date.parse('2030-01-02T03:04:05Z')
it.each([
  ['90s', now - 90_000],
  ['1.5h', now - 5_400_000],
  ['250ms', now - 250],
  ['2030-01-01T00:00:00Z', Date.parse('2030-01-01T00:00:00Z')],
  ['lately', undefined],
])('since %s', (text, wanted) => {
  expect(parseSince(text, now)).toBe(wanted)
})

const fields = { level: 'warn', time: now, node: 'cache-1', role: 'cache', event: 'cut', rules: 2, why: 'asked', msg: 'links are broken' }
const line = { node: 'cache-1', timeMs: now, level: 'warn', fields, raw: JSON.stringify(fields) }

it('a log line begins with its node, time and severity and ends with what is special about it', () => {
  const output = new Output({ color: 'never', progress: 'plain' })
  expect(logText(line, 9, output)).toBe('cache-1   │ 03:04:05.000 warn  links are broken rules=2 why=asked')
})

it.each([
  [{ level: 'error' }, false],
  [{ level: 'info' }, true],
  [{ sinceMs: now + 1 }, false],
  [{ grep: /BROKEN/i }, true],
  [{ grep: /healed/ }, false],
])('filter %j passes: %s', (filter, wanted) => {
  expect(passes(line, { sinceMs: undefined, level: undefined, grep: undefined, ...filter })).toBe(wanted)
})
