// Requests, answers, one-way messages and streams over one authenticated channel. Both sides may ask. Requests start
// in arrival order; answers may overtake. A session that ends settles everything that was open on it.
import { type Clock, InvariantError, type Logger } from '@atoll/base'
import type { Channel } from './channel.ts'
import { Deadlines, type Expiring } from './deadlines.ts'
import { errorNamed, errorRows, ProtocolError } from './errors.ts'
import { type Frame, flag, NO_ATTACHMENT } from './frame.ts'
import type { HandlerTable } from './handlers.ts'
import { DEADLINE_MS_DEFAULT, DEADLINE_MS_MAX, PENDING_REQUESTS_MAX, QUEUED_BYTES_MAX, SERVED_REQUESTS_MAX } from './limits.ts'
import { type Peer, ServedRequest } from './served-request.ts'
import { IncomingStream, OutgoingStream } from './streams.ts'
import type { Attachment, ItemOf, MessageOf, OneWay, RequestOf, ResponseOf, Rpc, StreamRpc } from './table.ts'

/** What all sessions of a process share. */
export interface SessionEnvironment {
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly log: Logger
}

export interface RequestOptions {
  /** Milliseconds until the caller gives up, 1 to 600,000; it travels with the request. Default 5,000. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

type WithAttachment = { readonly attachment?: Uint8Array }

class PendingRequest implements Expiring {
  readonly id: number
  readonly message: Rpc
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
  readonly #onExpire: (pending: PendingRequest) => void
  expireAtMs = 0
  list: Expiring['list'] = undefined
  before: Expiring | undefined = undefined
  after: Expiring | undefined = undefined
  constructor(
    id: number,
    message: Rpc,
    resolve: (value: never) => void,
    reject: (error: Error) => void,
    onExpire: (pending: PendingRequest) => void,
  ) {
    this.id = id
    this.message = message
    this.resolve = resolve
    this.reject = reject
    this.#onExpire = onExpire
  }
  expire(): void {
    this.#onExpire(this)
  }
}

interface OpenStream {
  readonly message: StreamRpc
  readonly incoming: IncomingStream<unknown>
}
interface ServedStream {
  readonly context: ServedRequest
  readonly sink: OutgoingStream<never> | undefined
}

export class Session {
  readonly peer: Peer
  /** Resolves with the reason once the session is over. Never rejects. */
  readonly closed: Promise<ProtocolError>
  readonly #channel: Channel
  readonly #env: SessionEnvironment
  readonly #handlers: HandlerTable
  readonly #pending = new Map<number, PendingRequest>()
  readonly #openStreams = new Map<number, OpenStream>()
  readonly #served = new Map<number, ServedStream>()
  #servedCount = 0
  #nextId = 0
  #ended: ProtocolError | undefined
  #settleClosed!: (error: ProtocolError) => void

