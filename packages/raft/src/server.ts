// What a server is in every role: its identity, ballot, log and configuration, and how far it has committed.
import { assert, type Random } from '@atoll/base'
import { Ballot } from './ballot.ts'
import { type Configuration, voterOf } from './configuration.ts'
import { ConfigurationHistory } from './configuration-history.ts'
import type { HardState } from './effects.ts'
import { LogDamage } from './log-damage.ts'
import { LogView } from './log-view.ts'
import { Outbox } from './outbox.ts'
import type { Batch, RaftLog, Snapshot } from './raft-log.ts'
import type { RaftSettings } from './settings.ts'
import { StoreQueue } from './store-queue.ts'
import { isSameMember, type LogIndex, least, logIndex, type Member, previous, type Term } from './terms.ts'

export interface ServerOptions {
  readonly self: Member
  readonly settings: RaftSettings
  readonly random: Random
  /** Term 0 and no vote on a new disk. If it cannot be read, the server must not start under this identity. */
  readonly hardState: HardState
  readonly log: RaftLog
  /** The last index that was ever recorded as durable; beyond the log's end it means damage. */
  readonly recordedEnd: LogIndex
  /** How far the state machine already is: the snapshot it was restored from, or further. */
  readonly applied: LogIndex
}

export class Server {
  readonly self: Member
  readonly settings: RaftSettings
  readonly random: Random
  readonly ballot: Ballot
  readonly log: LogView
  readonly stores = new StoreQueue()
  readonly configurations: ConfigurationHistory
  readonly outbox: Outbox
  readonly damage: LogDamage
  diskFull = false
  #commit: LogIndex
  #applied: LogIndex

  constructor({ self, settings, random, hardState, log, recordedEnd, applied }: ServerOptions) {
    this.self = self
    this.settings = settings
    this.random = random
    this.ballot = new Ballot(hardState)
    this.log = new LogView(log)
    this.configurations = new ConfigurationHistory(log)
    this.outbox = new Outbox(self, this.ballot, this.stores)
    this.damage = new LogDamage(recordedEnd, log.lastIndex, hardState.term)
    assert(applied >= log.snapshot.index && applied <= log.lastIndex, 'applied lies between the snapshot and the end of the log')
    assert(hardState.term >= this.log.end.lastTerm, 'a term is on disk before its entries')
    // Only committed entries are ever in a snapshot or applied.
    this.#commit = applied
    this.#applied = applied
  }

  get term(): Term {
    return this.ballot.term
  }

  get commit(): LogIndex {
    return this.#commit
  }

  get applied(): LogIndex {
    return this.#applied
  }

  get configuration(): Configuration {
    return this.configurations.latest.configuration
  }

  get isVoter(): boolean {
    return this.#votesIn(this.configuration)
  }

  /**
   * A voter, or one that is being removed: until its removal is committed nobody else may hold the entry that removes
   * it, and then nobody else can be elected (dissertation 4.2.2).
   */
  get isElectable(): boolean {
    const { latest, before } = this.configurations
    return this.#votesIn(latest.configuration) || (latest.index > this.#commit && before !== undefined && this.#votesIn(before))
  }

  /** How far the log is known to be on this server's own disk. */
  get durableIndex(): LogIndex {
    const { unsavedFrom, installs } = this.outbox
    if (installs) return logIndex(0)
    const reach = unsavedFrom === undefined ? this.log.lastIndex : previous(unsavedFrom)
    return this.stores.durableIndex(reach)
  }

  /** The oldest write has been under way for longer than a working disk takes. */
  isDiskStuck(now: number): boolean {
    const since = this.stores.oldestSinceMs
    return since !== undefined && now - since > this.settings.diskStuckMs
  }

  /** May this server stand for election? */
  mayStand(now: number): boolean {
    return this.isElectable && !this.damage.damaged && !this.diskFull && !this.isDiskStuck(now)
  }

  /** Appends `batch`, in the place of whatever conflicts with it. Returns whether the configuration changed. */
  append(batch: Batch): boolean {
    const conflict = batch.firstIndex <= this.log.lastIndex
    if (conflict) {
      assert(batch.firstIndex > this.#commit, 'a committed entry is never truncated')
      this.log.truncate(batch.firstIndex)
      this.configurations.truncate(batch.firstIndex)
    }
    this.log.append(batch)
    this.outbox.store(batch)
    return this.configurations.append(batch) || conflict
  }

  install(snapshot: Snapshot): void {
    assert(snapshot.index > this.#commit, 'a snapshot never takes the place of a newer state')
    this.log.install(snapshot)
    this.configurations.install(snapshot)
    this.outbox.install(snapshot)
    this.#commit = snapshot.index
  }

  installed(snapshot: Snapshot): void {
    this.log.installed(snapshot)
    if (snapshot.index > this.#applied) this.#applied = snapshot.index
  }

  commitTo(index: LogIndex): void {
    if (index <= this.#commit) return
    assert(index <= this.log.lastIndex, 'only what is in the log is committed')
    this.#commit = index
  }

  /** The driver applied everything up to `index`. */
  appliedTo(index: LogIndex): void {
    assert(index <= least(this.#commit, this.durableIndex), 'only what is committed and durable is applied')
    if (index <= this.#applied) return
    this.#applied = index
    this.configurations.applied(index)
  }

  #votesIn(configuration: Configuration): boolean {
    const own = voterOf(configuration, this.self.node)
    return own !== undefined && isSameMember(own, this.self)
  }
}
