// Assertions: what they throw, and that they name the invariant.
import { expect, it } from 'vitest'
import { assert, InvariantError, present, unreachable } from './assert.ts'

it('a condition that holds passes, one that does not names the invariant', () => {
  expect(() => assert(true, 'fine')).not.toThrow()
  expect(() => assert(false, 'the log end never moves back')).toThrow(new InvariantError('the log end never moves back'))
})

it('present gives the value, falsy ones included, or names what is missing', () => {
  expect(present(0, 'zero')).toBe(0)
  expect(present('', 'text')).toBe('')
  expect(() => present(undefined, 'leader')).toThrow('missing: leader')
  expect(() => present(null, 'leader')).toThrow(InvariantError)
})

it('unreachable shows what got there', () => {
  expect(() => unreachable({ kind: 'surprise' } as never)).toThrow('{"kind":"surprise"}')
})
