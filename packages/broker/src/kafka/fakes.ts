// Stand-ins for the ports, for the unit tests of this folder: a clock that is turned by hand, a network of one port, and
// clients that the test plays.
import type { Clock, Connection, ConnectionHandlers, DatagramFate, ListenOptions, MonotonicMs, Net, Timer, WallMs } from '@atoll/base'
import type { Api } from './api.ts'
import { type ApiName, apis } from './apis.ts'
import { beginRequest, readResponseStart } from './headers.ts'
import { WireWriter } from './wire-writer.ts'

export class FakeClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<{ readonly dueMs: number; readonly task: () => void }>()

  get timerCount(): number {
    return this.#timers.size
  }

  monotonicMs(): MonotonicMs {
    return this.#nowMs as MonotonicMs
  }

  wallMs(): WallMs {
    return this.#nowMs as WallMs
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, task }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  endOfTurn(task: () => void): void {
    task()
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#timers].filter(({ dueMs }) => dueMs <= untilMs).toSorted((one, other) => one.dueMs - other.dueMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = next.dueMs
      next.task()
    }
    this.#nowMs = untilMs
  }
}

/** A client's side of a connection, and the port's between them. */
export class FakeClient implements Connection {
  readonly remote = '127.0.0.1:50000'
  /** What the broker wrote and `answers` did not take yet. */
  #received = new Uint8Array(0)
  /** False: the broker's bytes stay unsent until `drain`. */
  takes = true
  /** True: the client does not end when the broker does. */
  lingers = false
  unsentBytes = 0
  reading = true
  /** How it ended, if it did. */
  over: 'ended' | 'destroyed' | undefined
  #handlers: ConnectionHandlers | undefined
  readonly #writer = new WireWriter()

  open(handlers: ConnectionHandlers): void {
    this.#handlers = handlers
  }

  identify(): void {
    // No links here that could be faulty.
  }

  write(bytes: Uint8Array): boolean {
    if (this.over !== undefined) return false
    this.#received = joined([this.#received, bytes])
    if (this.takes) return true
    this.unsentBytes += bytes.length
    return false
  }

  writeAll(pieces: readonly Uint8Array[]): boolean {
    return this.write(joined(pieces))
  }

  pauseReading(): void {
    this.reading = false
  }

  resumeReading(): void {
    this.reading = true
  }

  end(): void {
    if (this.over !== undefined) return
    if (this.lingers) this.over = 'ended'
    else this.#close('ended')
  }

  destroy(): void {
    if (this.lingers) this.over = undefined
    this.#close('destroyed')
  }

  datagramFate(): DatagramFate | undefined {
    return undefined
  }

  /** The client goes away. */
  leave(): void {
    this.#close('ended')
  }

  drain(): void {
    this.takes = true
    this.unsentBytes = 0
    this.#handlers?.onDrain()
  }

  /** Bytes arrive, in pieces of `pieceBytes`. */
  send(bytes: Uint8Array, pieceBytes = bytes.length): void {
    for (let at = 0; at < bytes.length && this.over === undefined; at += pieceBytes)
      this.#handlers?.onData(bytes.slice(at, at + pieceBytes))
  }

  /** A request as bytes, length and header included. */
  request(name: ApiName, version: number, correlationId: number, body: object, clientId: string | null = 'test'): Uint8Array {
    const api = apis[name] as unknown as Api
    beginRequest(this.#writer, api, version, correlationId, clientId)
    api.request.write(this.#writer, version, body as never)
    return joined(this.#writer.finish())
  }

  /** A request with this body, which need not be one. */
  frame(api: Api, version: number, correlationId: number, body: Uint8Array): Uint8Array {
    beginRequest(this.#writer, api, version, correlationId, null)
    this.#writer.bytes(body)
    return joined(this.#writer.finish())
  }

  /** Correlation ids of the answers that came, in order. */
  answers(): number[] {
    const ids: number[] = []
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) ids.push(new DataView(frame.buffer).getInt32(0))
    return ids
  }

  /** The next answer, which is to this request. */
  answer(name: ApiName, version: number, correlationId: number): unknown {
    const frame = this.#next()
    if (frame === undefined) return undefined
    const api = apis[name] as unknown as Api
    return api.response.read(readResponseStart(frame, api, version, correlationId), version)
  }

  #next(): Uint8Array | undefined {
    if (this.#received.length < 4) return undefined
    const end = 4 + new DataView(this.#received.buffer).getInt32(0)
    const frame = this.#received.slice(4, end)
    this.#received = this.#received.slice(end)
    return frame
  }

  #close(how: 'ended' | 'destroyed'): void {
    if (this.over !== undefined) return
    this.over = how
    // A port never tells of the end in the call that brings it.
    void Promise.resolve().then(() => this.#handlers?.onClose({ kind: 'finished' }))
  }
}

/** One port to listen at. */
export class FakeNet implements Net {
  #options: ListenOptions | undefined

  listen(_at: unknown, options: ListenOptions): ReturnType<Net['listen']> {
    this.#options = options
    return Promise.resolve({ endpoint: { host: '127.0.0.1', port: 9_092 }, close: () => Promise.resolve() })
  }

  connect(): ReturnType<Net['connect']> {
    throw new RangeError('nobody listens elsewhere')
  }

  client(): FakeClient {
    const client = new FakeClient()
    this.#options?.onConnection(client)
    return client
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
