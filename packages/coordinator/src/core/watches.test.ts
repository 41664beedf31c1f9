// Watches: the nine properties (etcd's robustness tests, validate/watch.go), each planted against a scripted history and all
// together at random, checked by the checker that judges real clusters too. B24 is the class of bugs they keep out.
import {
  checkWatches,
  type Watch as Observed,
  RevisionedHistory,
  type Change as TrueChange,
  type WatchProperty,
  type WatchResponse,
} from '@atoll/history'
import type { KeySelection, ProtocolError, WatchEventRow } from '@atoll/protocol'
import { DELETE_KEYS_MAX, WATCH_ITEM_EVENTS_MAX } from '@atoll/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Command } from './commands.ts'
import { REPLAY_VISITS_MAX, WATCH_BACKLOG_MAX, WATCHES_MAX } from './limits.ts'
import { selection, storeCommand } from './random-commands.ts'
import { compact, put, putOp, remove, rev, ScriptedState, textOf, transaction } from './scripted-state.ts'
import { allWith, oneKey } from './selection.ts'
import { Watches, type WatchItem } from './watches.ts'

/** A node that serves watches, and everything that ever happened on it. */
class Watched {
  readonly one: ScriptedState
  readonly watches: Watches
  readonly truth: TrueChange[] = []

  constructor(one = new ScriptedState()) {
    this.one = one
    this.watches = new Watches(one.state.store)
  }

  apply(command: Command): readonly number[] {
    const { change } = this.one.apply(command)
    for (const { key, version } of change?.events ?? [])
      this.truth.push({
        type: version.version === 0 ? 'delete' : 'put',
        key,
        value: version.version === 0 ? null : textOf(version.value),
        revision: version.modRevision,
      })
    return this.watches.applied(change)
  }

  restoreInPlace(): void {
    this.one.state = this.one.restored().state
    this.watches.reset(this.one.state.store)
  }

  open(of: KeySelection, fromRevision = 0, rest: Partial<Parameters<Watches['open']>[0]> = {}): Watcher {
    return new Watcher(this, { selection: of, fromRevision: rev(fromRevision), puts: true, deletes: true, wantPrevious: true, ...rest })
  }

  /** What the checker says of these watchers, all of whom have read everything. */
  violations(...watchers: Watcher[]): WatchProperty[] {
    for (const watcher of watchers) watcher.drain()
    const report = checkWatches(
      watchers.map((watcher, n) => watcher.observed(`w${n}`, this.one.revision)),
      new RevisionedHistory(this.truth),
    )
    return report.violations.map(({ property }) => property)
  }
}

/** A client of a watch: keeps what it was sent, puts parts of a revision together, and resumes when it is cancelled. */
class Watcher {
  readonly items: WatchItem[] = []
  readonly #node: Watched
  readonly #request: Parameters<Watches['open']>[0]
  readonly #streams: { fromRevision: number; responses: WatchResponse[] }[] = []
  #held: WatchEventRow[] = []
  #through = 0
  id = 0
  error: ProtocolError | undefined

  constructor(node: Watched, request: Parameters<Watches['open']>[0]) {
    this.#node = node
    this.#request = request
    this.#begin(request.fromRevision)
  }

