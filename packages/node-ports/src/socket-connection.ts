// A connection on a Node socket. Without faults every call goes straight to the socket; a rule on the link to a named
// peer puts a HeldEgress in front of it for as long as the rule holds or anything is held.
import type { Socket } from 'node:net'
import type { Clock, CloseReason, Connection, ConnectionHandlers, DatagramFate, NodeId, Random } from '@atoll/base'
import { assert, drawDatagramFate, NetError } from '@atoll/base'
import { HeldEgress, type Outlet } from './held-egress.ts'
import type { FaultyConnection, LinkState, LinkTable } from './link-table.ts'
import { netError } from './net-errors.ts'

/** What a Net with faults allowed gives each connection. */
export interface FaultContext {
  readonly table: LinkTable
  readonly clock: Clock
  readonly random: Random
}

const FINISHED: CloseReason = { kind: 'finished' }
const UNFAULTED: LinkState = { outgoing: undefined, incomingCut: false }

export class SocketConnection implements Connection, FaultyConnection {
  readonly remote: string
  readonly #socket: Socket
  readonly #faults: FaultContext | undefined
  #handlers: ConnectionHandlers | undefined
  #reason: CloseReason | undefined
  /** No more bytes are taken: this side or the peer ended. */
  #ended = false
  /** The connection is over for its owner. */
  #closed = false
  #told = false
  /** The socket is over; not told yet while a cut hides what the peer does. */
  #socketClosed = false
  #pausedByOwner = false
  #peer: NodeId | undefined
  #link = UNFAULTED
  #egress: HeldEgress | undefined

  constructor(socket: Socket, remote: string, faults: FaultContext | undefined) {
    this.remote = remote
    this.#socket = socket
    this.#faults = faults
    socket.on('error', error => this.#failed(error))
    socket.on('end', () => this.#endedByPeer())
    socket.on('close', () => {
      this.#socketClosed = true
      if (!this.#link.incomingCut || this.#closed) this.#close()
    })
  }

  /** Somebody looks after it: it was opened, or destroyed. */
  get owned(): boolean {
    return this.#handlers !== undefined || this.#ended
  }

  get unsentBytes(): number {
    return this.#socket.writableLength + (this.#egress?.heldBytes ?? 0)
  }

  open(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'a connection is opened once')
    this.#handlers = handlers
    if (this.#closed) {
      setImmediate(() => this.#tellClosed())
      return
    }
    this.#socket.on('drain', () => {
      if (this.#egress === undefined) handlers.onDrain()
      else this.#pumpEgress(this.#egress)
    })
    this.#socket.on('data', bytes => handlers.onData(bytes as Buffer))
    if (this.#pausedByOwner || this.#link.incomingCut) this.#socket.pause()
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended) return false
    return this.#egress === undefined ? this.#socket.write(bytes) : this.#writeFaulty(this.#egress, bytes)
  }

  writeAll(pieces: readonly Uint8Array[]): boolean {
    const together = this.#egress === undefined
    let room = true
    if (together) this.#socket.cork()
    for (const bytes of pieces) room = this.write(bytes) && room
    if (together) this.#socket.uncork()
    return room
  }

  pauseReading(): void {
    this.#pausedByOwner = true
    this.#socket.pause()
  }

  resumeReading(): void {
    this.#pausedByOwner = false
    if (!this.#link.incomingCut && this.#handlers !== undefined) this.#socket.resume()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#egress === undefined) this.#socket.end()
    else this.#egress.finish()
  }

  destroy(): void {
    if (this.#closed) return
    this.#ended = true
    this.#reason ??= { kind: 'failed', error: new NetError('closed', 'destroyed by this side') }
    this.#egress?.discard()
    if (!this.#hidden) {
      this.#socket.destroy()
      return
    }
    // The peer must not notice before the link heals: over for the owner now, for the socket then.
    this.#closed = true
    this.#socket.pause()
    setImmediate(() => this.#tellClosed())
  }

  identify(peer: NodeId): void {
    if (this.#faults === undefined || this.#peer === peer || this.#socketClosed) return
    assert(this.#peer === undefined, 'a connection has one peer')
    this.#peer = peer
    this.#faults.table.attach(peer, this)
  }

  datagramFate(): DatagramFate | undefined {
    return this.#faults === undefined ? undefined : drawDatagramFate(this.#link.outgoing, this.#faults.random)
  }

  applyLink(state: LinkState): void {
    this.#link = state
    if (state.outgoing !== undefined) this.#egress ??= this.#newEgress()
    this.#egress?.setFault(state.outgoing)
    this.#releaseIdleEgress()
    if (state.incomingCut) this.#socket.pause()
    else if (this.#socketClosed) this.#close()
    else if (!this.#pausedByOwner && !this.#closed && this.#handlers !== undefined) this.#socket.resume()
    if (this.#closed && !this.#hidden) this.#socket.destroy()
  }

  resetByFault(): void {
    if (this.#closed) return
    this.#ended = true
    this.#reason ??= { kind: 'failed', error: new NetError('reset', 'reset by a link fault') }
    this.#egress?.discard()
    // Unix sockets know no reset: theirs is an abrupt end.
    if (this.#socket.remoteFamily === undefined) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  /** The end of this side must stay unseen by the peer for now. */
  get #hidden(): boolean {
    return this.#egress?.cut === true && !this.#socketClosed
  }

  #newEgress(): HeldEgress {
    const { table, clock, random } = this.#faults as FaultContext
    const socket = this.#socket
    const outlet: Outlet = {
      get queuedBytes() {
        return socket.writableLength
      },
      get full() {
        return socket.writableNeedDrain
      },
      send: bytes => socket.write(bytes),
      finish: () => socket.end(),
      drained: () => this.#handlers?.onDrain(),
      overflowed: () => this.#failAndDestroy(new NetError('other', 'a link fault held too many writes')),
    }
    return new HeldEgress(clock, random, table.throttle(this.#peer as NodeId), outlet)
  }

  #writeFaulty(egress: HeldEgress, bytes: Uint8Array): boolean {
    if (this.#link.outgoing?.reset === true && !egress.cut) {
      // Not inside `write`: its caller may be in the middle of something.
      setImmediate(() => this.resetByFault())
      this.#ended = true
      return false
    }
    return egress.write(bytes)
  }

  #pumpEgress(egress: HeldEgress): void {
    egress.pump()
    this.#releaseIdleEgress()
  }

  /** Back to the plain socket, once nothing waits in front of it. */
  #releaseIdleEgress(): void {
    if (this.#egress?.idle === true) this.#egress = undefined
  }

  #endedByPeer(): void {
    this.#reason ??= FINISHED
    this.end()
  }

  #failed(error: Error): void {
    // After an orderly end it does not matter how the rest of the socket came down.
    this.#reason ??= { kind: 'failed', error: netError(error) }
  }

  #failAndDestroy(error: NetError): void {
    this.#reason ??= { kind: 'failed', error }
    this.destroy()
  }

  #close(): void {
    this.#ended = true
    this.#egress?.discard()
    if (this.#peer !== undefined) this.#faults?.table.detach(this.#peer, this)
    if (this.#closed) return
    this.#closed = true
    this.#tellClosed()
  }

  #tellClosed(): void {
    if (this.#told || this.#handlers === undefined) return
    this.#told = true
    this.#handlers.onClose(this.#reason ?? FINISHED)
  }
}
