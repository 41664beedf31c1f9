// Node names with wildcards.
import { expect, it } from 'vitest'
import { selectNodes } from './node-globs.ts'

const names = ['broker-1', 'broker-2', 'cache-1']

it.each([
  [
    ['cache-1', 'broker-1'],
    ['broker-1', 'cache-1'],
  ],
  [['broker-*'], ['broker-1', 'broker-2']],
  [
    ['*-1', 'broker-1'],
    ['broker-1', 'cache-1'],
  ],
  [['{cache,broker}-1'], ['broker-1', 'cache-1']],
])('%j means %j', (patterns, meant) => {
  expect(selectNodes(patterns, names)).toEqual(meant)
})

it('an error names whom there is', () => {
  expect(() => selectNodes(['brokr-1'], names)).toThrow(/No node is called 'brokr-1'/)
})