  /** Takes over `channel`, whose hello is done. */
  constructor(
    channel: Channel,
    peer: Peer,
    handlers: HandlerTable,
    env: SessionEnvironment,
    bounds: { readonly frameBytesMax: number; readonly peerFrameBytesMax: number },
  ) {
    this.#channel = channel
    this.peer = peer
    this.#env = env
    this.#handlers = handlers
    this.closed = new Promise(resolve => {
      this.#settleClosed = resolve
    })
    channel.handOver(
      { onFrame: frame => this.#onFrame(frame), onDrain: () => this.#onRoom(), onClosed: error => this.#onClosed(error) },
      peer.node,
      bounds,
    )
  }

  /** Starts reading. Apart from the constructor, so that its owner can register it first. */
  start(): void {
    this.#channel.readOn()
  }

  get isOpen(): boolean {
    return this.#ended === undefined
  }

  /** Requests of ours and of theirs without an answer yet, and open streams. */
  get busyCount(): number {
    return this.#pending.size + this.#servedCount + this.#openStreams.size
  }

  /**
   * Sends a request; resolves with the answer. Rejects with a ProtocolError: the peer's own, or `request_timed_out`,
   * `connection_lost`, `request_cancelled` (indefinite), or `not_connected`, `too_many_requests`, `invalid_argument`,
   * `message_too_large` (definite: nothing was sent).
   */
  request<M extends Rpc>(message: M, request: RequestOf<M>, options?: RequestOptions): Promise<ResponseOf<M>> {
    return new Promise((resolve, reject) => {
      const refused = this.#whyNotSend(options)
      if (refused !== undefined) {
        reject(refused)
        return
      }
      const timeoutMs = Math.ceil(options?.timeoutMs ?? DEADLINE_MS_DEFAULT)
      const id = this.#takeId()
      try {
        const body = message.requestCodec.toWire(request as never, this.peer.version, [timeoutMs])
        this.#channel.send(flag.request, message.key, id, body, attachmentOf(message.name, message.requestAttachment, request))
      } catch (error) {
        reject(error as Error)
        return
      }
      const pending = new PendingRequest(id, message, resolve as (value: never) => void, reject, this.#onExpire)
      this.#pending.set(id, pending)
      this.#env.deadlines.add(pending, timeoutMs)
      if (options?.signal !== undefined) this.#cancelWith(options.signal, pending)
    })
  }

  /** Sends a one-way message. Answers false when it was not even queued. Datagrams may be lost behind a true. */
  send<M extends OneWay>(message: M, value: MessageOf<M>): boolean {
    if (this.#ended !== undefined || this.#channel.queuedBytes > QUEUED_BYTES_MAX) return false
    const body = message.codec.toWire(value as never, this.peer.version, [])
    const fate = message.datagram ? this.#channel.datagramFate() : undefined
    if (fate === undefined) this.#channel.send(flag.oneWay, message.key, 0, body)
    else for (const delayMs of fate) this.#env.clock.after(delayMs, () => this.#channel.send(flag.oneWay, message.key, 0, body))
    return true
  }

  /** Opens a stream. Its items are read with `for await`; it ends with the peer’s error, if any. */
  open<M extends StreamRpc>(
    message: M,
    request: RequestOf<M>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): IncomingStream<ItemOf<M>> {
    const id = this.#takeId()
    const incoming = new IncomingStream<ItemOf<M>>(
      bytes => this.#channel.send(flag.credit, message.key, id, [bytes]),
      () => {
        this.#openStreams.delete(id)
        this.#channel.send(flag.cancel, message.key, id, [])
      },
    )
    const refused = this.#whyNotSend(options)
    if (refused !== undefined) {
      incoming.finish(refused)
      return incoming
    }
    const body = message.requestCodec.toWire(request as never, this.peer.version, [0])
    this.#openStreams.set(id, { message, incoming: incoming as IncomingStream<unknown> })
    options?.signal?.addEventListener('abort', () => void incoming.return(), { once: true })
    this.#channel.send(flag.request, message.key, id, body)
    return incoming
  }

  /** Ends the session after what is queued was sent; open requests reject with `error`. */
  end(error = new ProtocolError('connection_lost', 'this side ended the connection')): void {
    this.#channel.end(error)
  }

  /** Ends the session at once. */
  destroy(error: ProtocolError): void {
    this.#channel.destroy(error)
  }

  #whyNotSend(options: RequestOptions | undefined): ProtocolError | undefined {
    if (this.#ended !== undefined)
      return new ProtocolError('not_connected', `connection to ${this.peer.node} is closed`, { cause: this.#ended })
    if (options?.signal?.aborted) return new ProtocolError('request_cancelled', undefined, { cause: options.signal.reason })
    const timeoutMs = options?.timeoutMs
    if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= DEADLINE_MS_MAX))
      return new ProtocolError('invalid_argument', `timeoutMs: want 1 to ${DEADLINE_MS_MAX}, got ${timeoutMs}`)
    if (this.#pending.size + this.#openStreams.size >= PENDING_REQUESTS_MAX)
      return new ProtocolError('too_many_requests', `${PENDING_REQUESTS_MAX} requests to ${this.peer.node} wait for their answer`)
    if (this.#channel.queuedBytes > QUEUED_BYTES_MAX)
      return new ProtocolError('too_many_requests', `${this.#channel.queuedBytes} bytes are queued for ${this.peer.node}`)
    return undefined
  }

  #takeId(): number {
    do this.#nextId = (this.#nextId + 1) >>> 0
    while (this.#pending.has(this.#nextId) || this.#openStreams.has(this.#nextId))
    return this.#nextId
  }

  readonly #onExpire = (pending: PendingRequest): void => {
    this.#giveUp(
      pending,
      new ProtocolError('request_timed_out', `${pending.message.name} to ${this.peer.node}: no answer within its deadline`),
    )
  }

  #giveUp(pending: PendingRequest, error: ProtocolError): void {
    if (!this.#pending.delete(pending.id)) return
    this.#env.deadlines.remove(pending)
    this.#channel.send(flag.cancel, pending.message.key, pending.id, [])
    pending.reject(error)
  }

  #cancelWith(signal: AbortSignal, pending: PendingRequest): void {
    signal.addEventListener(
      'abort',
      () => this.#giveUp(pending, new ProtocolError('request_cancelled', undefined, { cause: signal.reason })),
      { once: true },
    )
  }

  // --- what comes in

  #onFrame(frame: Frame): boolean {
    const kind = frame.flags & ~flag.error
    if (kind === flag.response) this.#onResponse(frame)
    else if (kind === flag.request) this.#onRequest(frame)
    else if (kind === flag.oneWay) this.#onOneWay(frame)
    else if (kind === flag.streamItem) this.#onStreamItem(frame)
    else if (kind === flag.streamEnd) this.#onStreamEnd(frame)
    else if (kind === flag.credit) this.#onCredit(frame)
    else this.#onCancel(frame)
    return this.#wantsFrames()
  }

  /** A full service stops reading the socket rather than buffer. */
  #wantsFrames(): boolean {
    return this.#servedCount < SERVED_REQUESTS_MAX && this.#channel.queuedBytes < QUEUED_BYTES_MAX / 4
  }

