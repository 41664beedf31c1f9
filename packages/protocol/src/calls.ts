// The asking side of a session: requests that wait for their answer, and streams that are being read. Everything here
// is settled exactly once: by the answer, by its deadline, by its caller's signal, or by the end of the session.

import { attachmentOf } from './attachments.ts'
import type { Channel } from './channel.ts'
import type { Deadlines, Expiring } from './deadlines.ts'
import { remoteError } from './error-body.ts'
import { ProtocolError } from './errors.ts'
import { type Frame, flag } from './frame.ts'
import { DEADLINE_MS_DEFAULT, DEADLINE_MS_MAX, PENDING_REQUESTS_MAX, QUEUED_BYTES_MAX } from './limits.ts'
import type { Peer } from './served-request.ts'
import { IncomingStream } from './streams.ts'
import type { ItemOf, RequestOf, ResponseOf, Rpc, StreamRpc } from './table.ts'

export interface RequestOptions {
  /** Milliseconds until the caller gives up, 1 to 600,000; it travels with the request. Default 5,000. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

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

export class Calls {
  readonly #channel: Channel
  readonly #peer: Peer
  readonly #deadlines: Deadlines
  readonly #pending = new Map<number, PendingRequest>()
  readonly #streams = new Map<number, OpenStream>()
  #nextId = 0
  #ended: ProtocolError | undefined

  constructor(channel: Channel, peer: Peer, deadlines: Deadlines) {
    this.#channel = channel
    this.#peer = peer
    this.#deadlines = deadlines
  }

  /** Requests without an answer and streams without an end. */
  get count(): number {
    return this.#pending.size + this.#streams.size
  }

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
        const body = message.requestCodec.toWire(request as never, this.#peer.version, [timeoutMs])
        this.#channel.send(flag.request, message.key, id, body, attachmentOf(message.name, message.requestAttachment, request))
      } catch (error) {
        reject(error as Error)
        return
      }
      const pending = new PendingRequest(id, message, resolve as (value: never) => void, reject, this.#onExpire)
      this.#pending.set(id, pending)
      this.#deadlines.add(pending, timeoutMs)
      if (options?.signal !== undefined) this.#cancelWith(options.signal, pending)
    })
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
        this.#streams.delete(id)
        this.#channel.send(flag.cancel, message.key, id, [])
      },
    )
    const refused = this.#whyNotSend(options)
    if (refused !== undefined) {
      incoming.finish(refused)
      return incoming
    }
    const body = message.requestCodec.toWire(request as never, this.#peer.version, [0])
    this.#streams.set(id, { message, incoming: incoming as IncomingStream<unknown> })
    options?.signal?.addEventListener('abort', () => void incoming.return(), { once: true })
    this.#channel.send(flag.request, message.key, id, body)
    return incoming
  }

  onResponse(frame: Frame): void {
    const pending = this.#pending.get(frame.correlationId)
    if (pending === undefined) return
    this.#pending.delete(frame.correlationId)
    this.#deadlines.remove(pending)
    if ((frame.flags & flag.error) !== 0) {
      pending.reject(remoteError(frame, this.#peer))
      return
    }
    try {
      const response = pending.message.responseCodec.fromWire(frame.body, 0, this.#peer.version) as { attachment?: Uint8Array }
      if (pending.message.responseAttachment !== undefined) response.attachment = frame.attachment
      pending.resolve(response as never)
    } catch (error) {
      pending.reject(error as Error)
    }
  }

  onStreamItem(frame: Frame): void {
    const open = this.#streams.get(frame.correlationId)
    if (open === undefined) return
    const item = open.message.itemCodec.fromWire(frame.body, 0, this.#peer.version) as { attachment?: Uint8Array }
    if (open.message.itemAttachment !== undefined) item.attachment = frame.attachment
    open.incoming.push(item, frame.bytes)
  }

  onStreamEnd(frame: Frame): void {
    const open = this.#streams.get(frame.correlationId)
    this.#streams.delete(frame.correlationId)
    open?.incoming.finish((frame.flags & flag.error) === 0 ? undefined : remoteError(frame, this.#peer))
  }

  /** The session is over: everything open ends with `error`. */
  close(error: ProtocolError): void {
    this.#ended = error
    for (const pending of this.#pending.values()) {
      this.#deadlines.remove(pending)
      pending.reject(error)
    }
    this.#pending.clear()
    for (const { incoming } of this.#streams.values()) incoming.finish(error)
    this.#streams.clear()
  }

  #whyNotSend(options: RequestOptions | undefined): ProtocolError | undefined {
    if (this.#ended !== undefined)
      return new ProtocolError('not_connected', `connection to ${this.#peer.node} is closed`, { cause: this.#ended })
    if (options?.signal?.aborted) return new ProtocolError('request_cancelled', undefined, { cause: options.signal.reason })
    const timeoutMs = options?.timeoutMs
    if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= DEADLINE_MS_MAX))
      return new ProtocolError('invalid_argument', `timeoutMs: want 1 to ${DEADLINE_MS_MAX}, got ${timeoutMs}`)
    if (this.#pending.size + this.#streams.size >= PENDING_REQUESTS_MAX)
      return new ProtocolError('too_many_requests', `${PENDING_REQUESTS_MAX} requests to ${this.#peer.node} wait for their answer`)
    if (this.#channel.queuedBytes > QUEUED_BYTES_MAX)
      return new ProtocolError('too_many_requests', `${this.#channel.queuedBytes} bytes are queued for ${this.#peer.node}`)
    return undefined
  }

  #takeId(): number {
    do this.#nextId = (this.#nextId + 1) >>> 0
    while (this.#pending.has(this.#nextId) || this.#streams.has(this.#nextId))
    return this.#nextId
  }

  readonly #onExpire = (pending: PendingRequest): void => {
    this.#giveUp(
      pending,
      new ProtocolError('request_timed_out', `${pending.message.name} to ${this.#peer.node}: no answer within its deadline`),
    )
  }

  #giveUp(pending: PendingRequest, error: ProtocolError): void {
    if (!this.#pending.delete(pending.id)) return
    this.#deadlines.remove(pending)
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
}
