// This coordinator's copy of the agreed state, as those who ask see it. What changes it goes through the log of the leader;
// a linearizable read waits until the copy includes everything that was acknowledged before it was asked. Whoever serves
// watches, waiters or leases listens here, and is told of every entry in the turn in which it was applied.
import { type NodeId, present } from '@atoll/base'
import { ProtocolError } from '@atoll/protocol'
import type { RaftEvent, RaftStatus } from '@atoll/raft'
import type { AnswerOf, Applied, Command, CoordinatorState } from './core/index.ts'
import { ASKED_MS_MAX } from './limits.ts'
import type { RaftDriver } from './raft-driver.ts'
import type { ReplicatedState } from './replicated-state.ts'

/** How long somebody waits for an answer; the context of every request says so. */
export interface Patience {
  remainingMs(): number
}

export type Consistency = 'linearizable' | 'local'

export interface ReplicaListener {
  /** The entry of that term was applied; `applied` is undefined for one that is no command. */
  applied?(applied: Applied | undefined, term: number): void
  /** The state is another object now: that of a snapshot, which includes all that the one before did. */
  restored?(state: CoordinatorState): void
  happened?(event: RaftEvent): void
  /** This coordinator takes no part any more. */
  stopped?(): void
}

export class Replica {
  readonly #machine: ReplicatedState
  readonly #listeners: ReplicaListener[] = []
  #driver: RaftDriver<Applied> | undefined
  #stopped = false

  constructor(machine: ReplicatedState) {
    this.#machine = machine
  }

  get state(): CoordinatorState {
    return this.#machine.state
  }

  /** Throws `no_leader` until this coordinator belongs to a cluster, and `shutting_down` once it stops. */
  get driver(): RaftDriver<Applied> {
    if (this.#stopped) throw new ProtocolError('shutting_down')
    if (this.#driver === undefined) throw new ProtocolError('no_leader', 'this coordinator does not belong to a cluster yet')
    return this.#driver
  }

  get isLeader(): boolean {
    return this.#driver?.isLeader === true && !this.#stopped
  }

  /** Undefined until this coordinator belongs to a cluster. */
  get status(): RaftStatus | undefined {
    return this.#driver?.status
  }

  /** Whom it takes for the leader. */
  get leader(): NodeId | undefined {
    return this.status?.leader
  }

  listen(listener: ReplicaListener): void {
    this.#listeners.push(listener)
  }

  /** From now on `driver` keeps it. */
  begin(driver: RaftDriver<Applied>): void {
    this.#driver = driver
    this.restored()
  }

  /**
   * Resolves with what applying the command came to. Rejects as the driver does, or with what `encode` says of a command
   * that cannot be stored. A refusal is an answer here; `change` makes an error of it.
   */
  async propose(command: Command, patience: Patience): Promise<Applied> {
    const { driver } = this
    return driver.propose(this.#machine.codec.encode(command), Math.min(patience.remainingMs(), ASKED_MS_MAX))
  }

  /** Resolves with the answer to the command; rejects as `propose` does, and with the refusal if there is one. */
  async change<C extends Command>(command: C, patience: Patience): Promise<AnswerOf<C['kind']>> {
    return answered((await this.propose(command, patience)).answer) as AnswerOf<C['kind']>
  }

  /** What `look` finds, once that is at least as new as asked for. It looks in the very turn in which that is so. */
  async read<T>(consistency: Consistency, patience: Patience, look: (state: CoordinatorState) => T): Promise<T> {
    const { driver } = this
    if (consistency === 'linearizable') await driver.read(Math.min(patience.remainingMs(), ASKED_MS_MAX))
    return look(this.state)
  }

  /** Throws `not_leader`, which names the leader, or `no_leader`. */
  expectLeader(): void {
    const { driver } = this
    if (driver.isLeader) return
    const { leader } = driver.status
    throw leader === undefined ? new ProtocolError('no_leader') : new ProtocolError('not_leader', `${leader} leads`)
  }

  applied(applied: Applied | undefined, term: number): void {
    for (const listener of this.#listeners) listener.applied?.(applied, term)
  }

  restored(): void {
    for (const listener of this.#listeners) listener.restored?.(this.state)
  }

  happened(event: RaftEvent): void {
    for (const listener of this.#listeners) listener.happened?.(event)
  }

  stop(): void {
    this.#stopped = true
    for (const listener of this.#listeners) listener.stopped?.()
  }
}

/** The value of an answer; throws the refusal. */
export function answered(answer: Applied['answer']): (Applied['answer'] & { readonly ok: true })['value'] {
  if (!answer.ok) throw new ProtocolError(answer.code, answer.message)
  return present(answer.value, 'the value of an answer')
}
