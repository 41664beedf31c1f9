// Listening and calling: connections become sessions once their hello is done. One per process; it owns what all
// sessions share, bounds those that have not introduced themselves, and ends all of them at the end.
import {
  assert,
  type Clock,
  type Compute,
  type Connection,
  type Endpoint,
  formatEndpoint,
  type Listener,
  type Logger,
  type Net,
  NetError,
  type NodeId,
  type Timer,
} from '@atoll/base'
import { Deadlines } from './deadlines.ts'
import { ProtocolError } from './errors.ts'
import { FrameCodec } from './frame.ts'
import type { HandlerTable } from './handlers.ts'
import { acceptIntroduction, type HandshakeEnvironment, type Identity, type Introduced, introduceOurselves } from './handshake.ts'
import { SECRET_BYTES_MIN, UNAUTHENTICATED_CONNECTIONS_MAX } from './limits.ts'
import { Session, type SessionEnvironment } from './session.ts'

export interface EndpointPorts {
  readonly net: Net
  readonly clock: Clock
  readonly compute: Compute
  readonly log: Logger
}

/** Refusals and cuts of the same kind are logged once per this long, with how many there were, in milliseconds. */
const NOTE_INTERVAL_MS = 1_000

/** Calls that fail for a reason that says nothing about the peer itself; none of them sent a request. */
function callFailed(error: unknown, whom: string): unknown {
  if (!(error instanceof ProtocolError) || (error.outcome === 'definite' && error.code !== 'request_cancelled')) return error
  const how = error.code === 'request_cancelled' ? 'the call was given up' : error.message
  return new ProtocolError('not_connected', `${whom}: ${how} during the hello`, { cause: error })
}

export class NativeEndpoint {
  readonly #identity: Identity
  readonly #handlers: HandlerTable
  readonly #net: Net
  readonly #log: Logger
  readonly #handshake: HandshakeEnvironment
  readonly #sessionEnv: SessionEnvironment
  readonly #sessions = new Set<Session>()
  /** Accepted and not introduced yet, or refused and not gone yet; oldest first. */
  readonly #strangers = new Set<Connection>()
  readonly #onSession: (session: Session) => void
  readonly #notes = new Map<string, { more: number; readonly timer: Timer }>()
  /** Aborts calls under way when the endpoint closes. */
  readonly #closing = new AbortController()

  /** `onSession` is told of every session, called or accepted, before its first message. */
  constructor(identity: Identity, handlers: HandlerTable, ports: EndpointPorts, onSession: (session: Session) => void = () => {}) {
    assert(identity.secret.byteLength >= SECRET_BYTES_MIN, `a secret has ${SECRET_BYTES_MIN} bytes at least`)
    this.#identity = identity
    this.#handlers = handlers
    this.#net = ports.net
    this.#log = ports.log
    this.#handshake = { clock: ports.clock, compute: ports.compute, codec: new FrameCodec(ports.compute) }
    this.#sessionEnv = { clock: ports.clock, deadlines: new Deadlines(ports.clock), log: ports.log }
    this.#onSession = onSession
  }

  /** Sessions open now, in the order they were made. */
  get sessions(): Iterable<Session> {
    return this.#sessions
  }

