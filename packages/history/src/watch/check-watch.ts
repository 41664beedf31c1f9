// The nine properties of a watch, as etcd's robustness tests check them (validate/watch.go). Every one of them was broken in
// a released version of etcd at some time (issues 15220, 15271, 17529, 18089, 19179).
import { VIOLATIONS_MAX } from '../limits.ts'
import type { KnownChange, RevisionedHistory } from './revisioned-history.ts'
import { describeEvent, type Watch, type WatchEvent, type WatchStream, wants } from './watch.ts'

export type WatchProperty =
  | 'ordered'
  | 'unique'
  | 'atomic'
  | 'reliable'
  | 'resumable'
  | 'bookmarkable'
  | 'previous-value'
  | 'is-create'
  | 'filter'

export interface WatchViolation {
  readonly property: WatchProperty
  readonly watcher: string
  readonly message: string
}

export interface WatchReport {
  /** The first ones found, watcher by watcher. */
  readonly violations: readonly WatchViolation[]
  /** Of all that were found. */
  readonly count: number
}

/** Compares what watchers were sent with what happened. Linear in the events sent, and per watcher in the events that happened. */
export function checkWatches(watches: readonly Watch[], history: RevisionedHistory): WatchReport {
  const violations: WatchViolation[] = []
  let count = 0
  for (const watch of watches) {
    const report = (property: WatchProperty, message: string): void => {
      count++
      if (violations.length < VIOLATIONS_MAX) violations.push({ property, watcher: watch.watcher, message })
    }
    checkSequence(watch, report)
    checkBookmarks(watch, report)
    checkReliable(watch, history, report)
    checkResumable(watch, history, report)
    checkContents(watch, history, report)
  }
  return { violations, count }
}

type Report = (property: WatchProperty, message: string) => void

/** All events of a watcher, whichever stream carried them. */
function eventsOf({ streams }: Watch): WatchEvent[] {
  return streams.flatMap(({ responses }) => responses.flatMap(({ events }) => events))
}

/** Ordered: revisions never go back. Unique: no event comes twice. Atomic: all events of a revision come in one response. */
function checkSequence(watch: Watch, report: Report): void {
  const seen = new Set<string>()
  let last: WatchEvent | undefined
  for (const response of watch.streams.flatMap(({ responses }) => responses)) {
    let splits = last !== undefined
    for (const event of response.events) {
      const identity = `${event.revision}/${event.key}`
      if (last !== undefined && event.revision < last.revision)
        report('ordered', `${describeEvent(event)} came after ${describeEvent(last)}`)
      if (seen.has(identity)) report('unique', `${describeEvent(event)} came twice`)
      else if (splits && event.revision === last?.revision)
        report('atomic', `${describeEvent(event)} came in a later response than ${describeEvent(last)}`)
      splits = false
      seen.add(identity)
      last = event
    }
  }
}

/** Bookmarkable: a response speaks for everything up to its revision, so nothing at or below it comes later. */
function checkBookmarks({ streams }: Watch, report: Report): void {
  for (const { responses } of streams) {
    let promised = -Infinity
    for (const { revision, events } of responses) {
      if (revision < promised) report('bookmarkable', `revision ${revision} was told after revision ${promised}`)
      for (const event of events) {
        if (event.revision <= promised)
          report('bookmarkable', `${describeEvent(event)} came after everything up to ${promised} was said to have come`)
        if (event.revision > revision) report('bookmarkable', `${describeEvent(event)} came in a response of revision ${revision}`)
      }
      if (events.length === 0) promised = Math.max(promised, revision)
    }
  }
}

/** Reliable: between the first revision wanted and the last one spoken for, every event that is wanted came. */
function checkReliable(watch: Watch, history: RevisionedHistory, report: Report): void {
  const from = watch.streams[0]?.fromRevision
  if (from === undefined) return
  const through = Math.max(watch.mustReach ?? -Infinity, ...watch.streams.map(spokenFor))
  const came = new Set(eventsOf(watch).map(({ revision, key }) => `${revision}/${key}`))
  for (const change of wanted(watch, history, from))
    if (change.revision <= through && !came.has(`${change.revision}/${change.key}`))
      report('reliable', `${describeEvent(change)} never came`)
}

/** Resumable: a stream begins with the first wanted event of its first revision or later, and the next goes on behind the one before. */
function checkResumable(watch: Watch, history: RevisionedHistory, report: Report): void {
  let reached = -Infinity
  let received = -Infinity
  for (const [index, stream] of watch.streams.entries()) {
    const events = stream.responses.flatMap(response => response.events)
    const [first] = events
    const due = wanted(watch, history, stream.fromRevision)[0]
    const place = `stream ${index + 1}, opened at revision ${stream.fromRevision},`
    if (index > 0 && stream.fromRevision > reached + 1) report('resumable', `${place} leaves out what follows revision ${reached}`)
    if (index > 0 && stream.fromRevision <= received) report('resumable', `${place} repeats what was received up to revision ${received}`)
    if (first !== undefined && (due === undefined || first.revision !== due.revision))
      report('resumable', `${place} begins with ${describeEvent(first)} instead of ${due === undefined ? 'nothing' : describeEvent(due)}`)
    received = Math.max(received, ...events.map(({ revision }) => revision))
    reached = Math.max(reached, stream.fromRevision - 1, spokenFor(stream))
  }
}

/** Previous value, is-create and filter: each event says what happened, and only what was asked for comes. */
function checkContents(watch: Watch, history: RevisionedHistory, report: Report): void {
  for (const event of eventsOf(watch)) {
    if (!wants(watch, event)) report('filter', `${describeEvent(event)} was not asked for`)
    const truth = history.at(event.revision, event.key)
    if (truth === undefined || truth.type !== event.type || truth.value !== event.value) {
      report('reliable', `${describeEvent(event)} never happened${truth === undefined ? '' : `; it was ${describeEvent(truth)}`}`)
      continue
    }
    if (event.previous !== undefined && event.previous !== truth.previous)
      report('previous-value', `${describeEvent(event)} says the value before was ${event.previous}, it was ${truth.previous}`)
    if (event.isCreate !== undefined && event.isCreate !== truth.isCreate)
      report('is-create', `${describeEvent(event)} says the key was ${event.isCreate ? 'created' : 'there before'}`)
  }
}

/** The last revision up to which a stream claims to be complete: that of a bookmark, or of the last event. */
function spokenFor({ responses }: WatchStream): number {
  const told = responses.map(({ revision, events }) => (events.length === 0 ? revision : Math.max(...events.map(event => event.revision))))
  return Math.max(-Infinity, ...told)
}

function wanted(watch: Watch, history: RevisionedHistory, from: number): KnownChange[] {
  return history.changes.filter(change => change.revision >= from && wants(watch, change))
}
