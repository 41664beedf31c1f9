// Transactions and the bounds of what one command may do.
import { COMMAND_ANSWER_BYTES_MAX, DELETE_KEYS_MAX, KEY_BYTES_MAX, OPERATION_ENTRIES_MAX, VALUE_BYTES_MAX } from '@atoll/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { COMMAND_BYTES_MAX, LIVE_BYTES_MAX } from './limits.ts'
import { anyCommand } from './random-commands.ts'
import {
  deleteOp,
  lock,
  openSession,
  put,
  putOp,
  rangeOp,
  register,
  remove,
  ScriptedState,
  textOf,
  transaction,
  when,
} from './scripted-state.ts'
import { allWith } from './selection.ts'

const filled = (keys: number, one = new ScriptedState()) => {
  for (let first = 0; first < keys; first += 128)
    one.do(
      transaction(
        [],
        Array.from({ length: Math.min(128, keys - first) }, (_, n) => putOp(`k${String(first + n).padStart(6, '0')}`, '')),
      ),
    )
  return one
}

describe('a transaction', () => {
  it('[KV3] takes effect as a whole or not at all', () => {
    const one = new ScriptedState()
    one.do(put('a', '1'))
    const [before, digest] = [one.bytes(), one.revision]
    const refused = new ScriptedState(one.restored().state)
    expect(refused.refusal(transaction([], [putOp('b', '1'), deleteOp('a'), putOp('c', '1', 99)]))).toBe('lease_not_found')
    expect([refused.revision, refused.value('a'), refused.value('b')]).toEqual([digest, '1', undefined])
    // Nothing but the place in the log and the digest of what was answered tells that it was there.
    expect(refused.bytes().slice(40)).toEqual(before.slice(40))
  })

  it('[KV3] leaves no trace of any refused command, whatever it was', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { minLength: 10, maxLength: 60 }), commands => {
        const one = new ScriptedState()
        for (const command of commands) {
          const { revision, liveBytes } = one.state.store
          const keptBefore = one.state.sessions.answers
          const { answer, change, grants, leasesGranted, leasesEnded } = one.apply(command)
          if (answer.ok) continue
          expect([one.state.store.revision, one.state.store.liveBytes]).toEqual([revision, liveBytes])
          expect([change, grants, leasesGranted, leasesEnded]).toEqual([undefined, [], [], []])
          // The refusal itself may be kept for a retry.
          expect(one.state.sessions.answers - keptBefore).toBeLessThanOrEqual(1)
        }
      }),
      { seed: 21, numRuns: 60 },
    )
  })

  it('[KV4] sees what its earlier operations did, and writes a key once', () => {
    const one = new ScriptedState()
    one.do(put('a', '1'))
    one.do(put('c', '3'))
    const { results } = one.do(transaction([], [putOp('b', '2'), deleteOp('c'), rangeOp(allWith('')), rangeOp(allWith(''), 1)]))
    expect(results[2]?.entries.map(({ key, value, version, modRevision }) => [key, textOf(value), version, modRevision])).toEqual([
      ['a', '1', 1, 1],
      ['b', '2', 1, 3],
    ])
    expect(results[3]).toMatchObject({ count: 1, next: 'b' })
    expect(one.refusal(transaction([], [putOp('x', '1'), putOp('x', '2')]))).toBe('duplicate_key')
    expect(one.refusal(transaction([], [putOp('x', '1'), deleteOp(allWith('x'))]))).toBe('duplicate_key')
    expect(one.value('x')).toBeUndefined()
  })

  it('[KV5] compares all five targets, and takes what is not there as zero without a value', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    one.do(put('a', 'm', session))
    one.do(put('a', 'm', session))
    const holds = (...compare: Parameters<typeof when>) => one.do(transaction([when(...compare)], [])).succeeded
    expect([holds('a', 'value', 'equal', 'm'), holds('a', 'value', 'less', 'n'), holds('a', 'value', 'greater', 'l0')]).toEqual([
      true,
      true,
      true,
    ])
    expect([holds('a', 'version', 'equal', 2), holds('a', 'create_revision', 'equal', 1)]).toEqual([true, true])
    expect([holds('a', 'mod_revision', 'greater', 1), holds('a', 'lease', 'equal', session)]).toEqual([true, true])
    expect([holds('no', 'version', 'equal', 0), holds('no', 'lease', 'not_equal', 0)]).toEqual([true, false])
    const relations = ['equal', 'not_equal', 'less', 'greater'] as const
    expect(relations.map(is => holds('no', 'value', is, ''))).toEqual([false, true, false, false])
  })

  it('[KV5] does the other list when one compare fails', () => {
    const one = new ScriptedState()
    const swap = transaction([when('a', 'version', 'equal', 0)], [putOp('a', 'first')], [rangeOp('a')])
    expect(one.do(swap).succeeded).toBe(true)
    const { succeeded, results } = one.do(swap)
    expect([succeeded, results[0]?.entries.map(({ value }) => textOf(value))]).toEqual([false, ['first']])
  })
})

