// The coordinator's replicated state: what the log of committed commands makes of an empty one (Schneider 1990). Applying is
// synchronous and deterministic: no clock, no chance, nothing read from outside the command, so every replica that applied
// the same log holds the same state, answers and refuses alike, and a snapshot stands for the log before it.
import { assert, unreachable } from '@atoll/base'
import { HISTORY_BYTES_MAX, type LeaseId, ProtocolError } from '@atoll/protocol'
import { answerBytes } from './answer-size.ts'
import type { AnswerOf, Command, CommandKind } from './commands.ts'
import { type Contests, type Grant } from './contests.ts'
import { Digest } from './digest.ts'
import { Draft, entryOf, NO_LEASE } from './draft.ts'
import { campaign, elections, proclaim, resign } from './election.ts'
import { type Lease, Leases } from './leases.ts'
import { HISTORY_REVISIONS_MAX, SWEEP_EVENTS_MAX } from './limits.ts'
import { acquire, locks, release } from './locks.ts'
import { NODE_PREFIX, Registrations } from './registrations.ts'
import { type Change, isLive } from './revisions.ts'
import { isReserved } from './selection.ts'
import { type Answer, Sessions } from './sessions.ts'
import { Store } from './store.ts'
import { Topics } from './topics/topics.ts'
import { AnswerBytes, deleteSelected, transact } from './transaction.ts'

/** What applying one command came to. All but the answer is for those who wait or watch on this node. */
export interface Applied {
  readonly index: number
  readonly answer: Answer
  /** An earlier try took effect and was answered so; this one changed nothing. */
  readonly repeated: boolean
  /** For watches. */
  readonly change: Change | undefined
  /** Who waited for a lock or an office and has it now. */
  readonly grants: readonly Grant[]
  /** Who gave up what it held or waited for. */
  readonly left: readonly LeaseId[]
  /** For the leader’s clock. */
  readonly leasesGranted: readonly Lease[]
  readonly leasesEnded: readonly LeaseId[]
}

/** What a state consists of; a snapshot brings it all. */
export interface StateParts {
  readonly appliedIndex: number
  readonly digest: Digest
  readonly store: Store
  readonly leases: Leases
  readonly sessions: Sessions
  readonly locks: Contests
  readonly elections: Contests
}

const emptyParts = (): StateParts => ({
  appliedIndex: 0,
  digest: new Digest(),
  store: new Store(),
  leases: new Leases(),
  sessions: new Sessions(),
  locks: locks(),
  elections: elections(),
})

/** What a command does beside its draft. */
interface Consequences {
  readonly grants: Grant[]
  readonly left: LeaseId[]
  readonly leasesGranted: Lease[]
  readonly leasesEnded: LeaseId[]
}

export class CoordinatorState {
  /** These are for reading: only `apply` changes them. */
  readonly store: Store
  readonly leases: Leases
  readonly sessions: Sessions
  readonly locks: Contests
  readonly elections: Contests
  readonly registrations = new Registrations()
  readonly topics = new Topics(this.registrations)
  readonly #digest: Digest
  #appliedIndex: number

  constructor(parts: StateParts = emptyParts()) {
    this.store = parts.store
    this.leases = parts.leases
    this.sessions = parts.sessions
    this.locks = parts.locks
    this.elections = parts.elections
    this.#digest = parts.digest
    this.#appliedIndex = parts.appliedIndex
  }

  /** The last entry of the log that this state includes. */
  get appliedIndex(): number {
    return this.#appliedIndex
  }

  /** Of everything applied: equal on all replicas at the same index. */
  get digest(): Digest {
    return this.#digest
  }

  /** How much ends with `lease`: what the leader’s clock adds up for one expiry. */
  weightOf(lease: LeaseId): number {
    return this.leases.keysOf(lease).size + this.locks.countOf(lease) + this.elections.countOf(lease)
  }

