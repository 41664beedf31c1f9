// Sessions: a retry takes effect once, whoever leads by then.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Command } from './commands.ts'
import { SESSION_ANSWERS_MAX, SESSIONS_MAX } from './limits.ts'
import { storeCommand } from './random-commands.ts'
import { expire, lock, onceOf, openSession, put, putOp, ScriptedState, transaction, when } from './scripted-state.ts'

const inSession = <C extends Command>(command: C, session: number, sequence: number, answeredBelow = 1): C => ({
  ...command,
  ...onceOf(session, sequence, answeredBelow),
})

describe('a session', () => {
  it('[SE1] makes a retry take effect once, and answers it as the first try', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    const add = inSession(transaction([when('a', 'version', 'equal', 0)], [putOp('a', '1')]), session, 1)
    const first = one.apply(add)
    const again = one.restored().apply(add)
    expect(again.answer).toEqual(first.answer)
    expect([first.repeated, again.repeated, again.change]).toEqual([false, true, undefined])
    expect(one.apply(add).answer).toEqual(first.answer)
    expect([one.revision, one.state.store.get('a')?.version]).toEqual([1, 1])
  })

  it('[SE1] answers a refused request the same again, though it would now succeed', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    const bad = inSession(put('a', '1', 3), session, 1)
    expect(one.refusal(bad)).toBe('lease_not_found')
    one.do(openSession())
    expect(one.state.leases.size).toBe(2)
    expect(one.refusal(bad)).toBe('lease_not_found')
  })

  it('[SE2] ends in the same state however often and in whatever order requests are repeated', () => {
    fc.assert(
      fc.property(fc.array(storeCommand, { minLength: 1, maxLength: 12 }), fc.array(fc.nat(), { maxLength: 30 }), (commands, repeats) => {
        const [once, often] = [new ScriptedState(), new ScriptedState()]
        const [a, b] = [once.do(openSession()).session, often.do(openSession()).session]
        for (const [n, command] of commands.entries()) {
          const answer = once.apply(inSession(command, a, n + 1)).answer
          expect(often.apply(inSession(command, b, n + 1)).answer).toEqual(answer)
          for (const pick of repeats.slice(n * 3, n * 3 + 3)) {
            const at = pick % (n + 1)
            often.apply(inSession(commands[at] as Command, b, at + 1))
          }
        }
        expect([...often.state.store.scan({ kind: 'prefix', key: '', end: '' }, often.state.store.revision)]).toEqual([
          ...once.state.store.scan({ kind: 'prefix', key: '', end: '' }, once.state.store.revision),
        ])
        expect(often.revision).toBe(once.revision)
      }),
      { seed: 41, numRuns: 60 },
    )
  })

  it('[SE3] B18: refuses what arrives after its answer was received, so an old copy cannot take effect late', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    one.do(inSession(put('a', 'old'), session, 1))
    one.do(inSession(put('a', 'new'), session, 2, 2))
    expect(one.refusal(inSession(put('a', 'old'), session, 1))).toBe('sequence_forgotten')
    expect(one.value('a')).toBe('new')
  })

  it('[SE4] keeps a bounded number of answers, and takes new requests once it knows which have arrived', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    for (let n = 1; n <= SESSION_ANSWERS_MAX; n++) one.do(inSession(put('a', String(n)), session, n))
    const next = inSession(put('a', 'more'), session, SESSION_ANSWERS_MAX + 1)
    expect(one.refusal(next)).toBe('session_busy')
    expect(one.apply(inSession(put('a', '7'), session, 7)).repeated).toBe(true)
    // It was not kept, so it may be tried again.
    expect(one.do({ ...next, answeredBelow: 100 }).revision).toBe(SESSION_ANSWERS_MAX + 1)
    expect(one.state.sessions.answers).toBe(SESSION_ANSWERS_MAX + 1 - 99)
  })

  it('[SE4] keeps a bounded number of bytes', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    const big = 'x'.repeat(1_000_000)
    one.do(put('a', big))
    let sequence = 0
    const swap = () => one.apply(inSession(put('a', big, 0, true), session, ++sequence)).answer
    while (swap().ok) expect(sequence).toBeLessThan(10)
    expect(sequence).toBe(4)
    expect(one.do(inSession(put('a', big, 0, true), session, sequence, sequence)).previous?.key).toBe('a')
  })

  it('[SE5] ends with its lease: its requests are refused, and its answers forgotten', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    one.do(inSession(put('a', '1'), session, 1))
    one.apply(expire(session))
    expect(one.refusal(inSession(put('a', '1'), session, 1))).toBe('session_expired')
    expect([one.state.sessions.size, one.state.sessions.answers, one.revision]).toEqual([0, 0, 1])
  })

  it('[SE6] remembers that a request was queued; whether it was granted since is asked of the queue', () => {
    const one = new ScriptedState()
    const [a, b] = [one.do(openSession()).session, one.do(openSession()).session]
    one.do(lock('l', a))
    const ask = inSession(lock('l', b), b, 1)
    expect(one.do(ask)).toMatchObject({ held: false, ahead: 1 })
    one.apply(expire(a))
    expect(one.do(ask)).toMatchObject({ held: false, ahead: 1 })
    expect(one.state.locks.standing('l', b)).toMatchObject({ held: true })
  })

  it('[SE7] is one of a bounded number', () => {
    const one = new ScriptedState()
    for (let n = 0; n < SESSIONS_MAX; n++) one.do(openSession())
    expect(one.refusal(openSession())).toBe('too_many_sessions')
  })
})
