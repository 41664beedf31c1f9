// Rules reach the nodes without wildcards, so that the supervisor stays outside every partition.
import { LINK_RULES_MAX, type LinkRuleRow } from '@atoll/protocol'
import { cutLink } from '@atoll/service'
import { expect, it } from 'vitest'
import { expandRules } from './link-table.ts'

const names = ['a', 'b', 'c']
const link = (from: string, to: string): LinkRuleRow => cutLink(from as LinkRuleRow['from'], to as LinkRuleRow['to'])
const ends = (rules: readonly LinkRuleRow[]): string[] => rules.map(({ from, to }) => `${from}→${to}`)

it('keeps plain rules and writes wildcards out, never a link of a node to itself', () => {
  expect(ends(expandRules([link('a', 'b')], names))).toEqual(['a→b'])
  expect(ends(expandRules([link('*', 'b')], names))).toEqual(['a→b', 'c→b'])
  expect(ends(expandRules([link('*', '*')], names))).toEqual(['a→b', 'a→c', 'b→a', 'b→c', 'c→a', 'c→b'])
})

it('refuses a name that nobody has, the supervisor among them, and more rules than a node holds', () => {
  expect(() => expandRules([link('a', 'supervisor')], names)).toThrow(/no node is called supervisor/)
  const many = Array.from({ length: 70 }, (_, i) => `n${i}`)
  expect(many.length ** 2).toBeGreaterThan(LINK_RULES_MAX)
  expect(() => expandRules([link('*', '*')], many)).toThrow(/more than 4096/)
})
