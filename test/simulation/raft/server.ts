// One simulated server: a process that can crash, pause and run on a clock of its own, around the real core and a
// simulated disk. It does what a driver does, and as dully.
import type { MonotonicMs, Random } from '@atoll/base'
import type { Answer, Effects, Envelope, Input, Member, Raft, RaftEvent, Snapshot, StoreRequest } from '@atoll/raft'
import type { SimulatedDisk, StoredSnapshot } from './disk.ts'
import type { Packet } from './network.ts'
import { Registers } from './state-machine.ts'

/** An input without its time, which the server adds. */
export type Untimed = Input extends infer One ? (One extends Input ? Omit<One, 'nowMs'> : never) : never

/** What the server needs of the world around it. */
export interface World {
  readonly now: number
  readonly random: Random
  later(delayMs: number, task: () => void): void
  start(server: SimulatedServer, nowMs: MonotonicMs): Raft
  send(packet: Packet): void
  stepped(server: SimulatedServer, raft: Raft): void
  writing(server: SimulatedServer, request: StoreRequest): void
  stored(server: SimulatedServer, request: StoreRequest): void
  leaving(server: SimulatedServer, envelope: Envelope): void
  applied(server: SimulatedServer): void
  answered(server: SimulatedServer, answer: Answer): void
  happened(server: SimulatedServer, event: RaftEvent): void
  /** A step that tests like to crash at. */
  passing(server: SimulatedServer, point: FailurePoint): void
  broke(server: SimulatedServer, error: unknown): void
}

export type FailurePoint = 'chunk_kept' | 'install_queued' | 'install_durable' | 'snapshot_taken' | 'log_discarded'

export interface DiskSpeed {
  readonly msMin: number
  readonly msMax: number
  /** A report may come this much after the write is durable, overtaken by others. */
  readonly reportMsMax: number
}

export const fastDisk: DiskSpeed = { msMin: 0.1, msMax: 0.6, reportMsMax: 0 }

export class SimulatedServer {
  readonly name: Member['node']
  disk: SimulatedDisk
  diskId: Member['disk']
  raft: Raft | undefined
  machine = new Registers()
  speed: DiskSpeed = fastDisk
  stuck = false
  /** Snapshots are taken every so many entries, and so many entries are kept behind them. */
  snapshotEvery = Number.POSITIVE_INFINITY
  keepBehind = 0
  commitSeen = 0
  /** Reads to be served once that much is applied. */
  waitingReads: { readonly readId: number; readonly index: number }[] = []
  /** Writes that this server took into its log as leader: acknowledged once they are applied, if they still are there. */
  accepted: { readonly index: Snapshot['index']; readonly term: number }[] = []
  readonly #world: World
  #rate = 1
  #offset = 0
  #life = 0
  #paused = false
  #backlog: (() => void)[] = []
  #wakeAt = Number.POSITIVE_INFINITY
  #wakeScheduledAt = Number.POSITIVE_INFINITY
  #syncing = false
  #packet: Packet | undefined

  constructor(name: Member['node'], diskId: Member['disk'], disk: SimulatedDisk, world: World) {
    this.name = name
    this.diskId = diskId
    this.disk = disk
    this.#world = world
  }

  get member(): Member {
    return { node: this.name, disk: this.diskId }
  }

  get isUp(): boolean {
    return this.raft !== undefined
  }

  get isPaused(): boolean {
    return this.#paused
  }

  start(): void {
    const { random } = this.#world
    this.#life++
    this.#rate = 0.95 + random.float() * 0.1
    this.#offset = random.float() * 1_000_000
    this.machine = Registers.decode(this.disk.stored.bytes)
    this.raft = this.#world.start(this, this.#localNow())
    this.commitSeen = this.raft.commit
    this.#wakeAt = this.#wakeScheduledAt = Number.POSITIVE_INFINITY
    this.input({ kind: 'tick' })
  }