  /** Binds `at` and serves whoever proves itself. Rejects with the port’s NetError (`address_in_use`, …). */
  listen(at: Endpoint): Promise<Listener> {
    return this.#net.listen(at, {
      onConnection: connection => this.#accept(connection),
      onAcceptError: error => this.#noteRefusal(error.code, error.message),
    })
  }

  /**
   * Connects and introduces itself. `expected` names the node believed to be there. Rejects with a ProtocolError:
   * `not_connected` (its cause says how: `refused` proves nobody listens), `wrong_node`, `wrong_secret`, …; all definite.
   */
  async call(
    to: Endpoint,
    expected: NodeId | undefined,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Session> {
    const whom = `${expected ?? 'node'} at ${formatEndpoint(to)}`
    const given = options.signal
    // Both signals, and no listener left on the caller's afterwards.
    const giveUp = new AbortController()
    const onAbort = (): void => giveUp.abort(given?.aborted ? given.reason : this.#closing.signal.reason)
    given?.addEventListener('abort', onAbort, { once: true })
    this.#closing.signal.addEventListener('abort', onAbort, { once: true })
    try {
      if (given?.aborted || this.#isClosing) onAbort()
      return this.#begin(await this.#dial(to, expected, whom, options.timeoutMs, giveUp.signal))
    } finally {
      given?.removeEventListener('abort', onAbort)
      this.#closing.signal.removeEventListener('abort', onAbort)
    }
  }

  /** Ends every session and takes no more. */
  close(): void {
    this.#closing.abort(new ProtocolError('not_connected', 'this node is stopping'))
    for (const stranger of this.#strangers) stranger.destroy()
    for (const session of this.#sessions) session.end()
    for (const { timer } of this.#notes.values()) timer.cancel()
    this.#sessionEnv.deadlines.close()
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  async #dial(to: Endpoint, expected: NodeId | undefined, whom: string, timeoutMs: number, signal: AbortSignal): Promise<Introduced> {
    const { clock } = this.#handshake
    const startedMs = clock.monotonicMs()
    let connection: Connection
    try {
      connection = await this.#net.connect(to, { peer: expected, timeoutMs, signal })
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      throw new ProtocolError('not_connected', `${whom}: ${error.message}`, { cause: error })
    }
    const leftMs = Math.max(1, timeoutMs - (clock.monotonicMs() - startedMs))
    try {
      return await introduceOurselves(connection, this.#identity, expected, this.#handshake, { timeoutMs: leftMs, signal })
    } catch (error) {
      throw callFailed(error, whom)
    }
  }

  #accept(connection: Connection): void {
    if (this.#isClosing) {
      connection.open({ onData() {}, onDrain() {}, onClose() {} })
      connection.destroy()
      return
    }
    this.#strangers.add(connection)
    // One that was refused counts until it is gone: else refusals would be a way around the bound.
    const onGone = (): void => void this.#strangers.delete(connection)
    acceptIntroduction(connection, this.#identity, this.#handshake, { onGone }).then(
      introduced => {
        this.#strangers.delete(connection)
        this.#begin(introduced)
      },
      (error: unknown) => {
        if (!(error instanceof ProtocolError)) throw error
        if (!this.#isClosing) this.#noteRefusal(error.code, error.message)
      },
    )
    if (this.#strangers.size > UNAUTHENTICATED_CONNECTIONS_MAX) {
      // The oldest has had the most time; an honest hello takes milliseconds.
      const [oldest] = this.#strangers
      this.#strangers.delete(oldest as Connection)
      oldest?.destroy()
      this.#noteRefusal(
        'unauthenticated_connections_max',
        `more than ${UNAUTHENTICATED_CONNECTIONS_MAX} connections without a hello: closed the oldest`,
      )
    }
  }

  #begin(introduced: Introduced): Session {
    const session = new Session({ ...introduced, handlers: this.#handlers, env: this.#sessionEnv })
    this.#sessions.add(session)
    void session.closed.then(error => {
      this.#sessions.delete(session)
      if (error.code !== 'connection_lost')
        this.#noteOften(
          'session_cut',
          error.code,
          { peer: session.peer.node, remote: session.peer.remote, reason: error.message },
          'cut a connection',
        )
    })
    this.#onSession(session)
    if (this.#isClosing) session.end()
    else session.start()
    return session
  }

  #noteRefusal(code: string, reason: string): void {
    this.#noteOften('connection_refused', code, { reason }, 'refused a connection')
  }

  /** A flood of the same costs two lines a second, not one each: the first, and how many more there were. */
  #noteOften(event: string, code: string, fields: Readonly<Record<string, string>>, message: string): void {
    const key = `${event}/${code}`
    const before = this.#notes.get(key)
    if (before !== undefined) {
      before.more++
      return
    }
    this.#log.warn({ event, code, ...fields }, message)
    const timer = this.#handshake.clock.after(NOTE_INTERVAL_MS, () => {
      const more = this.#notes.get(key)?.more ?? 0
      this.#notes.delete(key)
      if (more > 0) this.#log.warn({ event: `${event}_again`, code, count: more }, `${message}, more for the same reason`)
    })
    this.#notes.set(key, { more: 0, timer })
  }
}
