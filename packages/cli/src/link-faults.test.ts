// Link faults in words.
import type { LinkRuleRow } from '@atoll/protocol'
import { cutLink } from '@atoll/service'
import { expect, it } from 'vitest'
import { faultLines } from './link-faults.ts'

const names = ['a', 'b', 'c', 'd']
const cut = (from: string, to: string): LinkRuleRow => cutLink(from as LinkRuleRow['from'], to as LinkRuleRow['to'])
const both = (left: string, right: string): LinkRuleRow[] =>
  left.split('').flatMap(one => right.split('').flatMap(other => [cut(one, other), cut(other, one)]))

it.each([
  ['nothing', [], []],
  ['one against the rest', both('a', 'bcd'), ['cut: a | b, c, d']],
  ['two groups', both('ab', 'cd'), ['cut: a, b | c, d']],
  ['three groups', [...both('a', 'bc'), ...both('b', 'c')], ['cut: a | b, c', 'cut: b | c']],
  ['one direction', [cut('a', 'b'), cut('a', 'c')], ['cut: a → b, c']],
  ['two cuts of their own', [...both('a', 'b'), ...both('c', 'd')], ['cut: a | b', 'cut: c | d']],
])('%s', (_, links, lines) => {
  expect(faultLines(links, names)).toEqual(lines)
})

it('other faults say what they do', () => {
  const slow = { ...cut('a', 'b'), cut: false, delayMs: 100, jitterMs: 20, lossProbability: 0.015 }
  const narrow = { ...cut('c', 'd'), cut: false, bytesPerSecond: 1000, reset: true }
  expect(faultLines([slow, narrow], names)).toEqual(['100 to 120 ms late, 1.5 % lost: a → b', 'reset, at most 1000 bytes a second: c → d'])
})
