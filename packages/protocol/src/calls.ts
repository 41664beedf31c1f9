// The asking side of a session: requests that wait for their answer, and streams that are being read. Everything here
// is settled exactly once: by the answer, by its deadline, by its caller's signal, or by the end of the session.
import { attachmentOf, takeAttachment } from './attachments.ts'
import type { Channel } from './channel.ts'
import type { Deadlines, Expiring } from './deadlines.ts'
import { remoteError } from './error-body.ts'
import { ProtocolError } from './errors.ts'
import { type Frame, flag } from './frame.ts'
import { DEADLINE_MS_DEFAULT, DEADLINE_MS_MAX, PENDING_REQUESTS_MAX } from './limits.ts'
import { PendingTable } from './pending-table.ts'
import type { Peer } from './served-request.ts'
import { IncomingStream } from './streams.ts'
import type { ItemOf, RequestOf, ResponseOf, Rpc, StreamRpc } from './table.ts'

export interface RequestOptions {
  /**
   * Milliseconds until the caller gives up, up to 600,000; it travels with the request. Default 5,000. A forwarded
   * request passes on `context.remainingMs()`: nothing left is `request_timed_out`, and no deadline the longest one.
   */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface StreamOptions {
  readonly signal?: AbortSignal | undefined
}

class PendingRequest implements Expiring {
  readonly id: number
  readonly message: Rpc
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
  readonly #onExpire: (pending: PendingRequest) => void
  /** Takes the listener off the caller's signal, which may outlive a million requests. */
  unlisten: (() => void) | undefined = undefined
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
  unlisten: (() => void) | undefined
}

export class Calls {
  readonly #channel: Channel
  readonly #peer: Peer
  readonly #deadlines: Deadlines
  readonly #pending = new PendingTable<PendingRequest>()
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
      const timeoutMs = Math.min(options?.timeoutMs ?? DEADLINE_MS_DEFAULT, DEADLINE_MS_MAX)
      const refused = this.#whyNotSend(options, timeoutMs)
      if (refused !== undefined) {
        reject(refused)
        return
      }
      const id = this.#takeId()
      try {
        const body = message.requestCodec.toWire(request as never, this.#peer.version, [Math.ceil(timeoutMs)])
        this.#channel.send(flag.request, message.key, id, body, attachmentOf(message.name, message.requestAttachment, request))
      } catch (error) {
        reject(error as Error)
        return
      }
      const pending = new PendingRequest(id, message, resolve, reject, this.#onExpire)
      this.#pending.add(pending)
      this.#deadlines.add(pending, timeoutMs)
      if (options?.signal !== undefined) pending.unlisten = onAbort(options.signal, error => this.#giveUp(pending, error))
    })
  }

  /** Opens a stream. Its items are read with `for await`; it ends with an error if it could not be opened, or the peer’s. */
  open<M extends StreamRpc>(message: M, request: RequestOf<M>, options?: StreamOptions): IncomingStream<ItemOf<M>> {
    const id = this.#takeId()
    const incoming = new IncomingStream<ItemOf<M>>(
      bytes => this.#channel.send(flag.credit, message.key, id, [bytes]),
      () => {
        this.#forgetStream(id)
        this.#channel.send(flag.cancel, message.key, id, [])
      },
    )
    const refused = this.#whyNotSend(options, DEADLINE_MS_MAX) ?? this.#sendOpening(message, id, request as object)
    if (refused !== undefined) {
      incoming.finish(refused)
      return incoming
    }
    const unlisten = options?.signal === undefined ? undefined : onAbort(options.signal, error => incoming.giveUp(error))
    this.#streams.set(id, { message, incoming: incoming as IncomingStream<unknown>, unlisten })
    return incoming
  }

