// The key-value rules: KV1 to KV8 and the compaction of what is past.
import { type SimpleRequest, type StoreEntry, type StoreState, storeModel } from '@atoll/history'
import type { KeyEntry, Operation } from '@atoll/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Command } from './commands.ts'
import { HISTORY_REVISIONS_MAX, SCAN_VISITS_MAX, SWEEP_EVENTS_MAX } from './limits.ts'
import { storeCommand } from './random-commands.ts'
import { readPage } from './reading.ts'
import { bytesOf, compact, keepHistory, put, putOp, remove, rev, ScriptedState, textOf, transaction } from './scripted-state.ts'
import { allWith, selects } from './selection.ts'

const everything = { selection: allWith(''), from: '', revision: rev(0), limit: 0, keysOnly: false, countOnly: false }
const plain = ({ key, value, createRevision, modRevision, version }: KeyEntry): StoreEntry => ({
  key,
  value: textOf(value),
  createRevision,
  modRevision,
  version,
})
const entriesAt = (one: ScriptedState, revision = 0) =>
  readPage(one.state.store, { ...everything, revision: rev(revision) }).entries.map(plain)

describe('a revision', () => {
  it('[KV1] is taken by what changes something, and by nothing else', () => {
    const one = new ScriptedState()
    expect(one.do(put('a', '1')).revision).toBe(1)
    expect(one.do(transaction([], [putOp('b', '1'), putOp('c', '1')])).revision).toBe(2)
    expect(one.do(remove('nothing')).revision).toBe(2)
    expect(one.do(transaction([], [])).revision).toBe(2)
    expect(one.refusal(put('d', '1', 77))).toBe('lease_not_found')
    expect(one.do(put('a', '1')).revision).toBe(3)
  })

  it('[KV2] stamps keys with their creation, their last change and the count between', () => {
    const one = new ScriptedState()
    one.do(put('a', '1'))
    one.do(put('b', '1'))
    one.do(put('a', '2'))
    expect(entriesAt(one)[0]).toEqual({ key: 'a', value: '2', createRevision: 1, modRevision: 3, version: 2 })
    one.do(remove('a'))
    one.do(put('a', '3'))
    expect(entriesAt(one)[0]).toEqual({ key: 'a', value: '3', createRevision: 5, modRevision: 5, version: 1 })
  })
})

describe('the store', () => {
  it('[KV6] reads as it was at any revision that is kept', () => {
    fc.assert(
      fc.property(fc.array(storeCommand, { maxLength: 40 }), commands => {
        const one = new ScriptedState()
        const seen = [entriesAt(one)]
        for (const command of commands) {
          one.apply(command)
          seen[one.revision] = entriesAt(one)
        }
        for (const [revision, entries] of seen.entries()) if (revision > 0) expect(entriesAt(one, revision)).toEqual(entries)
      }),
      { seed: 12, numRuns: 60 },
    )
  })

  it('[KV7] says so when a revision is forgotten or not reached', () => {
    const one = new ScriptedState()
    for (let n = 0; n < 5; n++) one.do(put('a', String(n)))
    expect(one.do(compact(3)).compactRevision).toBe(3)
    expect(() => entriesAt(one, 2)).toThrow(expect.objectContaining({ code: 'compacted' }))
    expect(entriesAt(one, 3)[0]?.value).toBe('2')
    expect(() => entriesAt(one, 6)).toThrow(expect.objectContaining({ code: 'future_revision' }))
    expect(one.refusal(compact(6))).toBe('future_revision')
    expect(one.do(compact(1)).compactRevision).toBe(3)
  })

  it('[KV8] is read page by page as of one revision, whatever is written meanwhile', () => {
    const one = new ScriptedState()
    for (let n = 0; n < 25; n++) one.do(put(`k${String(n).padStart(2, '0')}`, String(n)))
    const before = entriesAt(one)
    const pages: StoreEntry[][] = []
    let [from, at]: [string | undefined, number] = ['', 0]
    while (from !== undefined) {
      const page = readPage(one.state.store, { ...everything, from, revision: rev(at), limit: 10 })
      pages.push(page.entries.map(plain))
      ;[from, at] = [page.next, page.at]
      one.do(put('k05', 'later'))
      one.do(remove('k20'))
    }
    expect(pages.map(page => page.length)).toEqual([10, 10, 5])
    expect(pages.flat()).toEqual(before)
    expect(readPage(one.state.store, { ...everything, countOnly: true })).toMatchObject({ count: 24, entries: [] })
    expect(readPage(one.state.store, { ...everything, keysOnly: true, limit: 1 }).entries[0]?.value).toEqual(new Uint8Array(0))
  })

  it('[KV12] does what the checker’s own model of a store does', () => {
    const model = storeModel()
    fc.assert(
      fc.property(fc.array(storeCommand, { maxLength: 30 }), commands => {
        const one = new ScriptedState()
        let state: StoreState = model.initial
        for (const command of commands) {
          const request = asRequest(state, command)
          if (!one.apply(command).answer.ok) continue
          state = model.execute(state, request).state
          expect(one.revision).toBe(state.revision)
          expect(entriesAt(one)).toEqual(state.entries)
        }
      }),
      { seed: 13, numRuns: 150 },
    )
  })
})

