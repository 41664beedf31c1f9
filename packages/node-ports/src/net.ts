// The network port on node:net. Loopback and LAN alike: no delay for small writes, every socket has an error listener
// from its first moment (an unheard one ends the process), every wait has a deadline.
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import type { Clock, Connection, ConnectOptions, Endpoint, LinkFaults, Net, NodeId, Random } from '@atoll/base'
import { formatEndpoint, holdMs, NetError } from '@atoll/base'
import { LinkTable } from './link-table.ts'
import { listen } from './listener.ts'
import { netError } from './net-errors.ts'
import { type FaultContext, SocketConnection } from './socket-connection.ts'

export interface NetOptions {
  /** This process's own name, one end of every link it has. */
  readonly self: NodeId
  /** Whether links may be broken by command. The caller says no when anything listens beyond loopback. */
  readonly faults: boolean
  readonly clock: Clock
  readonly random: Random
}

export interface NodeNet {
  readonly net: Net
  /** Absent when faults are not allowed. */
  readonly links: LinkFaults | undefined
}

export function createNet({ self, faults, clock, random }: NetOptions): NodeNet {
  const table = faults ? new LinkTable(self) : undefined
  const context = table === undefined ? undefined : { table, clock, random }
  return {
    links: table,
    net: {
      listen: (at, options) => listen(at, options, clock, context),
      connect: (to, options) => connect(to, options, clock, context),
    },
  }
}

/** One attempt: resolves, or rejects with `timed_out` or `aborted` when those come first. */
function connect(to: Endpoint, options: ConnectOptions, clock: Clock, faults: FaultContext | undefined): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { peer, signal } = options
    if (signal?.aborted) return reject(aborted(to, signal))
    if ('host' in to && isIP(to.host) === 0) return reject(new NetError('address_not_available', `not an IP address: ${to.host}`))
    let cleanUp = (): void => {}
    const settle = (outcome: () => void): void => {
      cleanUp()
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      outcome()
    }
    const fail = (error: NetError): void => settle(() => reject(error))
    const onAbort = (): void => fail(aborted(to, signal))
    const timer = clock.after(options.timeoutMs, () => fail(new NetError('timed_out', `no answer from ${formatEndpoint(to)}`)))
    signal?.addEventListener('abort', onAbort, { once: true })
    const established = (socket: Socket): void => {
      settle(() => {
        const connection = new SocketConnection(socket, formatEndpoint(to), faults)
        if (peer !== undefined) connection.identify(peer)
        resolve(connection)
      })
    }
    if (faults === undefined || peer === undefined) cleanUp = dial(to, established, fail)
    else cleanUp = dialOverLink(to, peer, faults, established, fail)
  })
}

/** The plain attempt. Answers how to give it up. */
function dial(to: Endpoint, established: (socket: Socket) => void, failed: (error: NetError) => void): () => void {
  const address = 'path' in to ? { path: to.path } : { host: to.host, port: to.port, noDelay: true, autoSelectFamily: false }
  const socket = connectSocket({ ...address, allowHalfOpen: true })
  let pending = true
  const giveUp = (): void => {
    if (pending) socket.destroy()
    pending = false
  }
  // Stays for the socket's whole life: an attempt given up may still fail later.
  socket.on('error', error => {
    if (!pending) return
    pending = false
    failed(netError(error))
  })
  socket.once('connect', () => {
    if (!pending) return
    if (isConnectedToItself(socket)) {
      giveUp()
      failed(new NetError('refused', `nobody listens at ${formatEndpoint(to)}`))
      return
    }
    pending = false
    established(socket)
  })
  return giveUp
}

/**
 * TCP lets a socket connect to itself when its ephemeral port happens to be the one it dials (simultaneous open,
 * RFC 9293 section 3.5): on loopback, with nobody listening, that looks like success.
 */
function isConnectedToItself(socket: Socket): boolean {
  return socket.localPort !== undefined && socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress
}

/** The attempt over a link that may be faulty: a cut hides every answer, even a refusal, until it heals. */
function dialOverLink(
  to: Endpoint,
  peer: NodeId,
  { table, clock, random }: FaultContext,
  established: (socket: Socket) => void,
  failed: (error: NetError) => void,
): () => void {
  let giveUpDial: (() => void) | undefined
  let delayed = true
  const attempt = (): void => {
    if (delayed || giveUpDial !== undefined || table.isCut(peer)) return
    giveUpDial = dial(to, established, error => {
      giveUpDial = undefined
      if (!table.isCut(peer)) failed(error)
    })
  }
  const stopListening = table.onReplaced(attempt)
  const delayMs = holdMs(table.state(peer).outgoing, random.float())
  const start = (): void => {
    delayed = false
    attempt()
  }
  const timer = delayMs > 0 ? clock.after(delayMs, start) : undefined
  if (timer === undefined) start()
  return () => {
    timer?.cancel()
    stopListening()
    giveUpDial?.()
  }
}

function aborted(to: Endpoint, signal: AbortSignal | undefined): NetError {
  return new NetError('aborted', `gave up connecting to ${formatEndpoint(to)}`, { cause: signal?.reason })
}
