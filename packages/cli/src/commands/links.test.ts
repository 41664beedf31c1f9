// The links that a partition cuts.
import type { NodeId } from '@atoll/base'
import { expect, it } from 'vitest'
import { cutsBetween } from './links.ts'

const cuts = (sides: string[][], oneWay = false): string[] =>
  cutsBetween(sides as NodeId[][], oneWay).map(({ from, to }) => `${from}→${to}`)

it('cuts both ways between every two nodes of different groups, and within none', () => {
  expect(cuts([['a', 'b'], ['c']]).toSorted()).toEqual(['a→c', 'b→c', 'c→a', 'c→b'])
  expect(cuts([['a'], ['b'], ['c']])).toHaveLength(6)
})

it('cuts one way from the first group to the second', () => {
  expect(cuts([['a'], ['b', 'c']], true)).toEqual(['a→b', 'a→c'])
})