describe('a page', () => {
  it('[KV8] looks at a bounded number of keys, deleted ones included', () => {
    const one = new ScriptedState()
    const keys = SCAN_VISITS_MAX + 100
    for (let first = 0; first < keys; first += 100)
      one.do(
        transaction(
          [],
          Array.from({ length: 100 }, (_, n) => putOp(`k${String(first + n).padStart(6, '0')}`, '')),
        ),
      )
    one.do(remove({ kind: 'between', key: 'k', end: 'k004000' }))
    const first = readPage(one.state.store, { ...everything, countOnly: true })
    expect(first).toMatchObject({ count: SCAN_VISITS_MAX - 4_000, next: `k${String(SCAN_VISITS_MAX).padStart(6, '0')}` })
    expect(readPage(one.state.store, { ...everything, countOnly: true, from: first.next ?? '', revision: first.at })).toMatchObject({
      count: 100,
      next: undefined,
    })
  })
})

describe('compaction', () => {
  it('[CP1] changes nothing that is current, and nothing at the revision it names', () => {
    fc.assert(
      fc.property(fc.array(storeCommand, { maxLength: 40 }), fc.nat(), (commands, where) => {
        const one = new ScriptedState()
        for (const command of commands) one.apply(command)
        const at = one.revision === 0 ? 0 : 1 + (where % one.revision)
        const kept = Array.from({ length: one.revision - at }, (_, after) => entriesAt(one, at + after + 1))
        const [named, digest] = [entriesAt(one, at), one.state.store.liveBytes]
        one.do(compact(at))
        expect(entriesAt(one, at)).toEqual(named)
        for (const [after, entries] of kept.entries()) expect(entriesAt(one, at + after + 1)).toEqual(entries)
        expect(one.state.store.liveBytes).toBe(digest)
      }),
      { seed: 14, numRuns: 60 },
    )
  })

  it('[CP2] happens by itself when more is kept than was asked for, in revisions or in bytes', () => {
    const one = new ScriptedState()
    one.do(keepHistory(10, 1_000_000))
    for (let n = 0; n < 50; n++) one.do(put('a', String(n)))
    expect(one.state.store.compactRevision).toBe(40)
    one.do(keepHistory(1_000, 10_000))
    for (let n = 0; n < 50; n++) one.do(put('a', 'x'.repeat(2_000)))
    expect(one.state.store.historyBytes).toBeLessThanOrEqual(10_000)
    expect(one.state.store.historyBytes).toBeGreaterThan(5_000)
    expect(one.refusal(keepHistory(HISTORY_REVISIONS_MAX + 1, 1))).toBe('invalid_argument')
  })

  it('[CP3] gives the memory back, a bounded amount after each command', () => {
    const one = new ScriptedState()
    for (let n = 0; n < SWEEP_EVENTS_MAX * 2 + 10; n++) one.do(put(`k${n % 100}`, String(n)))
    one.do(compact(one.revision))
    expect(one.state.store.unswept).toBe(true)
    one.state.skip(one.state.appliedIndex + 1)
    one.do(put('last', ''))
    one.do(put('last', ''))
    expect(one.state.store.unswept).toBe(false)
    expect([...one.state.store.versionsBetween(rev(0), rev(one.revision), '')]).toHaveLength(102)
    one.do(remove(allWith('k')))
    one.do(compact(one.revision))
    expect([...one.state.store.scan(allWith('k'), rev(one.revision))]).toEqual([])
  })

  it('[CP4] cannot be told from its sweeping: sizes and snapshots are the same before and after', () => {
    const one = new ScriptedState()
    for (let n = 0; n < SWEEP_EVENTS_MAX * 3; n++) one.do(n % 7 === 6 ? remove(`k${n % 50}`) : put(`k${n % 50}`, String(n)))
    one.do(compact(one.revision - 5))
    const swept = one.restored()
    expect([one.state.store.unswept, swept.state.store.unswept]).toEqual([true, false])
    expect(swept.state.store.historyBytes).toBe(one.state.store.historyBytes)
    expect(swept.state.store.liveBytes).toBe(one.state.store.liveBytes)
    for (let n = 0; n < 6; n++) for (const each of [one, swept]) each.do(put('more', String(n)))
    expect(one.state.store.unswept).toBe(false)
    expect(swept.bytes()).toEqual(one.bytes())
    expect(swept.state.store.historyBytes).toBe(one.state.store.historyBytes)
  })

  it('[CP5] B23: the revision never goes back and never changes its meaning, over compaction and restoring', () => {
    let one = new ScriptedState()
    let last = 0
    const meant = new Map<number, string>()
    for (let n = 0; n < 200; n++) {
      one.do(put('a', String(n)))
      expect(one.revision).toBe(last + 1)
      last = one.revision
      meant.set(last, String(n))
      if (n % 17 === 0) one.do(compact(Math.max(1, last - 20)))
      if (n % 23 === 0) one = one.restored()
      for (let at = one.state.store.compactRevision; at <= last; at++)
        expect(textOf(one.state.store.getAt('a', rev(at))?.value ?? bytesOf(''))).toBe(meant.get(at))
    }
  })
})

