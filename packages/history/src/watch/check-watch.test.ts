// Rules WA1 to WA12: the nine properties of a watch, each with violations planted in what a correct watch sent.
import { type Random, seededRandom } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VIOLATIONS_MAX } from '../limits.ts'
import { checkLinearizable } from '../linearizability/check.ts'
import { randomExecution } from '../linearizability/random-execution.ts'
import { storeSystem } from '../linearizability/random-systems.ts'
import { storeModel } from '../models/store.ts'
import { checkWatches, type WatchProperty } from './check-watch.ts'
import { type Change, changesOf, type KnownChange, RevisionedHistory } from './revisioned-history.ts'
import { type Watch, type WatchEvent, type WatchResponse, type WatchStream, wants } from './watch.ts'

const put = (key: string, value: string, revision: number): Change => ({ type: 'put', key, value, revision })
const remove = (key: string, revision: number): Change => ({ type: 'delete', key, value: null, revision })
/** Revision 3 changes two keys at once, revision 6 one that nobody watches. */
const history = new RevisionedHistory([
  put('a', '1', 1),
  put('b', '1', 2),
  put('a', '2', 3),
  put('b', '2', 3),
  remove('a', 4),
  put('a', '3', 5),
  put('z', '1', 6),
  put('b', '3', 7),
])

/** What a correct server sends of the history between two revisions, inclusive: all of a revision in one response. */
function responses(watch: Omit<Watch, 'streams'>, from: number, through: number): WatchResponse[] {
  const wanted = history.changes.filter(
    change => change.revision >= from && change.revision <= through && wants({ ...watch, streams: [] }, change),
  )
  const revisions = [...new Set(wanted.map(({ revision }) => revision))]
  return revisions.map(revision => ({ revision, events: wanted.filter(change => change.revision === revision) }))
}
const all = { watcher: 'w', key: 'a', to: 'c' }
const watching = (...streams: WatchStream[]): Watch => ({ ...all, streams })
const honest = responses(all, 1, 7)
const stream = (list: readonly WatchResponse[], fromRevision = 1): WatchStream => ({ fromRevision, responses: list })
const bookmark = (revision: number): WatchResponse => ({ revision, events: [] })

const found = (...watches: Watch[]) => checkWatches(watches, history).violations.map(({ property }) => property)
/** The honest responses with one of them rewritten. */
const changed = (index: number, rewrite: (response: WatchResponse) => readonly WatchResponse[]) =>
  watching(stream(honest.flatMap((response, at) => (at === index ? rewrite(response) : [response]))))
const events = (index: number, rewrite: (event: KnownChange | WatchEvent) => WatchEvent) =>
  changed(index, ({ revision, events: list }) => [{ revision, events: list.map(rewrite) }])

describe('what a correct watch sends', () => {
  it('[WA1] is accepted, whole, resumed, filtered and with bookmarks', () => {
    expect(found(watching(stream(honest)))).toEqual([])
    expect(found(watching(stream([...honest, bookmark(9)])))).toEqual([])
    expect(found({ ...watching(stream(honest)), mustReach: 7 })).toEqual([])
    expect(found(watching(stream([...honest.slice(0, 2), bookmark(2)]), stream(honest.slice(2), 3)))).toEqual([])
    const deletes = { watcher: 'd', key: 'a', types: ['delete'] } as const
    expect(found({ ...deletes, streams: [stream(responses(deletes, 1, 7))] })).toEqual([])
    expect(found(watching(), watching(stream([])))).toEqual([])
    // A bookmark past the last event that was wanted moves the place to resume at.
    const late = { watcher: 'z', key: 'z' }
    expect(found({ ...late, streams: [stream([bookmark(5)]), stream(responses(late, 6, 7), 6)] })).toEqual([])
  })

  it('[WA2] is accepted in any run of a correct store, cut into streams anywhere', () => {
    const seeds = fc.integer({ min: 0, max: 2 ** 31 })
    fc.assert(
      fc.property(seeds, seed => {
        const random = seededRandom(seed)
        const model = storeModel()
        const [result] = checkLinearizable(model, randomExecution(random, storeSystem(4), { processes: 4, operations: 80 }), {
          partition: () => 'all',
        }).partitions
        const truth = new RevisionedHistory(changesOf(model, result!.order))
        const sent = randomWatch(random, truth)
        expect(checkWatches([sent], truth).violations).toEqual([])
      }),
      { seed: 21, numRuns: 60 },
    )
  })
})

function randomWatch(random: Random, truth: RevisionedHistory): Watch {
  const watch: Watch = { watcher: 'w', key: 'k0', to: `k${1 + random.below(4)}`, streams: [] }
  const streams: WatchStream[] = []
  let current: WatchResponse[] = []
  let from = 1 + random.below(3)
  const last = truth.changes.at(-1)?.revision ?? 0
  const first = from
  for (let revision = first; revision <= last; revision++) {
    const wanted = truth.changes.filter(change => change.revision === revision && wants(watch, change))
    if (wanted.length > 0) current.push({ revision, events: wanted })
    if (random.below(4) === 0) current.push({ revision, events: [] })
    if (random.below(6) > 0 || (current.at(-1)?.revision ?? -1) !== revision) continue
    streams.push({ fromRevision: from, responses: current })
    current = []
    from = revision + 1
  }
  return { ...watch, streams: [...streams, { fromRevision: from, responses: current }] }
}

