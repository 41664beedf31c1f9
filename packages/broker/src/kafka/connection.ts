// One client's connection: requests come in, handlers are given them in order, answers go out in the same order. Whoever
// sends what is no request is cut off; whoever does not take its answers is not read any more.
import { BoundedQueue, type Clock, type Connection, InvariantError, type Logger, NetError, type Timer } from '@atoll/base'
import { isSoftware, unsupportedVersion } from './api-versions-answer.ts'
import type { KafkaRequest, KafkaResponse } from './apis.ts'
import { type Exchange, failedAnswer, hasFailed, readRequest, writeAnswer } from './exchange.ts'
import type { KafkaClient, KafkaContext, KafkaHandlers } from './handlers.ts'
import { kafkaErrorCode } from './kafka-errors.ts'
import { LINGER_MS, PIPELINE_MAX, SLOWEST_BYTES_PER_MS, UNSENT_BYTES_HIGH } from './limits.ts'
import { RequestFrames } from './request-frames.ts'
import type { RequestMemory } from './request-memory.ts'
import { WireError } from './wire-error.ts'
import type { WireWriter } from './wire-writer.ts'

/** What the connections of a listener share. */
export interface KafkaService {
  readonly clock: Clock
  readonly logger: Logger
  readonly handlers: KafkaHandlers
  readonly memory: RequestMemory
  readonly writer: WireWriter
  /** What ApiVersions answers. */
  readonly versions: KafkaResponse<'apiVersions'>
  readonly requestBytesMax: number
  readonly idleMs: number
  readonly stalledMs: number
}

type AnyHandler = (request: unknown, context: KafkaContext) => unknown

export class KafkaConnection implements KafkaClient {
  readonly connection: number
  readonly remote: string
  software: KafkaClient['software']
  readonly #net: Connection
  readonly #service: KafkaService
  readonly #onClosed: (closed: KafkaConnection) => void
  readonly #frames: RequestFrames
  readonly #exchanges = new BoundedQueue<Exchange>(PIPELINE_MAX)
  readonly #over = new AbortController()
  /** `ending`: nothing more is read, what was asked is still answered. */
  #state: 'open' | 'ending' | 'closed' = 'open'
  /** Bytes that came in are being handled: answers go out together at their end. */
  #holding = false
  #waitsForMemory = false
  #blocked = false
  #isReading = true
  /** Answers to Fetch are large, so a connection has one at a time: the next is handed over when the last has gone out. */
  #isFetching = false
  #nextFetch: Exchange | undefined
  /** When bytes came last, and when the client last took some of what is queued for it. */
  #heardAtMs: number
  #tookAtMs: number
  #unsentBytes = 0
  /** When the request that is not whole yet began, or reading went on. */
  #begunAtMs: number
  #endingAtMs = 0
  #linger: Timer | undefined
  #hasAsked = false

