// One side of a simulated connection: what a process sees of it, and what its kernel does when the process is paused,
// dead or without power. Bytes that the kernel did not take yet belong to the process and die with it.
import type { CloseReason, Connection, ConnectionHandlers, DatagramFate, NodeId } from '@atoll/base'
import { assert, corrupted, drawDatagramFate, NetError } from '@atoll/base'
import { type Ending, Pipe, type Wire } from './pipe.ts'
import type { KernelResource, SimProcess } from './sim-process.ts'
import { UnsentQueue } from './unsent-queue.ts'

/** Like Node's own socket buffer: above this `write` answers false. */
const HIGH_WATER_BYTES = 65_536
const FINISHED: CloseReason = { kind: 'finished' }

export interface SideOptions {
  readonly wire: Wire
  readonly process: SimProcess
  readonly self: NodeId
  readonly peer: NodeId
  readonly remote: string
  readonly machineIsUp: () => boolean
}

export class VirtualConnection implements Connection, KernelResource {
  readonly remote: string
  readonly process: SimProcess
  readonly #options: SideOptions
  #out: Pipe | undefined
  #in: Pipe | undefined
  #handlers: ConnectionHandlers | undefined
  readonly #unsent = new UnsentQueue()
  #needDrain = false
  #readingPaused = false
  /** No more bytes are taken from the process. */
  #ended = false
  #finishSent = false
  #resetSent = false
  #roomScheduled = false
  /** Nothing in this machine knows the connection any more; what arrives for it is answered with a reset. */
  #gone = false
  #reason: CloseReason | undefined
  readonly #goneListeners: (() => void)[] = []

  constructor(options: SideOptions) {
    this.#options = options
    this.remote = options.remote
    this.process = options.process
    options.process.resources.add(this)
  }