describe('deleting', () => {
  it('[KV9] takes all that is selected in one revision, and passes over the coordinator’s own keys', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    one.do(lock('l', session))
    for (const key of ['#', 'a', 'b']) one.do(put(key, key))
    const { deleted, previous, revision } = one.do(remove(allWith(''), true))
    expect([deleted, previous.map(({ key }) => key), revision]).toEqual([3, ['#', 'a', 'b'], 5])
    expect(one.value('$atoll/lock/l')).toBe('')
  })
})

describe('a bound', () => {
  it('[KV10] on a key, a value and a command is kept before anything is proposed', () => {
    const { codec } = new ScriptedState()
    const large = new Uint8Array(VALUE_BYTES_MAX)
    expect(codec.encode(put('k'.repeat(KEY_BYTES_MAX), large)).byteLength).toBeLessThanOrEqual(COMMAND_BYTES_MAX)
    for (const bad of ['', 'k'.repeat(KEY_BYTES_MAX + 1), 'é'.repeat(KEY_BYTES_MAX / 2 + 1), '\ud800'])
      expect(() => codec.encode(put(bad, ''))).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    expect(() => codec.encode(put('k', new Uint8Array(VALUE_BYTES_MAX + 1)))).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    const half = 'x'.repeat(VALUE_BYTES_MAX / 2)
    expect(() => codec.encode(transaction([], [putOp('a', half), putOp('b', half), putOp('c', half)]))).toThrow(
      expect.objectContaining({ code: 'message_too_large' }),
    )
    const many = Array.from({ length: 129 }, (_, n) => putOp(`k${n}`, ''))
    expect(() => codec.encode(transaction([], many))).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })

  it('[KV10] on keys deleted at once, and on answers, refuses the command whole', () => {
    const one = filled(DELETE_KEYS_MAX + 1)
    expect(one.refusal(remove(allWith('k')))).toBe('range_too_large')
    expect(one.do(remove({ kind: 'between', key: 'k', end: 'k000100' })).deleted).toBe(100)
    expect(one.refusal(transaction([], [{ ...deleteOp(allWith('k00')), wantPrevious: true }]))).toBe('answer_too_large')
    expect(one.do(transaction([], [rangeOp(allWith('k'))])).results[0]).toMatchObject({ count: OPERATION_ENTRIES_MAX, next: 'k001100' })
    const big = 'x'.repeat(VALUE_BYTES_MAX)
    for (const key of ['a1', 'a2']) one.do(put(key, big))
    expect(COMMAND_ANSWER_BYTES_MAX).toBe(2 * big.length)
    expect(one.refusal(remove(allWith('a'), true))).toBe('answer_too_large')
    expect(textOf(one.do(put('a1', '', 0, true)).previous?.value ?? new Uint8Array(0))).toHaveLength(big.length)
  })

  it('[KV10] on the store refuses puts, never deletes', () => {
    const one = new ScriptedState()
    const big = new Uint8Array(VALUE_BYTES_MAX)
    // The same bytes over and over: what is counted, not what this process has.
    Object.defineProperty(one.state.store, 'liveBytes', { get: () => LIVE_BYTES_MAX - 1_000 })
    expect(one.refusal(put('a', big))).toBe('store_full')
    expect(one.do(put('b', 'small')).revision).toBe(1)
    expect(one.do(put('b', '')).revision).toBe(2)
    expect(one.do(remove('b')).deleted).toBe(1)
  })
})

describe('a reserved key', () => {
  it('[KV11] is read by all and written by none but the coordinator', () => {
    const one = new ScriptedState()
    one.do(register('broker-1', 'disk-1', 1))
    for (const refused of [
      put('$atoll/x', ''),
      remove('$atoll/node/broker-1'),
      remove(allWith('$atoll/')),
      transaction([], [putOp('$atoll/x', '')]),
    ])
      expect(one.refusal(refused)).toBe('reserved_key')
    expect(one.do(transaction([when('$atoll/node/broker-1', 'version', 'equal', 1)], [putOp('a', '1')])).succeeded).toBe(true)
    expect(one.do(transaction([], [rangeOp(allWith('$atoll/node/'))])).results[0]?.count).toBe(1)
  })
})
