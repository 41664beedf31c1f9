// Drives the Raft core on the ports: what comes in becomes inputs, one after the other; what it wants is sent, stored,
// applied and answered. The core decides; what is here keeps the promises it asks of its driver: stores in order, messages
// only after what they rest on, an end of the process when the disk fails, and callers that always hear something.
import { assert, type Clock, type Logger, type MonotonicMs, type NodeId, type Random, type Timer } from '@atoll/base'
import { ProtocolError } from '@atoll/protocol'
import {
  defaultSettings,
  type Effects,
  type Entry,
  type Input,
  type LogIndex,
  type Member,
  type MembershipChange,
  Raft,
  type RaftEvent,
  type RaftSettings,
  type RaftStatus,
  type StoreRequest,
} from '@atoll/raft'
import type { RaftStore } from './adapters/raft-log.ts'
import type { Carried } from './adapters/raft-messages.ts'
import { Applying } from './applying.ts'
import { Callers, leads } from './callers.ts'
import { HAND_OVER_MS, SNAPSHOT_ENTRIES } from './limits.ts'
import { SnapshotTaker } from './snapshot-taker.ts'
import type { StateMachine } from './state-machine.ts'

export interface RaftDriverOptions<Result> {
  readonly self: Member
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly store: RaftStore
  readonly machine: StateMachine<Result>
  /** How far the machine is: what the newest snapshot holds. */
  readonly applied: LogIndex
  readonly settings?: RaftSettings | undefined
  /** Applied entries after which a snapshot is taken. Default 20,000. */
  readonly snapshotEntries?: number | undefined
  /** Puts a message on its way; it may be lost. */
  readonly send: (carried: Carried) => void
  /** The process must end: its disk, or what it read from it, is not to be trusted. */
  readonly onFatal: (error: unknown) => void
  /** Every event of the core, after it was logged. */
  readonly onEvent?: ((event: RaftEvent) => void) | undefined
  /** Every entry that was applied. */
  readonly onApplied?: ((entry: Entry, result: Result | undefined) => void) | undefined
  /** The machine is at the snapshot that was taken over from the leader. */
  readonly onRestored?: (() => void) | undefined
  /** Every step of the core, before anything of it is performed: for the checks of a simulation. */
  readonly onStep?: ((step: DriverStep) => void) | undefined
}

export interface DriverStep {
  readonly self: Member
  readonly input: Input
  readonly effects: Effects
  /** After the step. */
  readonly status: RaftStatus
  readonly store: RaftStore
}

/** An input without its time, which the driver adds. */
export type Untimed = Input extends infer One ? (One extends Input ? Omit<One, 'nowMs'> : never) : never

export class RaftDriver<Result> {
  readonly #options: RaftDriverOptions<Result>
  readonly #raft: Raft
  readonly #snapshots: SnapshotTaker
  readonly #callers: Callers<Result>
  readonly #applying: Applying<Result>
  readonly #inputs: Untimed[] = []
  #draining = false
  #timer: Timer | undefined
  #wakeAtMs: number | undefined
  #chunk: Uint8Array | undefined
  #lastRefused = ''
  #stopped = false

