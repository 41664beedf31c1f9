// The network port: ordered byte streams between named nodes. TCP on Node.js, virtual in the simulator; both keep
// the same contract (test/contract). Faults on directed links (links.ts) are applied inside the port.
import type { NodeId } from '../brand.ts'

/** A TCP address, or the path of a Unix socket. `host` is a literal IP address: the port never resolves names. */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string }

/** `host:port`, `[v6]:port` or the path. */
export function formatEndpoint(endpoint: Endpoint): string {
  if ('path' in endpoint) return endpoint.path
  return endpoint.host.includes(':') ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`
}

/**
 * Why a connection could not be made or is over.
 * `refused` is proof that nobody listens at that exact address; `timed_out` and `reset` prove nothing about the peer.
 */
export type NetErrorCode =
  | 'refused'
  | 'reset'
  | 'timed_out'
  | 'unreachable'
  | 'address_in_use'
  | 'address_not_available'
  | 'permission'
  | 'aborted'
  | 'closed'
  | 'descriptors_exhausted'
  | 'other'

export class NetError extends Error {
  override readonly name = 'NetError'
  readonly code: NetErrorCode
  constructor(code: NetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** How a connection ended: `finished` by either side's orderly end, or with the error that broke it. */
export type CloseReason = { readonly kind: 'finished' } | { readonly kind: 'failed'; readonly error: NetError }

export interface ConnectionHandlers {
  /** Bytes in order. They belong to the handler: the port never touches them again. */
  onData(bytes: Uint8Array): void
  /** The peer took enough of what was queued: after a `write` that answered false, and not before. */
  onDrain(): void
  /** Exactly once, whichever side ended it; nothing is called after it. Never during `open`. */
  onClose(reason: CloseReason): void
}

/** How long each copy of one datagram message is held, in milliseconds. `[0]` is one copy, now; `[]` is lost. */
export type DatagramFate = readonly number[]

export interface Connection {
  /** The other side's address, for logs. */
  readonly remote: string
  /** Bytes given to `write` that have not left this process. */
  readonly unsentBytes: number
  /** Starts the flow of events. Called once, in the turn the connection was handed over. */
  open(handlers: ConnectionHandlers): void
  /** Names the peer, so that faults on the links to and from it apply from here on. */
  identify(peer: NodeId): void
  /** Queues `bytes`, which the caller never touches again. False: stop writing until `onDrain`. After the end it does nothing and answers false. */
  write(bytes: Uint8Array): boolean
  /** The same for each of `pieces` in order, in one system call where that is possible: a large one need not be copied behind a small one. */
  writeAll(pieces: readonly Uint8Array[]): boolean
  /** Stops reading, so that the peer's window fills; `resumeReading` undoes it. Both idempotent. */
  pauseReading(): void
  resumeReading(): void
  /** Sends what is queued, then ends in order. Idempotent. */
  end(): void
  /** Ends at once, dropping what is queued. Idempotent. The peer sees a reset or an end. */
  destroy(): void
  /** What befalls one datagram message sent now; undefined (the usual case) is one copy at once. */
  datagramFate(): DatagramFate | undefined
}

export interface Listener {
  /** Where it listens, with the port that was chosen when 0 was asked for. */
  readonly endpoint: Endpoint
  /** Stops accepting; connections already accepted live on. */
  close(): Promise<void>
}

export interface ListenOptions {
  /** Called in its own event for each connection; it opens the connection before it returns. */
  readonly onConnection: (connection: Connection) => void
  /** Called when accepting failed (no descriptors left, say); the listener goes on. */
  readonly onAcceptError?: (error: NetError) => void
  /** Connections open at once; one more is closed at once. Default 16,384. */
  readonly connectionsMax?: number
}

export interface ConnectOptions {
  /** The node believed to listen there, so that faults on the link to it apply to the attempt itself. */
  readonly peer?: NodeId | undefined
  /** The attempt fails with `timed_out` after this long, in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface Net {
  /** Binds, then resolves. Rejects with a NetError (`address_in_use`, `permission`, …). */
  listen(at: Endpoint, options: ListenOptions): Promise<Listener>
  /** Rejects with a NetError: `refused`, `timed_out`, `unreachable`, `aborted`, …. The caller opens the connection in the same turn. */
  connect(to: Endpoint, options: ConnectOptions): Promise<Connection>
}
