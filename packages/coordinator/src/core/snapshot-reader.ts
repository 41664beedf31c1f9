// Restores a state from the bytes of a snapshot, which may come cut anywhere. Each piece takes time in proportion to its
// length. Nothing is believed: what does not fit together is `malformed_message`, and no state comes of it.
import { assert } from '@atoll/base'
import { BodyCodec, type ErrorCode, errorRows, FieldsCodec, type ObjectOf, ProtocolError, type Revision } from '@atoll/protocol'
import { answerBytes } from './answer-size.ts'
import { CommandCodec } from './commands.ts'
import type { Contestant, Contests, Holder } from './contests.ts'
import { Digest } from './digest.ts'
import { elections } from './election.ts'
import { Leases } from './leases.ts'
import { HISTORY_REVISIONS_MAX } from './limits.ts'
import { locks } from './locks.ts'
import { isLive, type KeyEvent, type Version } from './revisions.ts'
import { type Answer, Sessions } from './sessions.ts'
import { NO_HOLDER, RECORD_BYTES_MAX, recordTable, SNAPSHOT_VERSION } from './snapshot-records.ts'
import { CoordinatorState } from './state-machine.ts'
import { Store, supersededBytes } from './store.ts'

type Kind = keyof typeof recordTable
type Row<K extends Kind> = ObjectOf<(typeof recordTable)[K]['fields']>

function malformed(what: string): never {
  throw new ProtocolError('malformed_message', `snapshot: ${what}`)
}