  constructor(net: Connection, connection: number, service: KafkaService, onClosed: (closed: KafkaConnection) => void) {
    this.#net = net
    this.connection = connection
    this.remote = net.remote
    this.#service = service
    this.#onClosed = onClosed
    const nowMs = service.clock.monotonicMs()
    this.#heardAtMs = nowMs
    this.#tookAtMs = nowMs
    this.#begunAtMs = nowMs
    this.#frames = new RequestFrames({
      sizeBytesMax: service.requestBytesMax,
      onRequest: (request, takenBytes) => this.#receive(request, takenBytes),
      takeMemory: bytes => {
        this.#waitsForMemory = !service.memory.take(bytes, this.#onMemory)
        return !this.#waitsForMemory
      },
    })
    net.open({ onData: bytes => this.#onData(bytes), onDrain: () => this.#onDrain(), onClose: () => this.#onClose() })
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** Reads nothing more, answers what was asked, and ends. */
  finish(): void {
    if (this.#state !== 'open') return
    this.#stopReading()
    this.#flush()
  }

  destroy(): void {
    this.#net.destroy()
  }

  /** Ends a connection that nobody uses, and cuts one that has stopped in the middle. */
  check(nowMs: number): void {
    const { idleMs, stalledMs } = this.#service
    if (this.#net.unsentBytes < this.#unsentBytes || this.#net.unsentBytes === 0) this.#tookAtMs = nowMs
    this.#unsentBytes = this.#net.unsentBytes
    if (nowMs - this.#tookAtMs > stalledMs) this.#cut('slow_client', 'does not take its answers')
    else if (this.#state === 'ending' && nowMs - this.#endingAtMs > stalledMs) this.#cut('slow_end', 'is still owed answers')
    else if (!this.#isReading || this.#exchanges.length > 0) return
    else if (this.#frames.isWithin && this.#isStalled(nowMs)) this.#cut('stalled_request', 'has begun a request and does not go on')
    // Whoever never asked anything is no client.
    else if (nowMs - this.#heardAtMs > (this.#hasAsked ? idleMs : Math.min(idleMs, stalledMs))) this.finish()
  }

  /** In the middle of a request, nothing came for too long, or all of it too slowly. */
  #isStalled(nowMs: number): boolean {
    const { stalledMs } = this.#service
    const sinceMs = Math.max(this.#heardAtMs, this.#begunAtMs)
    return nowMs - sinceMs > stalledMs || nowMs - this.#begunAtMs > stalledMs + this.#frames.length / SLOWEST_BYTES_PER_MS
  }

  #onData(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    const nowMs = this.#service.clock.monotonicMs()
    this.#heardAtMs = nowMs
    if (!this.#frames.isWithin) this.#begunAtMs = nowMs
    this.#handle(() => this.#frames.push(bytes))
  }

  /** Does `work`, which may hand requests over, goes on with what was left lying, and reads on or not. */
  #handle(work: () => void): void {
    this.#run(work)
    while (this.#canGoOn) this.#run(this.#goOn)
    const mayRead = this.#hasRoom && !this.#frames.isStopped
    if (mayRead === this.#isReading) return
    this.#isReading = mayRead
    if (mayRead) this.#net.resumeReading()
    else this.#net.pauseReading()
  }

  /** What it leads to at once is written together, at its end. */
  #run(work: () => void): void {
    this.#holding = true
    try {
      work()
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#refuse(error.message)
    } finally {
      this.#holding = false
    }
    this.#flush()
  }

  #onDrain(): void {
    this.#blocked = false
    this.#readOn()
  }

  readonly #onMemory = (): void => {
    this.#waitsForMemory = false
    this.#readOn()
  }

  #onClose(): void {
    this.#state = 'closed'
    this.#linger?.cancel()
    if (this.#waitsForMemory) this.#service.memory.cancel(this.#onMemory)
    else this.#service.memory.release(this.#frames.takenBytes)
    for (let one = this.#exchanges.shift(); one !== undefined; one = this.#exchanges.shift()) this.#service.memory.release(one.takenBytes)
    this.#over.abort(new NetError('closed', 'the client’s connection is over'))
    this.#onClosed(this)
  }

  /** True while there is room for one more request and its answer. */
  get #hasRoom(): boolean {
    return !this.#exchanges.full && !this.#blocked && !this.#waitsForMemory && this.#state === 'open'
  }

  get #canGoOn(): boolean {
    return this.#hasRoom && (this.#nextFetch === undefined ? this.#frames.isStopped : !this.#isFetching)
  }

  readonly #goOn = (): void => {
    const next = this.#nextFetch
    this.#nextFetch = undefined
    if (next !== undefined) this.#call(next)
    else {
      this.#begunAtMs = this.#service.clock.monotonicMs()
      this.#frames.resume()
    }
  }

  /** Takes up what was left lying, if there is room again. */
  #readOn(): void {
    if (!this.#holding) this.#handle(() => {})
  }

  /** One request. Throws a WireError when it is none. */
  #receive(bytes: Uint8Array, takenBytes: number): boolean {
    if (this.#state !== 'open') {
      this.#service.memory.release(takenBytes)
      return false
    }
    this.#begunAtMs = this.#service.clock.monotonicMs()
    try {
      this.#serve(bytes, takenBytes)
      this.#hasAsked = true
    } catch (error) {
      this.#service.memory.release(takenBytes)
      throw error
    }
    return this.#hasRoom && this.#nextFetch === undefined
  }

  #serve(bytes: Uint8Array, takenBytes: number): void {
    const exchange = readRequest(bytes, takenBytes, this.#service.handlers)
    if (!this.#exchanges.push(exchange)) throw new InvariantError('nothing is read past the bound')
    if (exchange.called.name === 'apiVersions') exchange.answer = this.#introduce(exchange)
    else if (exchange.called.name === 'fetch' && this.#isFetching) this.#nextFetch = exchange
    else this.#call(exchange)
  }

  #introduce({ request, version }: Exchange): KafkaResponse<'apiVersions'> {
    if (request === undefined) return unsupportedVersion
    const { clientSoftwareName: name, clientSoftwareVersion } = request as KafkaRequest<'apiVersions'>
    if (version < 3) return this.#service.versions
    if (!isSoftware(name) || !isSoftware(clientSoftwareVersion)) return { errorCode: kafkaErrorCode('invalid_request'), apiKeys: [] }
    this.software = { name, version: clientSoftwareVersion }
    return this.#service.versions
  }

  #call(exchange: Exchange): void {
    const { version: apiVersion, clientId } = exchange
    const { name } = exchange.called
    if (name === 'fetch') this.#isFetching = true
    const handler = this.#service.handlers[name as keyof KafkaHandlers] as AnyHandler
    try {
      const result = handler(exchange.request, { client: this, apiVersion, clientId })
      if (result instanceof Promise)
        void result.then(
          answer => this.#settle(exchange, answer as object),
          (error: unknown) => this.#settle(exchange, failedAnswer(exchange, error, this.#service.logger)),
        )
      else exchange.answer = result as object
    } catch (error) {
      exchange.answer = failedAnswer(exchange, error, this.#service.logger)
    }
  }

  #settle(exchange: Exchange, answer: object): void {
    exchange.answer = answer
    this.#flush()
    this.#readOn()
  }

  /** Writes the answers that are there and have none before them. */
  #flush(): void {
    if (this.#holding || this.#state === 'closed') return
    const pieces: Uint8Array[] = []
    let freedBytes = 0
    for (let next = this.#exchanges.peek(); next?.answer !== undefined; next = this.#exchanges.peek()) {
      this.#exchanges.shift()
      freedBytes += next.takenBytes
      if (next.called.name === 'fetch') this.#isFetching = false
      if (!next.silent) pieces.push(...writeAnswer(next, next.answer, this.#service.writer))
      // Nothing else tells this client that something is wrong.
      else if (hasFailed(next.answer as KafkaResponse<'produce'>)) this.#refuse('a produce request without acknowledgement failed')
    }
    if (pieces.length > 0) {
      if (this.#net.unsentBytes === 0) this.#tookAtMs = this.#service.clock.monotonicMs()
      // Sent in one go or not, there may be some of it on its way; only more than that stops the reading.
      if (!this.#net.writeAll(pieces)) this.#blocked = this.#net.unsentBytes > UNSENT_BYTES_HIGH
    }
    if (this.#state === 'ending' && this.#exchanges.length === 0) this.#end()
    // The last thing: it may be this very connection that goes on with it.
    if (freedBytes > 0) this.#service.memory.release(freedBytes)
  }

  /** Nothing is owed any more. What still comes is read and dropped, so that it does not reset the answers on their way. */
  #end(): void {
    if (this.#linger !== undefined) return
    this.#linger = this.#service.clock.after(LINGER_MS, () => this.#net.destroy())
    this.#net.end()
    this.#net.resumeReading()
  }

  /** What came is no request, or its failure cannot be said otherwise: Kafka closes the connection too, after what it owes. */
  #refuse(why: string): void {
    if (this.#state !== 'open') return
    this.#service.logger.debug({ event: 'kafka_connection_refused', remote: this.remote, why }, 'refused a client’s connection')
    this.#stopReading()
  }

  #stopReading(): void {
    this.#state = 'ending'
    this.#endingAtMs = this.#service.clock.monotonicMs()
    // It was not handed over, and will not be: nothing was fetched.
    if (this.#nextFetch !== undefined) this.#nextFetch.answer = { topics: [] }
    this.#nextFetch = undefined
    this.#isReading = false
    this.#net.pauseReading()
  }

  #cut(event: string, why: string): void {
    this.#service.logger.debug({ event: `kafka_${event}`, remote: this.remote }, `cut a client that ${why}`)
    this.#net.destroy()
  }
}
