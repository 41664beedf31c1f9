// One server for unit tests, with a log in memory and a disk that works when told to.
import { type MonotonicMs, nodeId, seededRandom } from '@atoll/base'
import type { Configuration } from './configuration.ts'
import type { Answer, Effects, HardState, RaftEvent, StoreRequest } from './effects.ts'
import type { Input } from './inputs.ts'
import type { Envelope, RaftMessage } from './messages.ts'
import { Raft } from './raft.ts'
import type { Batch, RaftLog, Snapshot } from './raft-log.ts'
import { defaultSettings, type RaftSettings } from './settings.ts'
import { type DiskId, type LogIndex, logIndex, type Member, term } from './terms.ts'

type Untimed = Input extends infer One ? (One extends Input ? Omit<One, 'nowMs'> : never) : never
type Kind = RaftMessage['kind']

export const member = (place: number): Member => ({ node: nodeId(`n${place}`), disk: `d${place}` as DiskId })
export const founders = (count: number): Configuration => ({
  voters: Array.from({ length: count }, (_, place) => member(place + 1)),
  learners: [],
})

/** What was stored, as the simplest possible log. */
export class MemoryLog implements RaftLog {
  snapshot: Snapshot
  batches: Batch[] = []
  /** Entries have to be read from the disk first. */
  cold = false

  constructor(configuration: Configuration) {
    this.snapshot = { index: logIndex(0), term: term(0), configuration, sizeBytes: 0 }
  }

  get lastIndex(): LogIndex {
    return this.batches.at(-1)?.lastIndex ?? this.snapshot.index
  }

  extentAt(index: LogIndex) {
    return this.batches.find(batch => batch.firstIndex <= index && index <= batch.lastIndex)
  }

  batchesFrom(index: LogIndex) {
    return this.cold ? undefined : this.batches.filter(batch => batch.firstIndex >= index)
  }

  configurations() {
    return []
  }

  perform({ batches, install }: StoreRequest): void {
    if (install !== undefined) this.snapshot = install
    if (install !== undefined) this.batches = []
    for (const batch of batches) this.batches = [...this.batches.filter(({ lastIndex }) => lastIndex < batch.firstIndex), batch]
  }
}

interface Options {
  readonly voters?: number
  readonly settings?: Partial<RaftSettings>
  readonly hardState?: HardState
  readonly recordedEnd?: number
}

export class ScriptedServer {
  readonly log: MemoryLog
  readonly raft: Raft
  now = 1_000
  envelopes: Envelope[] = []
  answers: Answer[] = []
  events: RaftEvent[] = []
  applyThrough = 0
  last: Effects | undefined
  readonly #writes: StoreRequest[] = []

  constructor({ voters = 3, settings = {}, hardState = { term: term(0), votedFor: undefined }, recordedEnd = 0 }: Options = {}) {
    this.log = new MemoryLog(founders(voters))
    this.raft = new Raft({
      self: member(1),
      settings: { ...defaultSettings, ...settings },
      random: seededRandom(1),
      hardState,
      log: this.log,
      recordedEnd: logIndex(recordedEnd),
      applied: logIndex(0),
      nowMs: this.now as MonotonicMs,
    })
  }

  get writes(): readonly StoreRequest[] {
    return this.#writes
  }

  do(input: Untimed): Effects {
    const effects = this.raft.step({ ...input, nowMs: this.now as MonotonicMs } as Input)
    this.envelopes.push(...effects.send)
    this.answers.push(...effects.answers)
    this.events.push(...effects.events)
    this.applyThrough = effects.applyThrough ?? this.applyThrough
    if (effects.store !== undefined) this.#writes.push(effects.store)
    this.last = effects
    return effects
  }

  hear(place: number, message: RaftMessage): Effects {
    return this.do({ kind: 'message', envelope: { from: member(place), to: member(1), message } })
  }

  pass(ms: number): Effects {
    this.now += ms
    return this.do({ kind: 'tick' })
  }

  /** Everything written reaches the disk. */
  sync(): this {
    for (let write = this.#writes.shift(); write !== undefined; write = this.#writes.shift()) {
      this.log.perform(write)
      this.envelopes.push(...write.thenSend)
      this.do({ kind: 'stored', id: write.id })
    }
    return this
  }

  /** Becomes leader of the next term, with the vote of server 2, and commits the entry that begins it. */
  lead(): this {
    this.pass(700)
    this.sync()
    const next = term(this.raft.term + 1)
    if (this.log.snapshot.configuration.voters.length > 1) this.hear(2, { kind: 'pre_vote_response', term: next, granted: true })
    this.sync()
    this.hear(2, { kind: 'vote_response', term: next, granted: true })
    this.sync()
    this.confirm(2)
    return this
  }

  /** Server `place` confirms the whole log. */
  confirm(place: number, match: number = this.raft.status.lastIndex): Effects {
    return this.hear(place, { kind: 'append_accepted', term: this.raft.term, match: logIndex(match), damaged: false })
  }

  /** What left, or will once it is stored. */
  sent<K extends Kind>(kind: K): (RaftMessage & { readonly kind: K })[] {
    return this.envelopes
      .map(({ message }) => message)
      .filter((message): message is RaftMessage & { readonly kind: K } => message.kind === kind)
  }
}