/** The command in the words of the checker’s model, which deletes and reads one key or a range by its ends. */
function asRequest(state: StoreState, command: Command): Parameters<ReturnType<typeof storeModel>['execute']>[1] {
  const deletes = (of: Operation['selection']): SimpleRequest[] =>
    state.entries.filter(({ key }) => selects(of, key)).map(({ key }) => ({ f: 'delete', key }))
  const simple = (operation: Operation): SimpleRequest[] =>
    operation.kind === 'put'
      ? [{ f: 'put', key: operation.selection.key, value: textOf(operation.value) }]
      : operation.kind === 'delete'
        ? deletes(operation.selection)
        : []
  switch (command.kind) {
    case 'put':
      return { f: 'put', key: command.key, value: textOf(command.value) }
    case 'delete':
      return { f: 'txn', compare: [], success: deletes(command.selection), failure: [] }
    case 'transaction': {
      const compare = command.compares
        .filter(({ target }) => target !== 'lease')
        .map(({ key, target, is, number, value }) => ({
          key,
          target: (
            {
              value: 'value',
              version: 'version',
              create_revision: 'createRevision',
              mod_revision: 'modRevision',
              lease: 'version',
            } as const
          )[target],
          is: ({ equal: '=', not_equal: '!=', less: '<', greater: '>' } as const)[is],
          than: target === 'value' ? textOf(value) : number,
        }))
      // No key hangs on a lease here: what a compare of leases comes to is known.
      const leases = command.compares
        .filter(({ target }) => target === 'lease')
        .every(({ is, number }) => (is === 'equal' ? number === 0 : is === 'not_equal' ? number !== 0 : is === 'less' ? number > 0 : false))
      const [success, failure] = [command.success.flatMap(simple), command.failure.flatMap(simple)]
      return { f: 'txn', compare, success: leases ? success : failure, failure }
    }
    default:
      throw new Error(`no request for ${command.kind}`)
  }
}