  /** Joins two sides with a pipe each way. */
  static join(a: VirtualConnection, b: VirtualConnection): void {
    const lay = (from: VirtualConnection, to: VirtualConnection): void => {
      const pipe = new Pipe(from.#options.wire, {
        from: from.#options.self,
        to: to.#options.self,
        subject: { nodeIndex: to.process.nodeIndex, name: `${from.#options.self} > ${to.#options.self}` },
        receiverIsUp: () => to.#options.machineIsUp(),
        onArrival: () => to.#arrived(),
        onRoom: () => from.#roomOpens(),
      })
      from.#out = pipe
      to.#in = pipe
    }
    lay(a, b)
    lay(b, a)
  }

  get gone(): boolean {
    return this.#gone
  }

  get opened(): boolean {
    return this.#handlers !== undefined
  }

  /** Calls `tell` when the connection is over on this side. */
  onceGone(tell: () => void): void {
    this.#goneListeners.push(tell)
  }

  get unsentBytes(): number {
    return this.#unsent.bytes
  }

  open(handlers: ConnectionHandlers): void {
    if (!this.#permits('open')) return
    assert(this.#handlers === undefined, 'a connection is opened once')
    this.#handlers = handlers
    if (this.#gone) this.#scheduleClose()
    else this.#scheduleReading()
  }

  /** The simulated network knows both ends already. */
  identify(): void {
    this.#permits('identify')
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#permits('write') || this.#ended) return false
    const { wire, self, peer } = this.#options
    const fault = wire.rules.fault(self, peer)
    if (fault?.reset === true && fault.cut !== true) {
      this.#ended = true
      wire.scheduler.schedule(0, 'close', this.process, () => this.resetByFault())
      return false
    }
    if (bytes.length === 0) return !this.#needDrain
    // A copy, as the wire makes one: the writer may send the same buffer to others.
    this.#unsent.push(new Uint8Array(corrupted(bytes, fault, wire.random)))
    const room = this.#unsent.bytes < HIGH_WATER_BYTES
    if (this.#noticesResetByWriting) {
      this.#scheduleReading()
      return false
    }
    this.#transmit()
    if (!room && !this.#needDrain) {
      this.#needDrain = true
      this.#scheduleDrain()
    }
    return room
  }

  writeAll(pieces: readonly Uint8Array[]): boolean {
    let room = true
    for (const bytes of pieces) room = this.write(bytes) && room
    return room
  }

  pauseReading(): void {
    if (this.#permits('pauseReading')) this.#readingPaused = true
  }

  resumeReading(): void {
    if (!this.#permits('resumeReading') || !this.#readingPaused) return
    this.#readingPaused = false
    this.#scheduleReading()
  }

  end(): void {
    if (!this.#permits('end') || this.#ended) return
    this.#ended = true
    this.#transmit()
  }

  destroy(): void {
    if (!this.#permits('destroy') || this.#gone) return
    this.#abandon((this.#in?.unreadBytes ?? 0) > 0 ? 'reset' : 'finish')
    this.#closeWith({ kind: 'failed', error: new NetError('closed', 'destroyed by this side') })
  }

  datagramFate(): DatagramFate | undefined {
    if (!this.#permits('datagramFate')) return undefined
    const { wire, self, peer } = this.#options
    return drawDatagramFate(wire.rules.fault(self, peer), wire.random)
  }

  closeByKernel(): void {
    if (!this.#gone) this.#abandon((this.#in?.unreadBytes ?? 0) > 0 ? 'reset' : 'finish')
  }

  /** The rules or the machines' power changed. */
  applyLinks(): void {
    const { wire, self, peer } = this.#options
    const fault = wire.rules.fault(self, peer)
    // A cut link carries no reset either: it takes effect when the cut is gone and the rule is still there.
    if (fault?.reset === true && fault.cut !== true) this.resetByFault()
    this.#in?.retime()
    this.#out?.retime()
  }

  /** The kernel breaks a connection that nobody accepted. */
  refuse(): void {
    if (!this.#gone) this.#abandon('reset')
  }

  vanish(): void {
    this.#abandon(undefined)
  }

  wake(): void {
    this.#scheduleReading()
    if (this.#unsent.bytes > 0) this.#roomOpens()
  }

  resetByFault(): void {
    if (this.#gone) return
    this.#abandon('reset')
    this.#closeWith({ kind: 'failed', error: new NetError('reset', 'reset by a link fault') })
  }

  #permits(call: string): boolean {
    return this.#options.wire.scheduler.permits(this.process, `connection.${call}`)
  }

  get #canRead(): boolean {
    return this.#handlers !== undefined && !this.#readingPaused && !this.#gone && this.process.state === 'running'
  }

  /** Moves to the kernel what fits there, the end of the stream last. */
  #transmit(): void {
    const out = this.#out as Pipe
    this.#unsent.moveTo(out)
    if (this.#unsent.bytes > 0) return
    if (this.#ended && !this.#finishSent) {
      this.#finishSent = true
      out.sendEnding('finish')
      this.#closeIfFinished()
    }
  }

  #scheduleDrain(): void {
    if (!this.#needDrain || this.#unsent.bytes > 0) return
    this.#options.wire.scheduler.schedule(0, 'drain', this.process, () => {
      if (!this.#needDrain || this.#unsent.bytes > 0 || this.#gone) return
      this.#needDrain = false
      this.#handlers?.onDrain()
    })
  }

  /** The receiver read something; the sender's kernel hears of it a latency later, if it waits for that. */
  #roomOpens(): void {
    if (this.#unsent.bytes === 0 || this.#roomScheduled || this.#gone) return
    this.#roomScheduled = true
    const { scheduler, settings } = this.#options.wire
    scheduler.schedule(settings.latencyMsMin, 'room', this.process, () => {
      this.#roomScheduled = false
      if (this.#gone) return
      this.#transmit()
      this.#scheduleDrain()
    })
  }

  #arrived(): void {
    if (this.#gone) this.#answerForGone()
    else if (this.#canRead || this.#noticesResetByWriting) this.#read()
  }

  /** A side that does not read learns of a reset all the same when bytes of its own cannot leave. */
  get #noticesResetByWriting(): boolean {
    return this.#in?.ending === 'reset' && this.#unsent.bytes > 0 && this.process.state === 'running'
  }

  /** A kernel that does not know the connection answers data with a reset. */
  #answerForGone(): void {
    const incoming = this.#in as Pipe
    const answer = incoming.unreadBytes > 0
    incoming.discardUnread()
    if (answer && !this.#resetSent) {
      this.#resetSent = true
      this.#out?.sendEnding('reset')
    }
  }

  #scheduleReading(): void {
    const incoming = this.#in as Pipe
    if (this.#gone || (incoming.unreadBytes === 0 && incoming.ending === undefined)) return
    this.#options.wire.scheduler.schedule(0, 'readable', this.process, () => {
      if (this.#canRead || this.#noticesResetByWriting) this.#read()
    })
  }

  #read(): void {
    const incoming = this.#in as Pipe
    if (incoming.ending === 'reset') {
      this.#brokenByPeer()
      return
    }
    while (this.#canRead) {
      const bytes = incoming.read()
      if (bytes === undefined) break
      this.#handlers?.onData(bytes)
    }
    if (incoming.ending === 'finish' && incoming.unreadBytes === 0 && this.#canRead) this.#endedByPeer()
  }

  #brokenByPeer(): void {
    this.#abandon(undefined)
    this.#closeWith({ kind: 'failed', error: new NetError('reset', 'reset by the peer') })
  }

  #endedByPeer(): void {
    this.#reason ??= FINISHED
    this.#ended = true
    this.#transmit()
    this.#closeIfFinished()
  }

  #closeIfFinished(): void {
    const incoming = this.#in as Pipe
    const peerFinished = incoming.ending === 'finish' && incoming.unreadBytes === 0
    if (!peerFinished || !this.#finishSent || this.#gone) return
    this.#leave()
    this.#closeWith(FINISHED)
  }

  /** Forgets the connection here, telling the peer's kernel how unless it knows. */
  #abandon(ending: Ending | undefined): void {
    this.#leave()
    this.#ended = true
    this.#unsent.clear()
    this.#in?.discardUnread()
    if (ending === 'reset') this.#resetSent = true
    if (ending !== undefined && !(ending === 'finish' && this.#finishSent)) this.#out?.sendEnding(ending)
  }

  #leave(): void {
    if (this.#gone) return
    this.#gone = true
    this.process.resources.delete(this)
    for (const tell of this.#goneListeners) tell()
  }

  #closeWith(reason: CloseReason): void {
    this.#reason ??= reason
    if (this.#handlers !== undefined) this.#scheduleClose()
  }

  #scheduleClose(): void {
    this.#options.wire.scheduler.schedule(0, 'close', this.process, () => this.#handlers?.onClose(this.#reason ?? FINISHED))
  }
}
