// Snapshots: the whole state as a stream of records, written in slices while the state goes on. Leases, contests and
// sessions are captured by reference at once, because their entries never change; the store is read as of its revision,
// which its versions allow, and pinned so that none of them is swept meanwhile. The same state always makes the same bytes,
// whatever garbage it held, so two replicas can be compared by them.
import { BodyCodec, FieldsCodec, type LeaseId, type ObjectOf, type Revision } from '@atoll/protocol'
import { CommandCodec } from './commands.ts'
import type { Contest, Contests } from './contests.ts'
import type { Lease } from './leases.ts'
import { SNAPSHOT_SLICE_BYTES_MAX, SNAPSHOT_SLICE_RECORDS_MAX } from './limits.ts'
import type { Version } from './revisions.ts'
import type { Answer, Sessions } from './sessions.ts'
import { NO_HOLDER, recordTable, SNAPSHOT_VERSION } from './snapshot-records.ts'
import type { CoordinatorState } from './state-machine.ts'

type Row<K extends keyof typeof recordTable> = ObjectOf<(typeof recordTable)[K]['fields']>

/** A state as of one entry of the log. Once the bytes are written, or given up, `close` it. */
export class Snapshot {
  /** The entry of the log up to which it stands for the log. */
  readonly appliedIndex: number
  readonly revision: Revision
  readonly #state: CoordinatorState
  readonly #header: Row<'header'>
  readonly #leases: readonly Lease[]
  readonly #contests: readonly (readonly [kind: 'lock' | 'election', name: string, contest: Contest])[]
  readonly #sessions: ReturnType<Sessions['capture']>
  #closed = false

  constructor(state: CoordinatorState) {
    const { store, leases, locks, elections, sessions } = state
    this.#state = state
    this.appliedIndex = state.appliedIndex
    this.revision = store.revision
    const [digestA, digestB] = state.digest.lanes
    this.#header = {
      format: SNAPSHOT_VERSION,
      appliedIndex: state.appliedIndex,
      digestA,
      digestB,
      revision: store.revision,
      compactRevision: store.compactRevision,
      historyRevisions: store.policy.revisions,
      historyBytes: store.policy.bytes,
    }
    this.#leases = [...leases.values()]
    const held = (kind: 'lock' | 'election', all: Contests) => [...all.entries()].map(([name, contest]) => [kind, name, contest] as const)
    this.#contests = [...held('lock', locks), ...held('election', elections)]
    this.#sessions = sessions.capture()
    store.pin()
  }

  /** Lets the store forget again. */
  close(): void {
    if (!this.#closed) this.#state.store.unpin()
    this.#closed = true
  }

  /** The bytes, a slice at a time; the state may go on between two. Together they are always the same. */
  *slices(): Generator<Uint8Array, void> {
    const writer = new RecordWriter()
    for (const [kind, row] of this.#records()) if (writer.add(kind, row)) yield writer.take()
    writer.add('end', { records: writer.records })
    yield writer.take()
    this.close()
  }

  *#records(): Generator<readonly [kind: keyof typeof recordTable, row: object], void> {
    yield ['header', this.#header]
    // Before the keys that hang on them.
    for (const { lease, ttlMs, session } of this.#leases) yield ['lease', { lease, ttlMs, session } satisfies Row<'lease'>]
    for (const [key, version] of this.#versions()) yield ['version', { key, ...version } satisfies Row<'version'>]
    for (const [kind, name, { holder, waiting }] of this.#contests) {
      yield ['contestant', { kind, name, ...holder } satisfies Row<'contestant'>]
      for (const one of waiting) yield ['contestant', { kind, name, ...one, token: NO_HOLDER } satisfies Row<'contestant'>]
    }
    const commands = new CommandCodec()
    for (const { session, answeredBelow, answers } of this.#sessions) {
      yield ['session', { session, answeredBelow } satisfies Row<'session'>]
      for (const [sequence, { answer }] of answers) yield ['answer', answerRow(commands, session, sequence, answer)]
    }
  }

  /** The store may grow between two slices, so its order is entered anew, behind the last key, once per slice. */
  *#versions(): Generator<readonly [key: string, version: Version], void> {
    const { compactRevision, revision } = this.#header
    let after = ''
    for (;;) {
      const taken: (readonly [string, Version])[] = []
      for (const found of this.#state.store.versionsBetween(compactRevision, revision, after)) {
        // Whole keys only: the next slice begins behind the last.
        if (taken.length >= SNAPSHOT_SLICE_RECORDS_MAX && found[0] !== taken.at(-1)?.[0]) break
        taken.push(found)
      }
      yield* taken
      const last = taken.at(-1)
      if (last === undefined) return
      after = last[0]
    }
  }
}

function answerRow(commands: CommandCodec, session: LeaseId, sequence: number, answer: Answer): Row<'answer'> {
  if (!answer.ok) return { session, sequence, command: 0, body: NOTHING, code: answer.code, message: answer.message }
  const body = commands.encodeAnswer(answer.kind, answer.value)
  return { session, sequence, command: commands.numberOf(answer.kind), body, code: '', message: '' }
}

const NOTHING = new Uint8Array(0)

/** Collects records, each as u32 length and msgpack array, into slices. */
class RecordWriter {
  readonly #body = new BodyCodec()
  readonly #codecs = Object.fromEntries(
    Object.entries(recordTable).map(([kind, { number, fields }]) => [kind, { number, codec: new FieldsCodec(kind, fields) }]),
  )
  #parts: Uint8Array[] = []
  #bytes = 0
  records = 0

  /** True when the slice is long enough to be taken. */
  add(kind: keyof typeof recordTable, row: object): boolean {
    const { number, codec } = this.#codecs[kind] as { number: number; codec: FieldsCodec<object> }
    const bytes = this.#body.encode(codec.toWire(row, SNAPSHOT_VERSION, [number]))
    this.#parts.push(bytes)
    this.#bytes += 4 + bytes.byteLength
    this.records++
    return this.#parts.length >= SNAPSHOT_SLICE_RECORDS_MAX || this.#bytes >= SNAPSHOT_SLICE_BYTES_MAX
  }

  take(): Uint8Array {
    const out = new Uint8Array(this.#bytes)
    const view = new DataView(out.buffer)
    let at = 0
    for (const part of this.#parts) {
      view.setUint32(at, part.byteLength)
      out.set(part, at + 4)
      at += 4 + part.byteLength
    }
    this.#parts = []
    this.#bytes = 0
    return out
  }
}