  onResponse(frame: Frame): void {
    const pending = this.#pending.get(frame.correlationId)
    // An answer to a request that was given up, or to none.
    if (pending === undefined) return
    this.#forget(pending)
    if ((frame.flags & flag.error) !== 0) {
      pending.reject(remoteError(frame, this.#peer))
      return
    }
    const { message } = pending
    let response: object
    try {
      if (frame.messageKey !== message.key) throw new ProtocolError('malformed_message', `answered by 0x${frame.messageKey.toString(16)}`)
      response = message.responseCodec.fromWire(frame.body, 0, this.#peer.version)
      takeAttachment(message.name, message.responseAttachment, frame.attachment, response)
    } catch (error) {
      // The request was handled all the same: whoever asked must not believe that it had no effect.
      pending.reject(new ProtocolError('bad_answer', `${this.#peer.node}: ${(error as Error).message}`, { cause: error }))
      return
    }
    pending.resolve(response as never)
  }

  onStreamItem(frame: Frame): void {
    const open = this.#streams.get(frame.correlationId)
    if (open === undefined) return
    const { message, incoming } = open
    let item: object
    try {
      item = message.itemCodec.fromWire(frame.body, 0, this.#peer.version)
      takeAttachment(message.name, message.itemAttachment, frame.attachment, item)
    } catch (error) {
      incoming.giveUp(new ProtocolError('bad_answer', `${this.#peer.node}: ${(error as Error).message}`, { cause: error }))
      return
    }
    incoming.push(item, frame.bytes)
  }

  onStreamEnd(frame: Frame): void {
    this.#forgetStream(frame.correlationId)?.incoming.finish((frame.flags & flag.error) === 0 ? undefined : remoteError(frame, this.#peer))
  }

  /** The session is over: everything open ends with `error`, or with `connection_lost` when that would claim no effect. */
  close(error: ProtocolError): void {
    this.#ended = error
    const told = error.outcome === 'indefinite' ? error : new ProtocolError('connection_lost', error.message, { cause: error })
    for (const pending of this.#pending.entries()) {
      this.#forget(pending)
      pending.reject(told)
    }
    for (const [id, { incoming }] of this.#streams) {
      this.#forgetStream(id)
      incoming.finish(told)
    }
  }

  #whyNotSend(options: StreamOptions | undefined, timeoutMs: number): ProtocolError | undefined {
    if (this.#ended !== undefined)
      return new ProtocolError('not_connected', `connection to ${this.#peer.node} is closed`, { cause: this.#ended })
    if (options?.signal?.aborted) return new ProtocolError('request_cancelled', undefined, { cause: options.signal.reason })
    if (Number.isNaN(timeoutMs)) return new ProtocolError('invalid_argument', 'timeoutMs: want milliseconds, got NaN')
    if (timeoutMs <= 0) return new ProtocolError('request_timed_out', 'no time was left to send the request')
    if (this.count >= PENDING_REQUESTS_MAX)
      return new ProtocolError('too_many_requests', `${PENDING_REQUESTS_MAX} requests to ${this.#peer.node} wait for their answer`)
    if (this.#channel.full)
      return new ProtocolError('too_many_requests', `${this.#channel.queuedBytes} bytes are queued for ${this.#peer.node}`)
    return undefined
  }

  #sendOpening(message: StreamRpc, id: number, request: object): ProtocolError | undefined {
    try {
      this.#channel.send(flag.request, message.key, id, message.requestCodec.toWire(request as never, this.#peer.version, [0]))
      return undefined
    } catch (error) {
      if (error instanceof ProtocolError) return error
      throw error
    }
  }

  #takeId(): number {
    do this.#nextId = (this.#nextId + 1) >>> 0
    while (!this.#pending.isFree(this.#nextId) || this.#streams.has(this.#nextId))
    return this.#nextId
  }

  readonly #onExpire = (pending: PendingRequest): void => {
    this.#giveUp(
      pending,
      new ProtocolError('request_timed_out', `${pending.message.name} to ${this.#peer.node}: no answer within its deadline`),
    )
  }

  #giveUp(pending: PendingRequest, error: ProtocolError): void {
    this.#forget(pending)
    this.#channel.send(flag.cancel, pending.message.key, pending.id, [])
    pending.reject(error)
  }

  #forget(pending: PendingRequest): void {
    this.#pending.delete(pending)
    this.#deadlines.remove(pending)
    pending.unlisten?.()
  }

  #forgetStream(id: number): OpenStream | undefined {
    const open = this.#streams.get(id)
    this.#streams.delete(id)
    open?.unlisten?.()
    return open
  }
}

/** Calls `giveUp` when `signal` aborts, until the answered function is called. */
function onAbort(signal: AbortSignal, giveUp: (error: ProtocolError) => void): () => void {
  const listener = (): void => giveUp(new ProtocolError('request_cancelled', undefined, { cause: signal.reason }))
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}