describe('planted violations', () => {
  const table: readonly { readonly rule: string; readonly property: WatchProperty; readonly name: string; readonly watch: Watch }[] = [
    {
      rule: '[WA3]',
      property: 'ordered',
      name: 'two revisions swapped',
      watch: watching(stream([honest[1]!, honest[0]!, ...honest.slice(2)])),
    },
    {
      rule: '[WA3]',
      property: 'ordered',
      name: 'a revision that goes back after a resume',
      watch: watching(stream(honest), stream([honest[3]!], 4)),
    },
    { rule: '[WA4]', property: 'unique', name: 'an event sent twice', watch: changed(1, response => [response, response]) },
    {
      rule: '[WA4]',
      property: 'unique',
      name: 'an event repeated after a resume',
      watch: watching(stream(honest.slice(0, 3)), stream(honest.slice(2), 3)),
    },
    {
      rule: '[WA5]',
      property: 'atomic',
      name: 'a revision in two responses',
      watch: changed(2, ({ revision, events: [one, other] }) => [
        { revision, events: [one!] },
        { revision, events: [other!] },
      ]),
    },
    {
      rule: '[WA6]',
      property: 'reliable',
      name: 'an event left out',
      watch: changed(2, ({ revision, events: list }) => [{ revision, events: list.slice(1) }]),
    },
    { rule: '[WA6]', property: 'reliable', name: 'a revision left out', watch: changed(3, () => []) },
    {
      rule: '[WA6]',
      property: 'reliable',
      name: 'an end that never came',
      watch: { ...watching(stream(honest.slice(0, 4))), mustReach: 7 },
    },
    {
      rule: '[WA6]',
      property: 'reliable',
      name: 'an event that never happened',
      watch: watching(stream([...honest, { revision: 8, events: [put('a', 'x', 8)] }])),
    },
    { rule: '[WA6]', property: 'reliable', name: 'another value', watch: events(0, event => ({ ...event, value: 'other' })) },
    { rule: '[WA7]', property: 'resumable', name: 'a first event left out', watch: watching(stream(honest.slice(1))) },
    {
      rule: '[WA7]',
      property: 'resumable',
      name: 'a gap between two streams',
      watch: watching(stream(honest.slice(0, 2)), stream(honest.slice(3), 4)),
    },
    {
      rule: '[WA7]',
      property: 'resumable',
      name: 'a stream that begins too early',
      watch: watching(stream(honest.slice(0, 3)), stream(honest.slice(3), 3)),
    },
    {
      rule: '[WA8]',
      property: 'bookmarkable',
      name: 'a bookmark ahead of its events',
      watch: watching(stream([honest[0]!, bookmark(4), ...honest.slice(1)])),
    },
    {
      rule: '[WA8]',
      property: 'bookmarkable',
      name: 'a bookmark that goes back',
      watch: watching(stream([...honest, bookmark(9), bookmark(8)])),
    },
    { rule: '[WA8]', property: 'reliable', name: 'a bookmark for what never came', watch: watching(stream([honest[0]!, bookmark(9)])) },
    {
      rule: '[WA8]',
      property: 'bookmarkable',
      name: 'an event ahead of its response',
      watch: changed(3, response => [{ ...response, revision: 3 }]),
    },
    {
      rule: '[WA9]',
      property: 'previous-value',
      name: 'a wrong value before',
      watch: events(2, event => ({ ...event, previous: 'other' })),
    },
    {
      rule: '[WA9]',
      property: 'previous-value',
      name: 'a value before where there was none',
      watch: events(4, event => ({ ...event, previous: '2' })),
    },
    { rule: '[WA10]', property: 'is-create', name: 'a create that was none', watch: events(2, event => ({ ...event, isCreate: true })) },
    {
      rule: '[WA10]',
      property: 'is-create',
      name: 'a create after a delete not told as one',
      watch: events(4, event => ({ ...event, isCreate: false })),
    },
    { rule: '[WA11]', property: 'filter', name: 'a key not asked for', watch: { ...watching(stream(honest)), to: 'b' } },
    { rule: '[WA11]', property: 'filter', name: 'a kind of change not asked for', watch: { ...watching(stream(honest)), types: ['put'] } },
  ]
  it.each(table)('$rule finds $name', ({ property, watch }) => {
    expect(found(watch)).toContain(property)
  })

  it('[WA6] counts all violations and lists the first ones, with what happened', () => {
    const long = new RevisionedHistory(Array.from({ length: VIOLATIONS_MAX + 50 }, (_, index) => put('a', `${index}`, index + 1)))
    const report = checkWatches([{ watcher: 'w7', key: 'a', streams: [stream([bookmark(VIOLATIONS_MAX + 50)])] }], long)
    expect(report.count).toBe(VIOLATIONS_MAX + 50)
    expect(report.violations).toHaveLength(VIOLATIONS_MAX)
    expect(report.violations[0]).toEqual({ property: 'reliable', watcher: 'w7', message: 'put a=0@1 never came' })
  })
})

describe('the truth', () => {
  it('[WA12] is refused when no store can have made it', () => {
    expect(() => new RevisionedHistory([put('a', '1', 2), put('a', '2', 1)])).toThrow('revision 1 of a follows 2')
    expect(() => new RevisionedHistory([put('a', '1', 1), put('a', '2', 1)])).toThrow('revision 1 changes a twice')
    expect(() => new RevisionedHistory([remove('a', 1)])).toThrow('revision 1 deletes a, which does not exist')
    expect(() => new RevisionedHistory([{ ...put('a', '1', 1), value: null }])).toThrow('a put of a has a value')
  })
})