  /** An entry of the log that is no command. */
  skip(index: number): void {
    assert(index === this.#appliedIndex + 1, 'entries are applied in order, each once')
    this.#appliedIndex = index
  }

  /** Applies the command that stands in the log at `index`. Whatever a client may get wrong is a refusal in the answer. */
  apply(command: Command, index: number): Applied {
    this.skip(index)
    const once = 'session' in command && command.session !== NO_LEASE ? command : undefined
    const did: Consequences = { grants: [], left: [], leasesGranted: [], leasesEnded: [] }
    let change: Change | undefined
    const repeatable = refusable(() => (once === undefined ? undefined : this.sessions.recall(once)))
    const repeated = repeatable.done && repeatable.value !== undefined
    let answer: Answer
    if (!repeatable.done) answer = repeatable.refusal
    else if (repeatable.value !== undefined) answer = repeatable.value
    else {
      const draft = new Draft(this.store, (lease, key) => this.leases.checkRoom(lease, key))
      const outcome = refusable(() => this.#perform(command, index, draft, did))
      answer = outcome.done ? { ok: true, kind: command.kind, value: outcome.value } : outcome.refusal
      if (outcome.done && draft.writes.size > 0) {
        change = this.store.commit(draft.writes)
        this.leases.follow(change)
      }
      for (const lease of did.leasesEnded) this.leases.end(lease)
      if (once !== undefined) this.sessions.keep(once.session, once.sequence, { answer, bytes: answerBytes(answer) })
    }
    this.store.sweep(SWEEP_EVENTS_MAX)
    this.#fold(index, answer, repeated, change)
    return { index, answer, repeated, change, ...did }
  }

  /** Drafts what the command changes, and answers it. Parts other than the draft change only once nothing can be refused. */
  #perform(command: Command, index: number, draft: Draft, did: Consequences): AnswerOf<CommandKind> {
    switch (command.kind) {
      case 'put': {
        const previous = draft.put(command.key, command.value, command.lease)
        const entry = command.wantPrevious && previous !== undefined ? new AnswerBytes().add(entryOf(command.key, previous)) : undefined
        return { revision: draft.revisionAfter, previous: entry }
      }
      case 'delete': {
        const answer = command.wantPrevious ? new AnswerBytes() : undefined
        const { entries, deleted } = deleteSelected(draft, command.selection, answer)
        return { revision: draft.revisionAfter, deleted, previous: entries }
      }
      case 'transaction': {
        const outcome = transact(draft, command)
        return { revision: draft.revisionAfter, ...outcome }
      }
      case 'compact':
        return { revision: this.store.revision, compactRevision: this.store.compact(command.revision) }
      case 'keep_history':
        if (command.revisions > HISTORY_REVISIONS_MAX || command.bytes > HISTORY_BYTES_MAX)
          throw new ProtocolError('invalid_argument', `at most ${HISTORY_REVISIONS_MAX} revisions and ${HISTORY_BYTES_MAX} bytes are kept`)
        this.store.keepHistory({ revisions: command.revisions, bytes: command.bytes })
        return { revision: this.store.revision, compactRevision: this.store.compactRevision }
      case 'session_open':
        this.sessions.checkOpen()
        this.#grant({ lease: index as LeaseId, ttlMs: command.ttlMs, session: true }, did)
        this.sessions.open(index as LeaseId)
        return { session: index as LeaseId }
      case 'lease_grant':
        this.#grant({ lease: index as LeaseId, ttlMs: command.ttlMs, session: false }, did)
        return { lease: index as LeaseId }
      case 'lease_revoke':
        this.leases.expect(command.lease)
        this.#endLeases(draft, [command.lease], did)
        return { revision: draft.revisionAfter }
      case 'lease_expire':
        // One that was revoked meanwhile is over already.
        this.#endLeases(
          draft,
          command.leases.filter(lease => this.leases.get(lease) !== undefined),
          did,
        )
        return { revision: draft.revisionAfter }
      case 'lock_acquire':
        return acquire(this.locks, this.leases, draft, command)
      case 'lock_release':
        did.grants.push(...release(this.locks, draft, command))
        did.left.push(command.lease)
        return { revision: draft.revisionAfter }
      case 'election_campaign':
        return campaign(this.elections, this.leases, draft, command)
      case 'election_proclaim':
        proclaim(this.elections, draft, command)
        return { revision: draft.revisionAfter }
      case 'election_resign':
        did.grants.push(...resign(this.elections, draft, command))
        did.left.push(command.lease)
        return { revision: draft.revisionAfter }
      case 'node_register': {
        if (command.lease !== NO_LEASE) this.leases.checkRoom(command.lease, NODE_PREFIX + command.node)
        const registered = this.registrations.register(draft, command)
        this.topics.registered(draft, command, registered)
        return registered
      }
      case 'node_stop':
        this.registrations.stop(draft, command.node, command.epoch)
        return { revision: draft.revisionAfter }
      case 'node_retire':
        this.registrations.retire(draft, command.node, command.disk)
        return { revision: draft.revisionAfter }
      case 'coordinator_retire':
        this.registrations.retireCoordinator(draft, command.node, command.disk)
        return { revision: draft.revisionAfter }
      case 'node_fence':
        this.registrations.fence(draft, command.node, command.epoch)
        return { revision: draft.revisionAfter }
      case 'topic_create':
      case 'topic_delete':
      case 'topic_configure':
      case 'topic_grow':
      case 'isr_change':
      case 'broker_ready':
      case 'broker_leave':
      case 'replicas_yield':
      case 'leaders_elect':
      case 'partitions_reassign':
      case 'producer_ids':
      case 'partitions_settle':
      case 'topic_sweep':
        return this.topics.perform(draft, command)
      default:
        return unreachable(command)
    }
  }

  #grant(lease: Lease, did: Consequences): void {
    this.leases.checkGrant(lease.ttlMs)
    this.leases.grant(lease)
    did.leasesGranted.push(lease)
  }

  /** With leases end, in one revision, their keys, what they hold and wait for, their registrations and their sessions. */
  #endLeases(draft: Draft, ending: readonly LeaseId[], did: Consequences): void {
    const leases = new Set(ending)
    for (const lease of leases)
      for (const key of this.leases.keysOf(lease)) {
        if (key.startsWith(NODE_PREFIX)) this.registrations.fenceKey(draft, key)
        // Whoever holds something stands under a reserved key, and leaves it below.
        else if (!isReserved(key)) draft.clear(key)
      }
    did.grants.push(...this.locks.leaveAll(draft, leases), ...this.elections.leaveAll(draft, leases))
    for (const lease of leases) this.sessions.close(lease)
    did.leasesEnded.push(...leases)
  }

  #fold(index: number, answer: Answer, repeated: boolean, change: Change | undefined): void {
    const digest = this.#digest
      .number(index)
      .string(answer.ok ? answer.kind : answer.code)
      .number(repeated ? 1 : 0)
    if (change === undefined) return
    digest.number(change.revision)
    for (const { key, version } of change.events) {
      digest.string(key).number(version.version).number(version.lease)
      if (isLive(version)) digest.number(version.createRevision).bytes(version.value)
    }
  }
}

type Refusable<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly refusal: Answer & { readonly ok: false } }

/** What `act` comes to, a typed error being one way to end; anything else is a bug and passes. */
function refusable<T>(act: () => T): Refusable<T> {
  try {
    return { done: true, value: act() }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { done: false, refusal: { ok: false, code: error.code, message: error.message } }
  }
}
