// Snapshots: a state restored from one cannot be told from the state it was made of.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Command } from './commands.ts'
import { anyCommand } from './random-commands.ts'
import {
  bytesOf,
  compact,
  grantLease,
  joinedBytes,
  lock,
  openSession,
  put,
  putOp,
  remove,
  restore,
  rev,
  ScriptedState,
  transaction,
} from './scripted-state.ts'
import { Snapshot } from './snapshot.ts'
import { SnapshotReader } from './snapshot-reader.ts'

const grown = (commands: readonly Command[]) => {
  const one = new ScriptedState()
  for (const command of commands) one.apply(command)
  return one
}

describe('a snapshot', () => {
  it('[SN1] stands for the log before it: restoring and going on ends where applying everything does, bit for bit', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 80 }), fc.nat(80), fc.integer({ min: 1, max: 400 }), (commands, cut, pieceBytes) => {
        const whole = grown([])
        const answers = commands.map(command => whole.apply(command))
        const prefix = grown(commands.slice(0, cut))
        const other = new ScriptedState(restore(prefix.bytes(), pieceBytes))
        expect(other.bytes()).toEqual(prefix.bytes())
        for (const [n, command] of commands.slice(cut).entries()) expect(other.apply(command)).toEqual(answers[cut + n])
        expect(other.bytes()).toEqual(whole.bytes())
        expect(other.state.digest.text).toBe(whole.state.digest.text)
      }),
      { seed: 61, numRuns: 80 },
    )
  })

  it('[SN2] is of one moment, though the state goes on while it is written', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 40 }), fc.array(anyCommand, { minLength: 5, maxLength: 40 }), (before, after) => {
        const one = grown([])
        for (let first = 0; first < 1_500; first += 100)
          one.do(
            transaction(
              [],
              Array.from({ length: 100 }, (_, n) => putOp(`k${(first + n) % 1_300}`, String(first))),
            ),
          )
        // More versions of one key than a slice has records.
        for (let n = 0; n < 700; n++) one.do(put('k500', String(n)))
        for (const command of before) one.apply(command)
        const expected = one.bytes()
        const all = ({ state: { store } }: ScriptedState) => [...store.versionsBetween(store.compactRevision, store.revision, '')]
        expect(all(new ScriptedState(restore(expected)))).toEqual(all(one))
        const snapshot = new Snapshot(one.state)
        const parts: Uint8Array[] = []
        let turn = 0
        for (const part of snapshot.slices()) {
          parts.push(part)
          one.do(compact(one.revision))
          one.do(put(`k${turn * 7}`, 'later'))
          one.do(put(`new${turn}`, 'later'))
          one.do(remove(`k${turn * 11 + 1}`))
          for (const command of after.slice(turn * 5, turn * 5 + 5)) one.apply(command)
          turn++
        }
        expect(parts.length).toBeGreaterThan(2)
        expect(joinedBytes(parts)).toEqual(expected)
      }),
      { seed: 62, numRuns: 15 },
    )
  })

  it('[SN2] lets the store forget again once it is written or given up', () => {
    const one = new ScriptedState()
    for (let n = 0; n < 20; n++) one.do(put('a', String(n)))
    const [first, second] = [new Snapshot(one.state), new Snapshot(one.state)]
    one.do(compact(20))
    expect(one.state.store.unswept).toBe(true)
    first.close()
    first.close()
    one.do(put('a', 'more'))
    expect(one.state.store.unswept).toBe(true)
    joinedBytes(second.slices())
    one.do(put('a', 'more'))
    expect(one.state.store.unswept).toBe(false)
  })

  it('[SN3] is written and read in steps of a few milliseconds, at 100,000 keys', () => {
    const one = new ScriptedState()
    const { lease } = one.do(grantLease())
    for (let first = 0; first < 100_000; first += 125)
      one.do(
        transaction(
          [],
          Array.from({ length: 125 }, (_, n) => putOp(`key/${first + n}`, `value ${n}`, n === 0 ? lease : 0)),
        ),
      )
    one.do(compact(one.revision))
    const timed = new Timed()
    const parts: Uint8Array[] = []
    const slices = timed.step(() => new Snapshot(one.state).slices())
    for (let next = timed.step(() => slices.next()); next.done !== true; next = timed.step(() => slices.next())) parts.push(next.value)
    const reader = timed.step(() => new SnapshotReader())
    for (const part of parts) timed.step(() => reader.push(part))
    const restored = timed.step(() => reader.finish())
    expect(restored.store.liveKeys).toBe(100_000)
    expect(parts.length).toBeGreaterThanOrEqual(200)
    // A busy machine stops a process now and then; the steps themselves are short.
    expect(timed.p95()).toBeLessThan(10)
  }, 30_000)

  it('[SN4] that is damaged, cut short or of a later format makes no state', () => {
    const one = grown([openSession(), grantLease(), put('a', '1'), lock('l', 1), put('a', '2', 2)])
    const bytes = one.bytes()
    expect(() => restore(bytes.slice(0, -1))).toThrow(expect.objectContaining({ code: 'malformed_message' }))
    expect(() => restore(joinedBytes([bytes, bytesOf('more')]))).toThrow(expect.objectContaining({ code: 'malformed_message' }))
    const later = bytes.slice()
    later[6] = 9
    expect(() => restore(later)).toThrow(expect.objectContaining({ code: 'unsupported_version' }))
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bad = bytes.slice()
        bad[at] = (bad[at] ?? 0) ^ flip
        try {
          restore(bad)
        } catch (error) {
          // A checksum beside it tells damage from a bug; this only must not hang or run wild.
          expect(['ProtocolError', 'InvariantError', 'RangeError']).toContain((error as Error).name)
        }
      }),
      { seed: 63, numRuns: 300 },
    )
  })
})

describe('the digest', () => {
  it('[SN5] tells replicas apart that applied different things, and no others', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { minLength: 1, maxLength: 30 }), commands => {
        const [one, same, other] = [grown(commands), grown(commands), grown(commands)]
        expect(one.state.digest.text).toBe(same.state.digest.text)
        one.apply(put('a', 'x'))
        other.apply(put('a', 'y'))
        expect(one.state.digest.text).not.toBe(other.state.digest.text)
        expect(rev(one.revision)).toBe(other.revision)
      }),
      { seed: 64, numRuns: 40 },
    )
  })
})

/** How long steps take, in milliseconds of this process's own time. */
class Timed {
  readonly #took: number[] = []

  step<T>(act: () => T): T {
    const before = process.cpuUsage()
    const value = act()
    const { user, system } = process.cpuUsage(before)
    this.#took.push((user + system) / 1_000)
    return value
  }

  p95(): number {
    return this.#took.toSorted((a, b) => a - b)[Math.floor(this.#took.length * 0.95)] ?? 0
  }
}
