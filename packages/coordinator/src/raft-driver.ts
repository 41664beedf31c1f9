// Drives the Raft core on the ports: what comes in becomes inputs, one after the other; what it wants is sent, stored,
// applied and answered. The core decides; what is here keeps the promises it asks of its driver: stores in order, messages
// only after what they rest on, an end of the process when the disk fails, and callers that always hear something.
import { assert, type Clock, type Logger, type MonotonicMs, type NodeId, type Random, type Timer } from '@atoll/base'
import { type ErrorCode, ProtocolError } from '@atoll/protocol'
import {
  type Answer,
  defaultSettings,
  type Effects,
  type Entry,
  type Input,
  type LogIndex,
  logIndex,
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
import { APPLY_SLICE_ENTRIES, BATCH_BYTES_WANTED, HAND_OVER_MS, LOAD_BYTES, SNAPSHOT_ENTRIES } from './limits.ts'
import { SnapshotTaker } from './snapshot-taker.ts'
import type { StateMachine } from './state-machine.ts'
import { type Waiter, WaitingRoom } from './waiting.ts'

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
type Untimed = Input extends infer One ? (One extends Input ? Omit<One, 'nowMs'> : never) : never

interface Proposal<Result> {
  readonly command: Uint8Array
  readonly waiter: Waiter<Result>
}

/** A proposal in the leader's log, and in which term. */
interface Accepted<Result> {
  readonly term: number
  readonly waiter: Waiter<Result>
}

export class RaftDriver<Result> {
  readonly #options: RaftDriverOptions<Result>
  readonly #raft: Raft
  readonly #snapshots: SnapshotTaker
  readonly #commands: WaitingRoom<Result>
  readonly #reads: WaitingRoom<void>
  readonly #changes: WaitingRoom<void>
  readonly #inputs: Untimed[] = []
  #draining = false
  #timer: Timer | undefined
  #wakeAtMs: number | undefined
  /** Gathered in this turn. */
  #proposals: Proposal<Result>[] = []
  #readers: Waiter<void>[] = []
  #gathering = false
  /** Asked of the core, by the number it was asked under. */
  #nextId = 1
  readonly #asked = new Map<number, readonly Proposal<Result>[]>()
  readonly #askedChanges = new Map<number, Waiter<void>>()
  readonly #askedReads = new Map<number, readonly Waiter<void>[]>()
  /** In the log, by index. */
  readonly #accepted = new Map<number, Accepted<Result>>()
  readonly #acceptedChanges = new Map<number, { readonly term: number; readonly waiter: Waiter<void> }>()
  /** Reads that are allowed once so much is applied. */
  #readyReads: { readonly index: number; readonly waiters: readonly Waiter<void>[] }[] = []
  #applied: LogIndex
  #applyThrough: LogIndex
  #restoring = false
  #applySoon: Timer | undefined
  #chunk: Uint8Array | undefined
  #lastRefused = ''
  #stopped = false

  constructor(options: RaftDriverOptions<Result>) {
    const { self, clock, random, store, applied, settings = defaultSettings } = options
    this.#options = options
    this.#applied = applied
    this.#applyThrough = applied
    this.#commands = new WaitingRoom('a command was not applied', clock)
    this.#reads = new WaitingRoom('a read was not allowed', clock)
    this.#changes = new WaitingRoom('a change of members was not committed', clock)
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
        this.#apply()
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
    return this.#applied
  }

  /**
   * Proposes a command; resolves with what applying it came to. Rejects with `not_leader`, `no_leader`, `too_many_requests`
   * or `message_too_large` (definite), or with `leadership_lost` or `request_timed_out` (it may still be applied).
   */
  propose(command: Uint8Array, timeoutMs: number): Promise<Result> {
    const refusal = this.#whyNot()
    if (refusal !== undefined) return Promise.reject(refusal)
    return this.#entered(this.#commands, timeoutMs, waiter => {
      this.#proposals.push({ command, waiter })
      this.#gather()
    })
  }

  /**
   * Resolves when this node's state includes everything that was acknowledged before the call. Rejects with `no_leader`,
   * `leadership_lost`, `too_many_requests` or `request_timed_out`; a retry is a new call.
   */
  read(timeoutMs: number): Promise<void> {
    return this.#entered(this.#reads, timeoutMs, waiter => {
      this.#readers.push(waiter)
      this.#gather()
    })
  }

  /** Changes who takes part, one server at a time; resolves when the change is applied here. */
  changeMembership(change: MembershipChange, timeoutMs: number): Promise<void> {
    return this.#entered(this.#changes, timeoutMs, waiter => {
      const proposalId = this.#nextId++
      this.#askedChanges.set(proposalId, waiter)
      this.#input({ kind: 'change_membership', proposalId, change })
    })
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
    this.#applySoon?.cancel()
    this.#snapshots.stop()
    for (const room of [this.#commands, this.#reads, this.#changes]) room.close()
  }

  #fatal(error: unknown): void {
    if (this.#stopped) return
    this.#end()
    this.#options.onFatal(error)
  }

  #entered<T>(room: WaitingRoom<T>, timeoutMs: number, begin: (waiter: Waiter<T>) => void): Promise<T> {
    try {
      if (this.#stopped) throw new ProtocolError('no_leader', 'this coordinator stops')
      const waiter = room.enter(timeoutMs)
      begin(waiter)
      return waiter.promise
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return Promise.reject(error)
    }
  }

  #whyNot(): ProtocolError | undefined {
    if (this.isLeader || this.#stopped) return undefined
    const { leader } = this.#raft.status
    return leader === undefined ? new ProtocolError('no_leader') : new ProtocolError('not_leader', `${leader} leads`)
  }

  /** What is proposed and read in one turn goes to the core together: one batch, one round of heartbeats. */
  #gather(): void {
    if (this.#gathering) return
    this.#gathering = true
    this.#options.clock.endOfTurn(() => {
      this.#gathering = false
      this.#propose()
      this.#askToRead()
    })
  }

  #propose(): void {
    const all = this.#proposals
    this.#proposals = []
    for (let start = 0; start < all.length; ) {
      let bytes = 0
      let end = start
      for (; end < all.length && (end === start || bytes < BATCH_BYTES_WANTED); end++) bytes += all[end]?.command.length ?? 0
      const together = all.slice(start, end)
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
    for (const answer of answers) this.#answered(answer)
    if (applyThrough !== undefined) {
      this.#applyThrough = applyThrough
      this.#apply()
    }
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
    const { machine, store, log, onRestored } = this.#options
    this.#restoring = true
    machine.restore(store.snapshots.state()).then(
      () => {
        this.#restoring = false
        if (this.#stopped) return
        log.info({ event: 'snapshot_installed', index }, 'took over the leader’s snapshot')
        this.#applied = index
        onRestored?.()
        this.#forgetUpTo(index)
        this.#report(request)
        this.#serveReads()
      },
      (error: unknown) => this.#fatal(error),
    )
  }

  #report({ id, thenSend }: StoreRequest): void {
    for (const envelope of thenSend) this.#send({ envelope, chunk: undefined })
    this.#input({ kind: 'stored', id })
  }

  /** Applies what may be, a slice at a time. */
  #apply(): void {
    if (this.#restoring || this.#stopped || this.#applySoon !== undefined) return
    const before = this.#applied
    const sliceEnd = before + APPLY_SLICE_ENTRIES
    while (this.#applied < this.#applyThrough && this.#applied < sliceEnd) {
      const batches = this.#options.store.batchesFrom(logIndex(this.#applied + 1), LOAD_BYTES)
      // They are being read; the store says when.
      if (batches === undefined) break
      assert(batches.length > 0, 'what is committed and durable can be read')
      for (const { entries } of batches)
        for (const entry of entries) if (entry.index === this.#applied + 1 && entry.index <= this.#applyThrough) this.#applyOne(entry)
    }
    if (this.#applied === before) return
    this.#input({ kind: 'applied', index: this.#applied })
    this.#serveReads()
    if (this.#applied < this.#applyThrough) {
      this.#applySoon = this.#options.clock.after(0, () => {
        this.#applySoon = undefined
        this.#apply()
      })
    }
    this.#snapshots.appliedTo(this.#applied)
  }

  #applyOne(entry: Entry): void {
    const { machine, onApplied } = this.#options
    const { index, payload, term } = entry
    let result: Result | undefined
    if (payload.kind === 'command') result = machine.apply(payload.bytes, index)
    else machine.skip(index)
    this.#applied = index
    onApplied?.(entry, result)
    const accepted = this.#accepted.get(index)
    if (accepted !== undefined) {
      this.#accepted.delete(index)
      if (accepted.term === term) this.#commands.resolve(accepted.waiter, result as Result)
      else this.#commands.reject(accepted.waiter, 'leadership_lost')
    }
    const change = this.#acceptedChanges.get(index)
    if (change === undefined) return
    this.#acceptedChanges.delete(index)
    if (change.term === term) this.#changes.resolve(change.waiter)
    else this.#changes.reject(change.waiter, 'leadership_lost')
  }

  /** What was accepted up to `index` is in a snapshot or was replaced: nobody knows any more which. */
  #forgetUpTo(index: number): void {
    for (const [at, { waiter }] of this.#accepted)
      if (at <= index) {
        this.#accepted.delete(at)
        this.#commands.reject(waiter, 'leadership_lost')
      }
    for (const [at, { waiter }] of this.#acceptedChanges)
      if (at <= index) {
        this.#acceptedChanges.delete(at)
        this.#changes.reject(waiter, 'leadership_lost')
      }
  }

  #serveReads(): void {
    const ready = this.#readyReads.filter(({ index }) => index <= this.#applied)
    if (ready.length === 0) return
    this.#readyReads = this.#readyReads.filter(({ index }) => index > this.#applied)
    for (const { waiters } of ready) for (const waiter of waiters) this.#reads.resolve(waiter)
  }

  #answered(answer: Answer): void {
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

  #accept({ proposalId, term, firstIndex }: Answer & { readonly kind: 'accepted' }): void {
    for (const [place, { waiter }] of (this.#asked.get(proposalId) ?? []).entries())
      this.#accepted.set(firstIndex + place, { term, waiter })
    this.#asked.delete(proposalId)
    const change = this.#askedChanges.get(proposalId)
    this.#askedChanges.delete(proposalId)
    if (change !== undefined) this.#acceptedChanges.set(firstIndex, { term, waiter: change })
  }

  #refuse({ proposalId, reason, leader }: Answer & { readonly kind: 'refused' }): void {
    const code = reason === 'not_leader' && leader === undefined ? 'no_leader' : (refusals[reason] ?? 'wrong_state')
    for (const { waiter } of this.#asked.get(proposalId) ?? []) this.#commands.reject(waiter, code, leader && `${reason}; ${leader} leads`)
    this.#asked.delete(proposalId)
    const change = this.#askedChanges.get(proposalId)
    this.#askedChanges.delete(proposalId)
    if (change !== undefined) this.#changes.reject(change, code, reason)
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
    const { level, sentence } = events[kind]
    // Heartbeats for a disk that is gone come twenty times a second, until it is replaced.
    if (event.kind !== 'identity_refused' || this.#isNews(event.peer, event.meant)) log[level]({ event: kind, ...fields }, sentence)
    if (kind === 'stepped_down') this.#abandonAccepted()
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

  /** A new leader may commit what this one took, or not; who waits asks it. */
  #abandonAccepted(): void {
    for (const { waiter } of this.#accepted.values()) this.#commands.reject(waiter, 'leadership_lost')
    for (const { waiter } of this.#acceptedChanges.values()) this.#changes.reject(waiter, 'leadership_lost')
    this.#accepted.clear()
    this.#acceptedChanges.clear()
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

const events: Readonly<Record<RaftEvent['kind'], { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly sentence: string }>> = {
  became_leader: { level: 'info', sentence: 'became leader' },
  stepped_down: { level: 'warn', sentence: 'leads no more' },
  leader_changed: { level: 'info', sentence: 'another leader' },
  transfer_ended: { level: 'info', sentence: 'handing over the leadership has ended' },
  transfer_refused: { level: 'info', sentence: 'cannot hand over what it does not lead' },
  identity_refused: { level: 'warn', sentence: 'a message for, or from, another disk of that name' },
  malformed_message: { level: 'warn', sentence: 'a message that no coordinator sends' },
  repaired: { level: 'info', sentence: 'everything that this disk had lost is there again' },
}