  constructor(options: RaftDriverOptions<Result>) {
    const { self, clock, random, store, applied, settings = defaultSettings } = options
    this.#options = options
    this.#callers = new Callers(clock, applied, input => this.#input(input))
    this.#applying = new Applying({
      clock,
      store,
      machine: options.machine,
      applied,
      onEntry: (entry, result) => {
        options.onApplied?.(entry, result)
        this.#callers.applied(entry, result)
      },
      onApplied: index => this.#appliedThrough(index),
      onFatal: error => this.#fatal(error),
    })
    this.#raft = new Raft({
      self,
      settings,
      random,
      hardState: store.hardState,
      log: store,
      recordedEnd: store.recordedEnd,
      applied,
      nowMs: clock.monotonicMs(),
    })
    this.#snapshots = new SnapshotTaker({
      clock,
      log: options.log,
      store,
      snapshotEntries: options.snapshotEntries ?? SNAPSHOT_ENTRIES,
      image: () => options.machine.image(),
      configurationAt: index => this.#raft.configurationAt(index),
      inUse: () => this.#raft.snapshotsInUse,
      onFatal: error => this.#fatal(error),
    })
    store.listen({
      stored: request => this.#stored(request),
      loaded: () => {
        this.#input({ kind: 'log_loaded' })
        this.#applying.go()
      },
      full: full => this.#diskFull(full),
      failed: error => this.#fatal(error),
    })
  }

  /** Begins to take part. */
  start(): void {
    this.#input({ kind: 'tick' })
  }

  get status(): RaftStatus {
    return this.#raft.status
  }

  get isLeader(): boolean {
    return this.#raft.isLeader
  }

  /** Everything up to here is applied. */
  get applied(): LogIndex {
    return this.#applying.applied
  }

  /**
   * Proposes a command; resolves with what applying it came to. Rejects with `not_leader`, `no_leader`, `too_many_requests`
   * or `message_too_large` (definite), or with `leadership_lost` or `request_timed_out` (it may still be applied).
   */
  propose(command: Uint8Array, timeoutMs: number): Promise<Result> {
    const refusal = this.#whyNot()
    return refusal === undefined ? this.#callers.propose(command, timeoutMs) : Promise.reject(refusal)
  }

  /**
   * Resolves when this node's state includes everything that was acknowledged before the call. Rejects with `no_leader`,
   * `leadership_lost`, `too_many_requests` or `request_timed_out`; a retry is a new call.
   */
  read(timeoutMs: number): Promise<void> {
    return this.#stopped ? Promise.reject(stopping()) : this.#callers.read(timeoutMs)
  }

  /** Changes who takes part, one server at a time; resolves when the change is applied here. */
  changeMembership(change: MembershipChange, timeoutMs: number): Promise<void> {
    return this.#stopped ? Promise.reject(stopping()) : this.#callers.changeMembership(change, timeoutMs)
  }

  /** A message of a peer. */
  receive({ envelope, chunk }: Carried): void {
    if (this.#stopped) return
    // The bytes of a part of a snapshot are asked for in the step that handles it, and in no other.
    this.#drainNow(() => {
      this.#chunk = chunk
      this.#step({ kind: 'message', envelope })
      this.#chunk = undefined
    })
  }

  /** What was on its way to or from this peer may be lost. */
  linkLost(peer: NodeId): void {
    this.#input({ kind: 'link_reset', peer })
  }

  /** It is proved that the process of this peer is gone. */
  peerGone(peer: NodeId): void {
    this.#input({ kind: 'leader_gone', leader: peer })
  }

  /** Hands the leadership over, to `to` or to whoever is furthest. */
  transfer(to?: NodeId): void {
    this.#input({ kind: 'transfer', to })
  }

  /** Hands over what it leads, then takes no more part. */
  async stop(): Promise<void> {
    const { clock, store } = this.#options
    if (this.isLeader && this.#raft.status.configuration.voters.length > 1) {
      this.transfer()
      const untilMs = clock.monotonicMs() + HAND_OVER_MS
      while (this.#leads() && clock.monotonicMs() < untilMs) await new Promise<void>(resolve => clock.after(5, () => resolve()))
    }
    this.#end()
    // A disk that fails at the very end has failed: the next start finds out what it holds.
    await store.close().catch((error: unknown) => this.#options.onFatal(error))
  }

  #leads(): boolean {
    return this.#raft.isLeader && !this.#stopped
  }

  #end(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#applying.stop()
    this.#snapshots.stop()
    this.#callers.close()
  }

  #fatal(error: unknown): void {
    if (this.#stopped) return
    this.#end()
    this.#options.onFatal(error)
  }

  #whyNot(): ProtocolError | undefined {
    if (this.#stopped) return stopping()
    if (this.isLeader) return undefined
    const { leader } = this.#raft.status
    return leader === undefined ? new ProtocolError('no_leader') : new ProtocolError('not_leader', leads(leader))
  }

  #input(input: Untimed): void {
    if (this.#stopped) return
    this.#drainNow(() => this.#step(input), input)
  }

  /** Handles it now, or after what is being handled. */
  #drainNow(step: () => void, later?: Untimed): void {
    if (this.#draining) {
      // Only inputs arise inside a step; messages come in events of their own.
      assert(later !== undefined, 'a message is never received inside a step')
      this.#inputs.push(later)
      return
    }
    this.#draining = true
    try {
      step()
      for (let input = this.#inputs.shift(); input !== undefined && !this.#stopped; input = this.#inputs.shift()) this.#step(input)
    } finally {
      this.#draining = false
    }
  }

  #step(input: Untimed): void {
    const timed = { ...input, nowMs: this.#options.clock.monotonicMs() as MonotonicMs } as Input
    const effects = this.#raft.step(timed)
    const { self, store, onStep } = this.#options
    onStep?.({ self, input: timed, effects, status: this.#raft.status, store })
    this.#perform(effects)
  }

  #perform({ send, keepChunk, store, applyThrough, answers, events, wakeAtMs }: Effects): void {
    for (const event of events) this.#happened(event)
    for (const envelope of send) this.#send({ envelope, chunk: undefined })
    if (keepChunk !== undefined) this.#keep(keepChunk)
    if (store !== undefined) this.#options.store.write(store)
    for (const answer of answers) this.#callers.answered(answer)
    if (applyThrough !== undefined) this.#applying.allow(applyThrough)
    this.#wake(wakeAtMs)
  }

  #send(carried: Carried): void {
    const { message } = carried.envelope
    if (message.kind !== 'snapshot_chunk') return this.#options.send(carried)
    const { snapshot, offset, lengthBytes } = message
    this.#options.store.snapshots.chunk(snapshot, offset, lengthBytes).then(
      chunk => {
        if (this.#stopped) return
        if (chunk === undefined) this.#input({ kind: 'snapshot_gone', index: snapshot.index })
        else this.#options.send({ ...carried, chunk })
      },
      (error: unknown) => this.#fatal(error),
    )
  }

  #keep({ snapshot, offset, lengthBytes }: NonNullable<Effects['keepChunk']>): void {
    const chunk = this.#chunk
    assert(chunk?.length === lengthBytes, 'a part of a snapshot comes with its bytes')
    const { store } = this.#options
    store.inOrder(() => store.snapshots.keepChunk(snapshot, offset, chunk))
  }

  #wake(atMs: number): void {
    if (atMs === this.#wakeAtMs && this.#timer !== undefined) return
    const { clock } = this.#options
    this.#timer?.cancel()
    this.#wakeAtMs = atMs
    this.#timer = clock.after(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#timer = undefined
      this.#input({ kind: 'tick' })
    })
  }

  #stored(request: StoreRequest): void {
    if (request.install === undefined) return this.#report(request)
    const { index } = request.install
    const { log, onRestored } = this.#options
    this.#applying.restore(index).then(
      () => {
        if (this.#stopped) return
        log.info({ event: 'snapshot_installed', index }, 'took over the leader’s snapshot')
        onRestored?.()
        this.#callers.abandon(index)
        this.#callers.appliedThrough(index)
        this.#report(request)
        // What was allowed meanwhile waited for this.
        this.#applying.go()
      },
      (error: unknown) => this.#fatal(error),
    )
  }

  #report({ id, thenSend }: StoreRequest): void {
    for (const envelope of thenSend) this.#send({ envelope, chunk: undefined })
    this.#input({ kind: 'stored', id })
  }

  #appliedThrough(index: LogIndex): void {
    this.#input({ kind: 'applied', index })
    this.#callers.appliedThrough(index)
    this.#snapshots.appliedTo(index)
  }

  #diskFull(full: boolean): void {
    const { log } = this.#options
    if (full) log.error({ event: 'disk_full' }, 'the disk is full: this coordinator takes no writes and does not lead')
    else log.info({ event: 'disk_has_room' }, 'the disk has room again')
    this.#input({ kind: 'disk_full', full })
  }

  #happened(event: RaftEvent): void {
    const { log, store, onEvent } = this.#options
    const { kind, ...fields } = event
    const { level, sentence } = kind === 'leader_changed' && event.leader === undefined ? leaderless : events[kind]
    // Heartbeats for a disk that is gone come twenty times a second, until it is replaced.
    if (event.kind !== 'identity_refused' || this.#isNews(event.peer, event.meant)) log[level]({ event: kind, ...fields }, sentence)
    if (kind === 'stepped_down') this.#callers.abandon()
    if (kind === 'repaired') store.settleDebt()
    onEvent?.(event)
  }

  /** Two servers were not taken for each other, and other ones than last time. */
  #isNews(peer: Member, meant: Member): boolean {
    const refused = `${peer.node} ${peer.disk} ${meant.node} ${meant.disk}`
    const isNews = refused !== this.#lastRefused
    this.#lastRefused = refused
    return isNews
  }
}

const stopping = (): ProtocolError => new ProtocolError('no_leader', 'this coordinator stops')

const leaderless = { level: 'info', sentence: 'knows of no leader' } as const

const events: Readonly<Record<RaftEvent['kind'], { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly sentence: string }>> = {
  became_leader: { level: 'info', sentence: 'became leader' },
  stepped_down: { level: 'warn', sentence: 'leads no more' },
  leader_changed: { level: 'info', sentence: 'another leader' },
  transfer_ended: { level: 'info', sentence: 'handing over the leadership has ended' },
  transfer_refused: { level: 'info', sentence: 'cannot hand over what it does not lead' },
  identity_refused: { level: 'warn', sentence: 'a message for, or from, another disk of that name' },
  malformed_message: { level: 'warn', sentence: 'a message that no coordinator sends' },
  loss_discovered: {
    level: 'error',
    sentence: 'the disk lost what this coordinator had confirmed: it does not vote until that is there again',
  },
  repaired: { level: 'info', sentence: 'everything that this disk had lost is there again' },
}
