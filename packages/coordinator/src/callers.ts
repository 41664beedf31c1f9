// Those who ask the agreement for something: that a command be applied, that a read be allowed, that the members change.
// What is asked in one turn goes to the core together; its answers and what is applied settle each asker once.
import { type Clock, type NodeId } from '@atoll/base'
import { type ErrorCode, ProtocolError } from '@atoll/protocol'
import { type Answer, ENTRY_OVERHEAD_BYTES, type Entry, type MembershipChange } from '@atoll/raft'
import { BATCH_BYTES_WANTED, BATCHES_UNDER_WAY_MAX } from './limits.ts'
import type { Untimed } from './raft-driver.ts'
import { type Waiter, WaitingRoom } from './waiting.ts'

interface Proposal<Result> {
  readonly command: Uint8Array
  readonly waiter: Waiter<Result>
}

/** What somebody waits for, in the leader's log, and in which term. */
interface Accepted<Result> {
  readonly term: number
  readonly waiter: Waiter<Result>
}

export class Callers<Result> {
  readonly #clock: Clock
  readonly #input: (input: Untimed) => void
  readonly #commands: WaitingRoom<Result>
  readonly #reads: WaitingRoom<void>
  readonly #changes: WaitingRoom<void>
  /** Gathered in this turn. */
  #proposals: Proposal<Result>[] = []
  #proposedBytes = 0
  #readers: Waiter<void>[] = []
  #gathering = false
  /** Where batches end that are in the log and not applied. */
  #underWay: number[] = []
  /** Asked of the core, by the number it was asked under. */
  #nextId = 1
  readonly #asked = new Map<number, readonly Proposal<Result>[]>()
  readonly #askedChanges = new Map<number, Waiter<void>>()
  readonly #askedReads = new Map<number, readonly Waiter<void>[]>()
  /** In the log, by index. */
  readonly #accepted = new Map<number, Accepted<Result>>()
  readonly #acceptedChanges = new Map<number, Accepted<void>>()
  /** Reads that are allowed once so much is applied. */
  #readyReads: { readonly index: number; readonly waiters: readonly Waiter<void>[] }[] = []
  #applied: number

  /** `input` hands something to the core, which has applied everything up to `applied`. */
  constructor(clock: Clock, applied: number, input: (input: Untimed) => void) {
    this.#clock = clock
    this.#applied = applied
    this.#input = input
    this.#commands = new WaitingRoom('a command was not applied', clock)
    this.#reads = new WaitingRoom('a read was not allowed', clock)
    this.#changes = new WaitingRoom('a change of members was not committed', clock)
  }