export class SnapshotReader {
  readonly #body = new BodyCodec()
  readonly #commands = new CommandCodec()
  readonly #codecs = new Map(
    Object.entries(recordTable).map(([kind, { number, fields }]) => [
      number as number,
      { kind: kind as Kind, codec: new FieldsCodec<object>(kind, fields) },
    ]),
  )
  readonly #store = new Store()
  readonly #leases = new Leases()
  readonly #sessions = new Sessions()
  readonly #locks = locks()
  readonly #elections = elections()
  /** What each revision changed, from the first one that can be watched, and what it superseded. */
  readonly #changes: { readonly revision: Revision; readonly events: KeyEvent[] }[] = []
  readonly #supersededBytes: number[] = []
  #header: Row<'header'> | undefined
  #contest: { readonly all: Contests; readonly name: string; readonly holder: Holder; readonly waiting: Contestant[] } | undefined
  #lastVersion: { readonly key: string; readonly version: Version } | undefined
  #left = new Uint8Array(0)
  #records = 0
  #ended = false

  /** The next bytes. */
  push(bytes: Uint8Array): void {
    const all = this.#left.byteLength === 0 ? bytes : joined(this.#left, bytes)
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength)
    let at = 0
    while (all.byteLength - at >= 4) {
      const length = view.getUint32(at)
      if (length > RECORD_BYTES_MAX) malformed(`a record of ${length} bytes`)
      if (all.byteLength - at - 4 < length) break
      this.#read(all.subarray(at + 4, at + 4 + length))
      at += 4 + length
    }
    this.#left = new Uint8Array(all.subarray(at))
  }

  /** The state, once all bytes were pushed. */
  finish(): CoordinatorState {
    const header = this.#header
    if (header === undefined || !this.#ended || this.#left.byteLength > 0) malformed('it is cut short')
    this.#store.restoreEnd(this.#changes, this.#supersededBytes)
    return new CoordinatorState({
      appliedIndex: header.appliedIndex,
      digest: new Digest(header.digestA, header.digestB),
      store: this.#store,
      leases: this.#leases,
      sessions: this.#sessions,
      locks: this.#locks,
      elections: this.#elections,
    })
  }

  #read(bytes: Uint8Array): void {
    const wire = this.#body.decode(bytes)
    const found = this.#codecs.get(wire[0] as number)
    if (found === undefined) malformed(`record ${String(wire[0])}`)
    const { kind, codec } = found
    if (this.#ended || (kind === 'header') !== (this.#header === undefined)) malformed(`a ${kind} in the wrong place`)
    if (kind === 'header' && typeof wire[1] === 'number' && wire[1] > SNAPSHOT_VERSION)
      throw new ProtocolError('unsupported_version', `a snapshot of format ${wire[1]}, this build reads up to ${SNAPSHOT_VERSION}`)
    const row = codec.fromWire(wire, 1, SNAPSHOT_VERSION)
    if (kind !== 'contestant') this.#endContest()
    this.#take(kind, row)
    this.#records++
  }

  #take(kind: Kind, row: object): void {
    switch (kind) {
      case 'header':
        return this.#takeHeader(row as Row<'header'>)
      case 'lease':
        return this.#leases.grant(row as Row<'lease'>)
      case 'version':
        return this.#takeVersion(row as Row<'version'>)
      case 'contestant':
        return this.#takeContestant(row as Row<'contestant'>)
      case 'session': {
        const { session, answeredBelow } = row as Row<'session'>
        return this.#sessions.open(session, answeredBelow)
      }
      case 'answer':
        return this.#takeAnswer(row as Row<'answer'>)
      case 'end':
        if ((row as Row<'end'>).records !== this.#records) malformed(`${this.#records} records of ${(row as Row<'end'>).records}`)
        this.#ended = true
    }
  }

  #takeHeader(header: Row<'header'>): void {
    const { revision, compactRevision, historyRevisions, historyBytes } = header
    if (compactRevision > revision || revision - compactRevision > HISTORY_REVISIONS_MAX) malformed('revisions that cannot be')
    this.#header = header
    this.#store.restoreBegin(revision, compactRevision, { revisions: historyRevisions, bytes: historyBytes })
    for (let at = compactRevision + 1; at <= revision; at++) {
      this.#changes.push({ revision: at as Revision, events: [] })
      this.#supersededBytes.push(0)
    }
  }

  #takeVersion({ key, ...row }: Row<'version'>): void {
    const header = this.#header as Row<'header'>
    const before = this.#lastVersion
    if (before !== undefined && (key < before.key || (key === before.key && row.modRevision <= before.version.modRevision)))
      malformed(`key ${key} out of order`)
    if (row.modRevision > header.revision) malformed(`key ${key} of a revision to come`)
    const version: Version = { ...row, value: new Uint8Array(row.value) }
    const event = this.#store.restoreVersion(key, version)
    if (event !== undefined) this.#takeEvent(version.modRevision - header.compactRevision - 1, event)
    if (before?.key === key && isLive(before.version)) this.#leases.detach(key, before.version.lease)
    // Past versions may name leases that are over; the current one is the last, and what it names is there.
    if (isLive(version)) this.#leases.attachIfGranted(key, version.lease)
    this.#lastVersion = { key, version }
  }

  #takeEvent(slot: number, event: KeyEvent): void {
    this.#changes[slot]?.events.push(event)
    this.#supersededBytes[slot] = (this.#supersededBytes[slot] ?? 0) + supersededBytes(event)
  }

  #takeContestant({ kind, name, lease, token, value }: Row<'contestant'>): void {
    if (this.#leases.get(lease) === undefined) malformed(`lease ${lease} in ${kind} ${name}`)
    const contestant = { lease, value: new Uint8Array(value) }
    if (token !== NO_HOLDER) {
      this.#endContest()
      this.#contest = { all: kind === 'lock' ? this.#locks : this.#elections, name, holder: { ...contestant, token }, waiting: [] }
    } else if (this.#contest?.name === name) this.#contest.waiting.push(contestant)
    else malformed(`somebody waits for ${kind} ${name}, which nobody has`)
  }

  #endContest(): void {
    const contest = this.#contest
    if (contest === undefined) return
    contest.all.restore(contest.name, { holder: contest.holder, waiting: contest.waiting })
    this.#contest = undefined
  }

  #takeAnswer({ session, sequence, command, body, code, message }: Row<'answer'>): void {
    const answer = command === 0 ? refusal(code, message) : this.#commands.decodeAnswer(command, body)
    this.#sessions.keep(session, sequence, { answer, bytes: answerBytes(answer) })
  }
}

function refusal(code: string, message: string): Answer {
  if (!Object.hasOwn(errorRows, code)) malformed(`error ${code}`)
  return { ok: false, code: code as ErrorCode, message }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.byteLength + b.byteLength)
  out.set(a)
  out.set(b, a.byteLength)
  assert(out.byteLength <= RECORD_BYTES_MAX + 4 + b.byteLength, 'less than a record is left over')
  return out
}