  /** The process ends where it stands; `keeps` of what it was writing reaches the disk. */
  crash(keeps: number): void {
    this.#life++
    this.raft = undefined
    this.#paused = false
    this.#backlog = []
    this.#syncing = false
    this.waitingReads = []
    this.accepted = []
    this.disk.crash(this.#world.random, keeps)
    this.disk.forgetOlderSnapshots()
  }

  pause(): void {
    this.#paused = true
  }

  /** What came meanwhile is handled now, timers first or last as it happens. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    const backlog = this.#backlog
    this.#backlog = []
    if (this.#world.random.float() < 0.5) this.input({ kind: 'tick' })
    for (const task of backlog) this.#whenRunning(task)
    this.input({ kind: 'tick' })
  }

  receive(packet: Packet): void {
    // A socket's buffer is bounded.
    if (this.#paused && this.#backlog.length > 2_000) return
    this.#whenRunning(() => {
      this.#packet = packet
      this.#step({ kind: 'message', envelope: packet.envelope })
      this.#packet = undefined
    })
  }

  input(input: Untimed): void {
    this.#whenRunning(() => this.#step(input))
  }

  unstick(): void {
    this.stuck = false
    this.#sync()
  }

  /** The accepted writes that are, or would have been, applied by now. */
  takeAccepted(): readonly { readonly index: Snapshot['index']; readonly term: number }[] {
    if (this.accepted.length === 0) return this.accepted
    const taken = this.accepted.filter(({ index }) => index <= this.machine.index)
    this.accepted = this.accepted.filter(({ index }) => index > this.machine.index)
    return taken
  }

  /** Everything written so far, or `count` requests of it, reaches the disk, stuck or not. */
  syncNow(count = this.disk.queueLength): void {
    const life = this.#life
    for (let done = 0; done < count && this.#life === life; done++) this.#completed()
  }

  /** Time passes for this server alone. */
  elapse(ms: number): void {
    this.#offset += ms
    this.input({ kind: 'tick' })
  }

  /** Takes a snapshot of what is applied and discards the log before it. */
  compact(): void {
    const index = this.machine.index as Snapshot['index']
    const raft = this.raft
    const configuration = raft?.configurationAt(index)
    if (raft === undefined || configuration === undefined || index <= this.disk.snapshot.index) return
    // A snapshot on its way to the disk will replace what is there.
    if (this.disk.queueLength > 0) return
    const term = this.disk.termAt(index)
    if (term === undefined) return
    const bytes = this.machine.encode()
    const meta: Snapshot = { index, term: term as Snapshot['term'], configuration, sizeBytes: bytes.length }
    const snapshot: StoredSnapshot = { meta, bytes }
    this.disk.takeSnapshot(snapshot, 0)
    this.#world.passing(this, 'snapshot_taken')
    if (this.raft !== raft) return
    this.disk.takeSnapshot(snapshot, index - this.keepBehind)
    this.#world.passing(this, 'log_discarded')
  }

  #whenRunning(task: () => void): void {
    if (this.raft === undefined) return
    if (this.#paused) this.#backlog.push(task)
    else task()
  }

  #localNow(): MonotonicMs {
    return (this.#offset + this.#world.now * this.#rate) as MonotonicMs
  }

  #step(input: Untimed): void {
    const raft = this.raft
    if (raft === undefined) return
    let effects: Effects
    try {
      effects = raft.step({ ...input, nowMs: this.#localNow() } as Input)
    } catch (error) {
      this.#world.broke(this, error)
      return
    }
    this.#world.stepped(this, raft)
    this.#do(effects)
  }

  #do({ send, keepChunk, store, applyThrough, answers, events, wakeAtMs }: Effects): void {
    const life = this.#life
    for (const event of events) this.#world.happened(this, event)
    for (const envelope of send) this.#send(envelope)
    if (keepChunk !== undefined) {
      const data = this.#packet?.data ?? new Uint8Array()
      this.disk.keepChunk(keepChunk.snapshot.index, keepChunk.offset, data)
      this.#world.passing(this, 'chunk_kept')
    }
    if (this.#life !== life) return
    if (store !== undefined) {
      this.#world.writing(this, store)
      this.disk.write(store)
      if (store.install !== undefined) this.#world.passing(this, 'install_queued')
      this.#sync()
    }
    for (const answer of answers) this.#world.answered(this, answer)
    if (this.#life === life && applyThrough !== undefined) this.#apply(applyThrough)
    if (this.#life === life) this.#wake(wakeAtMs)
  }

  #send(envelope: Envelope): void {
    this.#world.leaving(this, envelope)
    const { message } = envelope
    if (message.kind !== 'snapshot_chunk') return this.#world.send({ envelope, data: undefined })
    const bytes = this.disk.snapshotBytes(message.snapshot.index)
    if (bytes === undefined) return this.input({ kind: 'snapshot_gone', index: message.snapshot.index })
    this.#world.send({ envelope, data: bytes.subarray(message.offset, message.offset + message.lengthBytes) })
  }

  /** One sync covers everything written before it began. */
  #sync(): void {
    if (this.#syncing || this.stuck || this.disk.queueLength === 0) return
    this.#syncing = true
    const life = this.#life
    const covered = this.disk.queueLength
    const { msMin, msMax } = this.speed
    this.#world.later(msMin + this.#world.random.float() * (msMax - msMin), () => {
      if (this.#life !== life) return
      for (let done = 0; done < covered && this.#life === life && !this.stuck; done++) this.#completed()
      if (this.#life !== life) return
      this.#syncing = false
      this.#sync()
    })
  }

  #completed(): void {
    const life = this.#life
    const request = this.disk.completeOldest()
    this.#world.stored(this, request)
    const { reportMsMax } = this.speed
    this.#whenRunning(() => {
      if (request.install !== undefined) {
        this.machine = Registers.decode(this.disk.stored.bytes)
        this.#world.passing(this, 'install_durable')
      }
      if (this.#life !== life) return
      for (const envelope of request.thenSend) this.#send(envelope)
      const report = () => {
        if (this.#life === life) this.input({ kind: 'stored', id: request.id })
      }
      if (reportMsMax === 0) report()
      else this.#world.later(this.#world.random.float() * reportMsMax, report)
    })
  }

  #apply(through: number): void {
    const life = this.#life
    while (this.machine.index < through) {
      const next = (this.machine.index + 1) as Snapshot['index']
      for (const batch of this.disk.batchesFrom(next, 1 << 20)) {
        for (const entry of batch.entries) if (entry.index === this.machine.index + 1 && entry.index <= through) this.machine.apply(entry)
      }
      if (this.machine.index < next) return this.#world.broke(this, new Error(`cannot read ${next} to apply it`))
    }
    this.#world.applied(this)
    if (this.#life !== life) return
    this.#step({ kind: 'applied', index: this.machine.index as Snapshot['index'] })
    if (this.#life === life && this.machine.index - this.disk.snapshot.index >= this.snapshotEvery) this.compact()
  }

  #wake(localMs: number): void {
    this.#wakeAt = (localMs - this.#offset) / this.#rate
    if (this.#wakeAt >= this.#wakeScheduledAt) return
    this.#schedule()
  }

  #schedule(): void {
    const life = this.#life
    const at = this.#wakeAt
    this.#wakeScheduledAt = at
    this.#world.later(Math.max(0.01, at - this.#world.now), () => {
      if (this.#life !== life || this.#wakeScheduledAt !== at) return
      this.#wakeScheduledAt = Number.POSITIVE_INFINITY
      if (this.#world.now + 0.001 < this.#wakeAt) this.#schedule()
      else this.input({ kind: 'tick' })
    })
  }
}