  #begin(wanted: number): void {
    const fromRevision = wanted === 0 ? this.#node.one.revision + 1 : wanted
    this.id = this.#node.watches.open({ ...this.#request, fromRevision: rev(wanted) })
    this.error = undefined
    this.#held = []
    this.#through = fromRevision - 1
    this.#streams.push({ fromRevision, responses: [] })
  }

  /** One poll. False when there is nothing to do. */
  poll(): boolean {
    if (this.error !== undefined) return false
    const polled = this.#node.watches.poll(this.id)
    if (polled.kind === 'ended') this.error = polled.error
    if (polled.kind === 'item') this.receive(polled.item)
    return polled.kind === 'item' || polled.kind === 'busy'
  }

  receive(item: WatchItem): void {
    this.items.push(item)
    this.#through = Math.max(this.#through, item.throughRevision)
    const all = [...this.#held, ...item.events]
    // The last revision is not all there yet.
    this.#held = item.complete ? [] : all.filter(({ entry }) => entry.modRevision > item.throughRevision)
    const whole = item.complete ? all : all.filter(({ entry }) => entry.modRevision <= item.throughRevision)
    if (whole.length === 0 && !item.complete) return
    this.#streams.at(-1)?.responses.push({ revision: item.throughRevision, events: whole.map(asEvent) })
  }

  drain(): this {
    while (this.poll());
    return this
  }

  progress(): void {
    const item = this.#node.watches.progress(this.id)
    if (item !== undefined) this.receive(item)
  }

  /** Another stream, behind what has come in full; if that is compacted by now, this was the end. */
  resume(): this {
    this.#node.watches.close(this.id)
    try {
      this.#begin(this.#through + 1)
    } catch (error) {
      this.error = error as ProtocolError
    }
    return this
  }

  observed(watcher: string, mustReach: number): Observed {
    const { selection: of, puts, deletes } = this.#request
    const end = of.kind === 'one' ? undefined : of.kind === 'prefix' ? `${of.key}\uffff` : of.end === '' ? '\uffff' : of.end
    const types = [...(puts ? ['put' as const] : []), ...(deletes ? ['delete' as const] : [])]
    return { watcher, key: of.key, ...(end === undefined ? {} : { to: end }), types, streams: this.#streams, mustReach }
  }

  get revisions(): number[] {
    return this.items.flatMap(({ events }) => events.map(({ entry }) => entry.modRevision as number))
  }
}

function asEvent({ kind, entry, previous }: WatchEventRow): WatchResponse['events'][number] {
  return {
    type: kind,
    key: entry.key,
    value: kind === 'delete' ? null : textOf(entry.value),
    revision: entry.modRevision,
    isCreate: kind === 'put' && entry.version === 1,
    previous: previous === undefined ? null : textOf(previous.value),
  }
}

const grown = (count: number) => {
  const node = new Watched()
  for (let n = 1; n <= count; n++) node.apply(put('a', String(n)))
  return node
}

describe('a watch', () => {
  it('[WA1] is ordered: revisions never go back', () => {
    const node = grown(20)
    const watcher = node.open(oneKey('a'), 5).drain()
    for (let n = 0; n < 5; n++) node.apply(put('a', 'more'))
    watcher.drain()
    expect(watcher.revisions).toEqual(Array.from({ length: 21 }, (_, n) => n + 5))
    expect(node.violations(watcher)).toEqual([])
  })

  it('[WA2] is unique: replaying the past and following the present repeat nothing', () => {
    const node = grown(REPLAY_VISITS_MAX + 100)
    const watcher = node.open(oneKey('a'), 1)
    // New events come between any two steps of the replay.
    for (let n = 0; n < 30; n++) {
      watcher.poll()
      node.apply(put('a', 'between'))
    }
    watcher.drain()
    expect(new Set(watcher.revisions).size).toBe(watcher.revisions.length)
    expect(watcher.revisions.at(-1)).toBe(node.one.revision)
  })

  it('[WA3] is atomic: a transaction’s events come together, or are marked as a part', () => {
    const node = new Watched()
    const watcher = node.open(allWith('k')).drain()
    node.apply(
      transaction(
        [],
        Array.from({ length: 100 }, (_, n) => putOp(`k${n}`, 'x'.repeat(4_000))),
      ),
    )
    node.apply(put('k', 'after'))
    watcher.drain()
    const parts = watcher.items.filter(({ events }) => events.length > 0)
    expect(parts.map(({ complete, throughRevision }) => [complete, throughRevision])).toEqual([
      [false, 0],
      [true, 2],
    ])
    expect(parts.flatMap(({ events }) => events)).toHaveLength(101)
    expect(node.violations(watcher)).toEqual([])
  })

  it('[WA3] sends the largest revision there is in bounded parts', () => {
    const node = new Watched()
    for (let first = 0; first < DELETE_KEYS_MAX; first += 128)
      node.apply(
        transaction(
          [],
          Array.from({ length: 128 }, (_, n) => putOp(`k${first + n}`, '')),
        ),
      )
    const watcher = node.open(allWith('k')).drain()
    node.apply(remove(allWith('k')))
    watcher.drain()
    const sizes = watcher.items.map(({ events }) => events.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(WATCH_ITEM_EVENTS_MAX)
    expect(sizes.reduce((sum, size) => sum + size)).toBe(DELETE_KEYS_MAX)
    expect(node.violations(watcher)).toEqual([])
  })

  it('[WA4] is reliable: nothing between its beginning and what it speaks for is missing', () => {
    const node = grown(10)
    const [past, present, future] = [node.open(allWith(''), 1), node.open(allWith('')), node.open(allWith(''), 15)]
    for (let n = 0; n < 10; n++) node.apply(put(`k${n}`, ''))
    expect(node.violations(past, present, future)).toEqual([])
    expect([past, present, future].map(({ revisions }) => revisions[0])).toEqual([1, 11, 15])
  })

  it('[WA5] is resumable: it goes on behind the last revision received in full', () => {
    const node = grown(10)
    const watcher = node.open(oneKey('a'), 3).drain()
    watcher.resume()
    node.apply(put('a', '11'))
    watcher.drain().resume()
    expect(node.violations(watcher)).toEqual([])
    expect(watcher.revisions).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('[WA6] B24: a progress mark never speaks for what is not sent', () => {
    const node = grown(10)
    const watcher = node.open(oneKey('a'), 1)
    expect(node.watches.progress(watcher.id)).toBeUndefined()
    watcher.drain()
    expect(node.watches.progress(watcher.id)?.throughRevision).toBe(10)
    node.apply(put('a', '11'))
    expect(node.watches.progress(watcher.id)).toBeUndefined()
    watcher.drain()
    node.apply(put('other', ''))
    watcher.progress()
    expect(watcher.items.at(-1)).toEqual({ throughRevision: 12, complete: true, events: [] })
    expect(node.violations(watcher)).toEqual([])
  })

  it('[WA6] speaks with every item for the events in it, and for nothing behind them', () => {
    const node = new Watched()
    const watcher = node.open(oneKey('a')).drain()
    for (let n = 0; n < 6; n++) {
      node.apply(put('a', 'x'.repeat(100_000)))
      for (let other = 0; other < 3; other++) node.apply(put('other', ''))
    }
    watcher.drain()
    const sent = watcher.items.filter(({ events }) => events.length > 0)
    expect(sent.map(({ events, throughRevision }) => [events.at(-1)?.entry.modRevision, throughRevision])).toEqual([
      [1, 4],
      [5, 8],
      [9, 12],
      [13, 16],
      [17, 20],
      [21, 24],
    ])
    expect(node.violations(watcher)).toEqual([])
  })

  it('[WA6] begins with a mark that says from where', () => {
    const node = grown(10)
    const watcher = node.open(oneKey('b'))
    watcher.poll()
    expect(watcher.items).toEqual([{ throughRevision: 10, complete: true, events: [] }])
  })

  it('[WA7] says what a key was before, also next to what is compacted', () => {
    const node = grown(10)
    node.apply(compact(5))
    const watcher = node.open(oneKey('a'), 6).drain()
    expect(watcher.items.flatMap(({ events }) => events.map(({ previous }) => textOf(previous?.value ?? new Uint8Array(0))))).toEqual([
      '5',
      '6',
      '7',
      '8',
      '9',
    ])
    expect(node.violations(watcher)).toEqual([])
    const without = node.open(oneKey('a'), 6, { wantPrevious: false }).drain()
    expect(without.items.flatMap(({ events }) => events).every(({ previous }) => previous === undefined)).toBe(true)
  })

  it('[WA8] tells creating from changing, also after a deletion', () => {
    const node = new Watched()
    const watcher = node.open(oneKey('a')).drain()
    for (const command of [put('a', '1'), put('a', '2'), remove('a'), put('a', '3')]) node.apply(command)
    watcher.drain()
    expect(watcher.items.flatMap(({ events }) => events.map(({ kind, entry }) => [kind, entry.version]))).toEqual([
      ['put', 1],
      ['put', 2],
      ['delete', 0],
      ['put', 1],
    ])
    expect(node.violations(watcher)).toEqual([])
  })

  it('[WA9] sends only what was asked for', () => {
    const node = new Watched()
    const watchers = [
      node.open(oneKey('a'), 0, { deletes: false }),
      node.open(allWith('a'), 0, { puts: false }),
      node.open({ kind: 'between', key: 'a', end: 'b' }),
    ]
    for (const command of [put('a', '1'), put('a1', '1'), put('b', '1'), remove('a'), remove('a1'), remove('b')]) node.apply(command)
    expect(node.violations(...watchers)).toEqual([])
    expect(watchers.map(({ revisions }) => revisions)).toEqual([[1], [4, 5], [1, 2, 4, 5]])
  })

  it('[WA10] B24: keeps all nine at random, over compaction, slow readers, resumption and restoring', () => {
    const act = fc.oneof(
      { weight: 6, arbitrary: storeCommand.map(command => ({ kind: 'apply' as const, command })) },
      { weight: 4, arbitrary: fc.nat(3).map(who => ({ kind: 'poll' as const, who })) },
      { weight: 1, arbitrary: fc.nat(3).map(who => ({ kind: 'progress' as const, who })) },
      { weight: 1, arbitrary: fc.nat(3).map(who => ({ kind: 'resume' as const, who })) },
      { weight: 1, arbitrary: fc.nat(4).map(back => ({ kind: 'compact' as const, back })) },
      { weight: 1, arbitrary: fc.constant({ kind: 'restore' as const }) },
    )
    const opened = fc.array(fc.tuple(selection, fc.nat(6), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(storeCommand, { maxLength: 6 }), opened, fc.array(act, { maxLength: 80 }), (before, requests, acts) => {
        const node = new Watched()
        for (const command of before) node.apply(command)
        const all = requests.map(([of, from, puts, deletes]) => node.open(of, from, { puts, deletes }))
        for (const step of acts) {
          const watcher = 'who' in step ? all[step.who % all.length] : undefined
          if (step.kind === 'apply') node.apply(step.command)
          else if (step.kind === 'compact') node.one.apply(compact(Math.max(0, node.one.revision - step.back)))
          else if (step.kind === 'restore') node.restoreInPlace()
          else if (step.kind === 'poll') watcher?.poll()
          else if (step.kind === 'progress') watcher?.progress()
          else if (watcher?.error === undefined) watcher?.resume()
        }
        for (const watcher of all) watcher.drain()
        const history = new RevisionedHistory(node.truth)
        for (const watcher of all) {
          if (watcher.error !== undefined) expect(watcher.error.code).toBe('compacted')
          const report = checkWatches([watcher.observed('w', watcher.error === undefined ? 0 : -1)], history)
          expect(report.violations).toEqual([])
        }
      }),
      { seed: 71, numRuns: 300 },
    )
  })
})

describe('a watch that cannot go on', () => {
  it('[WA11] B30: falls behind at its own cost alone, is cancelled, and loses nothing when it resumes', () => {
    const node = new Watched()
    const [slow, other] = [node.open(oneKey('a')).drain(), node.open(oneKey('a')).drain()]
    for (let n = 0; n <= WATCH_BACKLOG_MAX; n++) {
      node.apply(put('a', String(n)))
      if (n % 100 === 0) other.drain()
    }
    slow.drain()
    expect(slow.error).toMatchObject({ code: 'slow_watcher', message: expect.stringContaining('resume from revision 1') })
    expect(other.error).toBeUndefined()
    other.drain()
    expect(node.apply(put('a', 'after'))).toEqual([other.id])
    slow.resume()
    expect(node.violations(slow, other)).toEqual([])
    expect(slow.revisions).toHaveLength(WATCH_BACKLOG_MAX + 2)
  })

  it('[WA12] is told so when what it wants next is compacted, at its beginning and later', () => {
    const node = grown(10)
    const [replaying, live, idle] = [node.open(oneKey('a'), 1), node.open(oneKey('a')), node.open(oneKey('b'))]
    for (const watcher of [live, idle]) watcher.drain()
    node.apply(put('a', '11'))
    node.apply(put('c', '12'))
    node.one.apply(compact(12))
    for (const watcher of [replaying, live, idle]) watcher.drain()
    expect([replaying.error?.code, live.error?.code, idle.error?.code]).toEqual(['compacted', 'compacted', undefined])
    expect(() => node.open(oneKey('a'), 12)).toThrow(expect.objectContaining({ code: 'compacted' }))
    expect(node.open(oneKey('a'), 13).drain().error).toBeUndefined()
  })

  it('[WA13] is one of a bounded number, and wakes its reader once', () => {
    const node = new Watched()
    const first = node.open(oneKey('a')).drain()
    expect(node.apply(put('a', '1'))).toEqual([first.id])
    expect(node.apply(put('a', '2'))).toEqual([])
    first.drain()
    expect(node.apply(put('b', '1'))).toEqual([])
    expect(node.apply(put('a', '3'))).toEqual([first.id])
    for (let n = 1; n < WATCHES_MAX; n++) node.open(oneKey('a'))
    expect(() => node.open(oneKey('a'))).toThrow(expect.objectContaining({ code: 'too_many_watches' }))
    node.watches.close(first.id)
    expect(node.open(oneKey('a')).drain().error).toBeUndefined()
  })

  it('[WA14] goes on in a state that a snapshot put in place of the one before', () => {
    const node = grown(5)
    const watcher = node.open(oneKey('a'), 2)
    watcher.poll()
    node.restoreInPlace()
    watcher.drain()
    node.apply(put('a', '6'))
    node.restoreInPlace()
    node.apply(put('a', '7'))
    expect(node.violations(watcher)).toEqual([])
    expect(watcher.revisions).toEqual([2, 3, 4, 5, 6, 7])
  })

  it('[WA14] goes on there from what it was told last, though nothing concerned it for longer than the past is kept', () => {
    const node = grown(5)
    const idle = node.open(oneKey('b')).drain()
    for (let n = 0; n < 5; n++) node.apply(put('a', String(n)))
    node.one.apply(compact(10))
    node.restoreInPlace()
    node.apply(put('b', '1'))
    expect(node.violations(idle)).toEqual([])
    expect([idle.error, idle.revisions]).toEqual([undefined, [11]])
  })
})