  propose(command: Uint8Array, timeoutMs: number): Promise<Result> {
    return entered(this.#commands, timeoutMs, waiter => {
      this.#proposals.push({ command, waiter })
      this.#proposedBytes += command.byteLength
      this.#gather()
    })
  }

  read(timeoutMs: number): Promise<void> {
    return entered(this.#reads, timeoutMs, waiter => {
      this.#readers.push(waiter)
      this.#gather()
    })
  }

  changeMembership(change: MembershipChange, timeoutMs: number): Promise<void> {
    return entered(this.#changes, timeoutMs, waiter => {
      const proposalId = this.#nextId++
      this.#askedChanges.set(proposalId, waiter)
      this.#input({ kind: 'change_membership', proposalId, change })
    })
  }

  /** The core says what becomes of something that was asked. */
  answered(answer: Answer): void {
    switch (answer.kind) {
      case 'accepted':
        return this.#accept(answer)
      case 'refused':
        return this.#refuse(answer)
      case 'read_ready': {
        const waiters = this.#askedReads.get(answer.readId) ?? []
        this.#askedReads.delete(answer.readId)
        if (answer.index <= this.#applied) for (const waiter of waiters) this.#reads.resolve(waiter)
        else this.#readyReads.push({ index: answer.index, waiters })
        return
      }
      case 'read_failed': {
        const waiters = this.#askedReads.get(answer.readId) ?? []
        this.#askedReads.delete(answer.readId)
        for (const waiter of waiters) this.#reads.reject(waiter, readErrors[answer.reason])
      }
    }
  }

  /** An entry was applied, and came to `result` if it is a command. */
  applied({ index, term }: Entry, result: Result | undefined): void {
    const accepted = this.#accepted.get(index)
    if (accepted !== undefined) {
      this.#accepted.delete(index)
      if (accepted.term === term) this.#commands.resolve(accepted.waiter, result as Result)
      else this.#commands.reject(accepted.waiter, 'leadership_lost')
    }
    if (this.#acceptedChanges.size === 0) return
    const change = this.#acceptedChanges.get(index)
    if (change === undefined) return
    this.#acceptedChanges.delete(index)
    if (change.term === term) this.#changes.resolve(change.waiter)
    else this.#changes.reject(change.waiter, 'leadership_lost')
  }

  /** Everything up to `index` is in the state. */
  appliedThrough(index: number): void {
    this.#applied = index
    if (this.#underWay.length > 0) {
      this.#underWay = this.#underWay.filter(end => end > index)
      if (this.#proposals.length > 0) this.#gather()
    }
    if (this.#readyReads.length === 0) return
    const ready = this.#readyReads.filter(read => read.index <= index)
    this.#readyReads = this.#readyReads.filter(read => read.index > index)
    for (const { waiters } of ready) for (const waiter of waiters) this.#reads.resolve(waiter)
  }

  /** A new leader may commit what this one took, or not; and what is in a snapshot up to `index` nobody knows any more. */
  abandon(index = Infinity): void {
    abandonUpTo(this.#accepted, this.#commands, index)
    abandonUpTo(this.#acceptedChanges, this.#changes, index)
    this.#underWay = this.#underWay.filter(end => end > index)
    if (this.#proposals.length > 0) this.#gather()
  }

  close(): void {
    for (const room of [this.#commands, this.#reads, this.#changes]) room.close()
  }

  /**
   * What is proposed and read in one turn goes to the core together: one batch, one round of heartbeats. While batches are
   * under way the next one grows, so that a disk that is slower, or more clients, make batches larger and not more.
   */
  #gather(): void {
    if (this.#gathering) return
    this.#gathering = true
    this.#clock.endOfTurn(() => {
      this.#gathering = false
      if (this.#underWay.length < BATCHES_UNDER_WAY_MAX || this.#proposedBytes >= BATCH_BYTES_WANTED) this.#propose()
      this.#askToRead()
    })
  }

  /** A batch holds more than wanted only when a single command does. */
  #propose(): void {
    const all = this.#proposals
    this.#proposals = []
    this.#proposedBytes = 0
    for (let start = 0; start < all.length; ) {
      let bytes = 0
      let end = start
      for (; end < all.length; end++) {
        bytes += (all[end] as Proposal<Result>).command.byteLength + ENTRY_OVERHEAD_BYTES
        if (bytes > BATCH_BYTES_WANTED && end > start) break
      }
      const together = start === 0 && end === all.length ? all : all.slice(start, end)
      const proposalId = this.#nextId++
      this.#asked.set(proposalId, together)
      this.#input({ kind: 'propose', proposalId, commands: together.map(({ command }) => command) })
      start = end
    }
  }

  #askToRead(): void {
    if (this.#readers.length === 0) return
    const readId = this.#nextId++
    this.#askedReads.set(readId, this.#readers)
    this.#readers = []
    this.#input({ kind: 'read', readId })
  }

  #accept({ proposalId, term, firstIndex }: Answer & { readonly kind: 'accepted' }): void {
    const proposals = this.#asked.get(proposalId) ?? []
    for (let i = 0; i < proposals.length; i++)
      this.#accepted.set(firstIndex + i, { term, waiter: (proposals[i] as Proposal<Result>).waiter })
    if (proposals.length > 0) this.#underWay.push(firstIndex + proposals.length - 1)
    this.#asked.delete(proposalId)
    const change = this.#askedChanges.get(proposalId)
    this.#askedChanges.delete(proposalId)
    if (change !== undefined) this.#acceptedChanges.set(firstIndex, { term, waiter: change })
  }

  #refuse({ proposalId, reason, leader }: Answer & { readonly kind: 'refused' }): void {
    const code = reason === 'not_leader' && leader === undefined ? 'no_leader' : (refusals[reason] ?? 'wrong_state')
    for (const { waiter } of this.#asked.get(proposalId) ?? [])
      this.#commands.reject(waiter, code, leader && (reason === 'not_leader' ? leads(leader) : `${reason}; ${leads(leader)}`))
    this.#asked.delete(proposalId)
    const change = this.#askedChanges.get(proposalId)
    this.#askedChanges.delete(proposalId)
    if (change !== undefined) this.#changes.reject(change, code, reason)
  }
}

/** How a refusal names the leader. */
export const leads = (leader: NodeId): string => `${leader} leads`

function entered<T>(room: WaitingRoom<T>, timeoutMs: number, begin: (waiter: Waiter<T>) => void): Promise<T> {
  try {
    const waiter = room.enter(timeoutMs)
    begin(waiter)
    return waiter.promise
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return Promise.reject(error)
  }
}

function abandonUpTo<T>(accepted: Map<number, Accepted<T>>, room: WaitingRoom<T>, index: number): void {
  for (const [at, { waiter }] of accepted)
    if (at <= index) {
      accepted.delete(at)
      room.reject(waiter, 'leadership_lost')
    }
}

const readErrors = {
  no_leader: 'no_leader',
  leader_changed: 'no_leader',
  timed_out: 'request_timed_out',
  busy: 'too_many_requests',
} as const satisfies Record<string, ErrorCode>

const refusals: Readonly<Partial<Record<string, ErrorCode>>> = {
  not_leader: 'not_leader',
  transferring: 'no_leader',
  busy: 'too_many_requests',
  too_large: 'message_too_large',
}
