// Requests for a lock or an office that are held open until their lease comes first. The queue itself is replicated, so what
// is here is only who waits at this coordinator for news of it. It leads: once it does not, whoever waits is sent to the next
// leader, and finds its place in the queue kept. Whoever gives up waiting leaves the queue, unless its lease asks in another
// request too: a client whose connection broke may have asked again before that was noticed here.
import { assert } from '@atoll/base'
import { type LeaseId, ProtocolError, type RequestContext } from '@atoll/protocol'
import type { RaftEvent } from '@atoll/raft'
import type { AnswerOf, Applied, Command, CommandOf, Contests, CoordinatorState } from './core/index.ts'
import { CONTEST_WAITERS_MAX, LEAVE_MS_MAX } from './limits.ts'
import { answered, type Replica, type ReplicaListener } from './replica.ts'

type Ask = CommandOf<'lock_acquire'> | CommandOf<'election_campaign'>
type Standing = AnswerOf<'lock_acquire'>

interface Waiting {
  readonly ask: Ask
  readonly resolve: (standing: Standing) => void
  readonly reject: (error: ProtocolError) => void
}

export class ContestWaiters implements ReplicaListener {
  readonly #replica: Replica
  readonly #byLease = new Map<LeaseId, Set<Waiting>>()
  /** Proposed, and not answered or waiting yet. */
  readonly #asking = new Map<LeaseId, Set<Ask>>()
  #size = 0

  constructor(replica: Replica) {
    this.#replica = replica
    replica.listen(this)
  }

  /** Requests that are held open. */
  get size(): number {
    return this.#size
  }

  /**
   * Asks, and resolves once the lease has what it asked for; without `wait`, at once. Rejects with `not_holder` when the
   * lease left the queue meanwhile, and with `leadership_lost` when another coordinator is to be asked.
   */
  async ask(ask: Ask, wait: boolean, context: RequestContext): Promise<Standing> {
    if (this.#size >= CONTEST_WAITERS_MAX) throw new ProtocolError('too_many_waiters', `${CONTEST_WAITERS_MAX} requests are held open`)
    const { lease } = ask
    const asking = this.#asking.get(lease) ?? new Set()
    this.#asking.set(lease, asking.add(ask))
    let outcome: Standing | Promise<Standing>
    try {
      const applied = await this.#replica.propose(ask, context).catch((error: unknown) => {
        // It may be in the log and be applied when nobody waits for it any more.
        if (error instanceof ProtocolError && error.code === 'request_timed_out' && wait) this.#leave(ask)
        throw error
      })
      outcome = this.#outcome(ask, wait, applied, context)
    } finally {
      asking.delete(ask)
      if (asking.size === 0) this.#asking.delete(lease)
    }
    return outcome
  }

  applied(applied: Applied | undefined): void {
    if (this.#size === 0 || applied === undefined) return
    for (const { lease } of applied.grants) this.#look(lease)
    for (const lease of applied.leasesEnded) this.#look(lease)
    for (const lease of applied.left) this.#look(lease)
  }

  restored(): void {
    for (const lease of this.#byLease.keys()) this.#look(lease)
  }

  happened(event: RaftEvent): void {
    if (event.kind === 'stepped_down')
      this.#rejectAll(new ProtocolError('leadership_lost', 'whoever leads next keeps the place in the queue'))
  }

  stopped(): void {
    this.#rejectAll(new ProtocolError('leadership_lost', 'this coordinator stops'))
  }

  #outcome(ask: Ask, wait: boolean, applied: Applied, context: RequestContext): Standing | Promise<Standing> {
    const standing = answered(applied.answer) as Standing
    if (context.signal.aborted) {
      // What this very command came to is undone; what the lease had before is not.
      if (!applied.repeated && (applied.change !== undefined || !standing.held) && wait) this.#leave(ask)
      throw context.signal.reason
    }
    return standing.held || !wait ? standing : this.#wait(ask, context)
  }

  #wait(ask: Ask, context: RequestContext): Promise<Standing> {
    return new Promise((resolve, reject) => {
      const gaveUp = (): void => {
        this.#remove(waiting)
        this.#leave(ask)
        reject(context.signal.reason as ProtocolError)
      }
      const settled = (): void => context.signal.removeEventListener('abort', gaveUp)
      const waiting: Waiting = {
        ask,
        resolve(standing) {
          settled()
          resolve(standing)
        },
        reject(error) {
          settled()
          reject(error)
        },
      }
      context.signal.addEventListener('abort', gaveUp, { once: true })
      this.#add(waiting)
      if (!this.#replica.isLeader) this.#settle(waiting, new ProtocolError('leadership_lost'))
      // What the answer said was true when it was applied; much may have been applied since.
      else this.#look(ask.lease)
    })
  }

  /** Something happened to what `lease` holds or waits for. */
  #look(lease: LeaseId): void {
    const { state } = this.#replica
    for (const waiting of this.#byLease.get(lease) ?? []) {
      const { ask } = waiting
      const standing = contestsOf(state, ask).standing(ask.name, lease)
      if (standing?.held === true) this.#settle(waiting, { revision: state.store.revision, ...standing })
      else if (standing === undefined) this.#settle(waiting, whyGone(state, ask))
    }
  }

  #settle(waiting: Waiting, outcome: Standing | ProtocolError): void {
    this.#remove(waiting)
    if (outcome instanceof ProtocolError) waiting.reject(outcome)
    else waiting.resolve(outcome)
  }

  #rejectAll(error: ProtocolError): void {
    for (const waiters of this.#byLease.values()) for (const waiting of waiters) this.#settle(waiting, error)
  }

  /** Nobody waits for this any more, so the lease need not stand there, unless another request of its waits on. */
  #leave(ask: Ask): void {
    const { name, lease } = ask
    const others = [...(this.#asking.get(lease) ?? []), ...Array.from(this.#byLease.get(lease) ?? [], waiting => waiting.ask)]
    if (others.some(other => other !== ask && other.name === name && other.kind === ask.kind)) return
    const of = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0, name, lease }
    const command: Command = ask.kind === 'lock_acquire' ? { kind: 'lock_release', ...of } : { kind: 'election_resign', ...of }
    // Whatever keeps this from being done, the place in the queue ends with the lease.
    this.#replica.propose(command, { remainingMs: () => LEAVE_MS_MAX }).catch((error: unknown) => {
      if (!(error instanceof ProtocolError)) throw error
    })
  }

  #add(waiting: Waiting): void {
    const { lease } = waiting.ask
    const waiters = this.#byLease.get(lease) ?? new Set()
    this.#byLease.set(lease, waiters.add(waiting))
    this.#size++
  }

  #remove(waiting: Waiting): void {
    const { lease } = waiting.ask
    const waiters = this.#byLease.get(lease)
    assert(waiters?.delete(waiting) === true, 'who waits is settled once')
    if (waiters.size === 0) this.#byLease.delete(lease)
    this.#size--
  }
}

function contestsOf(state: CoordinatorState, { kind }: Ask): Contests {
  return kind === 'lock_acquire' ? state.locks : state.elections
}

function whyGone({ leases }: CoordinatorState, { name, lease }: Ask): ProtocolError {
  return leases.get(lease) === undefined
    ? new ProtocolError('lease_not_found', `lease ${lease} ended while it waited for ${name}`)
    : new ProtocolError('not_holder', `lease ${lease} gave up ${name} while this was waiting for it`)
}