  #onRoom(): void {
    if (this.#wantsFrames()) this.#channel.readOn()
  }

  #onResponse(frame: Frame): void {
    const pending = this.#pending.get(frame.correlationId)
    if (pending === undefined) return
    this.#pending.delete(frame.correlationId)
    this.#env.deadlines.remove(pending)
    if ((frame.flags & flag.error) !== 0) {
      pending.reject(remoteError(frame, this.peer))
      return
    }
    try {
      const response = pending.message.responseCodec.fromWire(frame.body, 0, this.peer.version) as { attachment?: Uint8Array }
      if (pending.message.responseAttachment !== undefined) response.attachment = frame.attachment
      pending.resolve(response as never)
    } catch (error) {
      pending.reject(error as Error)
    }
  }

  #onRequest(frame: Frame): void {
    const entry = this.#handlers.find(frame.messageKey)
    if (entry === undefined || entry.message.kind === 'one_way') {
      this.#fail(
        frame,
        flag.response,
        new ProtocolError('unknown_message', `message 0x${frame.messageKey.toString(16)} is not supported here`),
      )
      return
    }
    const { message } = entry
    let request: { attachment?: Uint8Array }
    let context: ServedRequest
    try {
      const deadlineMs = frame.body[0]
      if (typeof deadlineMs !== 'number' || !Number.isInteger(deadlineMs) || deadlineMs < 0 || deadlineMs > DEADLINE_MS_MAX)
        throw new ProtocolError('malformed_message', `${message.name}: deadline ${String(deadlineMs)}`)
      request = message.requestCodec.fromWire(frame.body, 1, this.peer.version)
      if (message.kind === 'rpc' && message.requestAttachment !== undefined) {
        if (frame.attachment.byteLength > message.requestAttachment.max)
          throw new ProtocolError(
            'message_too_large',
            `${message.name}: attachment of ${frame.attachment.byteLength} bytes, at most ${message.requestAttachment.max}`,
          )
        request.attachment = frame.attachment
      }
      context = new ServedRequest(this.peer, this.#env.deadlines, this.#nowMs, deadlineMs)
    } catch (error) {
      this.#fail(frame, message.kind === 'stream' ? flag.streamEnd : flag.response, error)
      return
    }
    if (message.kind === 'stream') this.#serveStream(frame, message, entry.handle as never, request, context)
    else this.#serveRpc(frame, message, entry.handle as never, request, context)
  }

  #serveRpc(
    frame: Frame,
    message: Rpc,
    handle: (request: object, context: ServedRequest) => unknown,
    request: object,
    context: ServedRequest,
  ): void {
    let result: unknown
    try {
      result = handle(request, context)
    } catch (error) {
      context.answered()
      this.#fail(frame, flag.response, error)
      return
    }
    if (!(result instanceof Promise)) {
      context.answered()
      this.#answer(frame, message, result as WithAttachment)
      return
    }
    this.#begin(frame.correlationId, { context, sink: undefined })
    result.then(
      (response: WithAttachment) => {
        this.#finish(frame.correlationId, context)
        this.#answer(frame, message, response)
      },
      (error: unknown) => {
        this.#finish(frame.correlationId, context)
        this.#fail(frame, flag.response, error)
      },
    )
  }

  #serveStream(
    frame: Frame,
    message: StreamRpc,
    handle: (request: object, context: ServedRequest, sink: OutgoingStream<never>) => Promise<void>,
    request: object,
    context: ServedRequest,
  ): void {
    const sink = new OutgoingStream<object>(item => {
      const attachment = attachmentOf(message.name, message.itemAttachment, item)
      const body = message.itemCodec.toWire(item as never, this.peer.version, [])
      const before = this.#channel.queuedBytes
      this.#channel.send(flag.streamItem, message.key, frame.correlationId, body, attachment)
      // At least the attachment, and at least something: an item that costs no credit would never be held back.
      return Math.max(this.#channel.queuedBytes - before, attachment.byteLength + 32)
    }) as OutgoingStream<never>
    this.#begin(frame.correlationId, { context, sink })
    const serving = (async () => handle(request, context, sink))()
    serving.then(
      () => {
        this.#finish(frame.correlationId, context)
        this.#channel.send(flag.streamEnd, message.key, frame.correlationId, [])
      },
      (error: unknown) => {
        this.#finish(frame.correlationId, context)
        this.#fail(frame, flag.streamEnd, error)
      },
    )
  }

  readonly #nowMs = (): number => this.#env.clock.monotonicMs()

  #begin(id: number, served: ServedStream): void {
    this.#servedCount++
    this.#served.set(id, served)
  }

  #finish(id: number, context: ServedRequest): void {
    context.answered()
    this.#servedCount--
    if (this.#served.get(id)?.context === context) this.#served.delete(id)
    if (this.#servedCount === SERVED_REQUESTS_MAX - 1) this.#onRoom()
  }

  #answer(frame: Frame, message: Rpc, response: WithAttachment): void {
    try {
      this.#channel.send(
        flag.response,
        frame.messageKey,
        frame.correlationId,
        message.responseCodec.toWire(response as never, this.peer.version, []),
        attachmentOf(message.name, message.responseAttachment, response),
      )
    } catch (error) {
      this.#fail(frame, flag.response, error)
    }
  }

  #fail(frame: Frame, kind: number, error: unknown): void {
    if (error instanceof InvariantError) throw error
    let told: ProtocolError
    if (error instanceof ProtocolError) told = error
    else {
      this.#env.log.error(
        { event: 'request_failed', messageKey: frame.messageKey, peer: this.peer.node, err: error },
        'a request handler failed',
      )
      told = new ProtocolError('internal_error', `${error instanceof Error ? error.message : String(error)}`)
    }
    this.#channel.send(kind | flag.error, frame.messageKey, frame.correlationId, errorBody(told))
  }

  #onOneWay(frame: Frame): void {
    const entry = this.#handlers.find(frame.messageKey)
    if (entry === undefined || entry.message.kind !== 'one_way') {
      this.#env.log.debug(
        { event: 'unknown_message', messageKey: frame.messageKey, peer: this.peer.node },
        'ignored a one-way message that is not supported here',
      )
      return
    }
    ;(entry.handle as (message: object, peer: Peer) => void)(entry.message.codec.fromWire(frame.body, 0, this.peer.version), this.peer)
  }

  #onStreamItem(frame: Frame): void {
    const open = this.#openStreams.get(frame.correlationId)
    if (open === undefined) return
    const item = open.message.itemCodec.fromWire(frame.body, 0, this.peer.version) as { attachment?: Uint8Array }
    if (open.message.itemAttachment !== undefined) item.attachment = frame.attachment
    open.incoming.push(item, frame.bytes)
  }

  #onStreamEnd(frame: Frame): void {
    const open = this.#openStreams.get(frame.correlationId)
    this.#openStreams.delete(frame.correlationId)
    open?.incoming.finish((frame.flags & flag.error) === 0 ? undefined : remoteError(frame, this.peer))
  }

  #onCredit(frame: Frame): void {
    const bytes = frame.body[0]
    if (typeof bytes === 'number' && bytes > 0) this.#served.get(frame.correlationId)?.sink?.grant(bytes)
  }

  #onCancel(frame: Frame): void {
    const served = this.#served.get(frame.correlationId)
    const error = new ProtocolError('request_cancelled', 'the caller gave the request up')
    served?.sink?.stop(error)
    served?.context.giveUp(error)
  }

  #onClosed(error: ProtocolError): void {
    this.#ended = error
    for (const pending of this.#pending.values()) {
      this.#env.deadlines.remove(pending)
      pending.reject(error)
    }
    this.#pending.clear()
    for (const { incoming } of this.#openStreams.values()) incoming.finish(error)
    this.#openStreams.clear()
    for (const { context, sink } of this.#served.values()) {
      sink?.stop(error)
      context.giveUp(error)
    }
    this.#settleClosed(error)
  }
}

/** The attachment that `value` carries, when its table gives it one. Throws `invalid_argument` when it breaks its bound. */
function attachmentOf(name: string, row: Attachment | undefined, value: unknown): Uint8Array {
  if (row === undefined) return NO_ATTACHMENT
  const attachment = (value as WithAttachment).attachment
  if (!(attachment instanceof Uint8Array) || attachment.byteLength > row.max)
    throw new ProtocolError('invalid_argument', `${name}.attachment: want bytes, at most ${row.max}`)
  return attachment
}

/** The body of a frame with the error flag: code and sentence. */
export function errorBody(error: ProtocolError): readonly unknown[] {
  return [errorRows[error.code].code, error.message.slice(0, 2_000)]
}

/** The error in a frame with the error flag. A code that this version does not know is `internal_error`: indefinite. */
export function remoteError(frame: Frame, peer: { readonly node: string }): ProtocolError {
  const [code, message] = frame.body
  const name = typeof code === 'number' ? errorNamed(code) : undefined
  return new ProtocolError(name ?? 'internal_error', typeof message === 'string' ? `${peer.node}: ${message}` : undefined)
}
