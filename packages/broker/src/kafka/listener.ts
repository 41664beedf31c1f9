// The port that Kafka's clients connect to.
import { type Clock, type Endpoint, InvariantError, type Listener, type Logger, type Net, type Timer } from '@atoll/base'
import { servedVersions } from './api-versions-answer.ts'
import { KafkaConnection, type KafkaService } from './connection.ts'
import type { KafkaHandlers } from './handlers.ts'
import { CONNECTIONS_MAX, IDLE_MS, REQUEST_BYTES_MAX, REQUESTS_BYTES_MAX, STALLED_MS, SWEEP_MS } from './limits.ts'
import { RequestMemory } from './request-memory.ts'
import { WireWriter } from './wire-writer.ts'

export interface KafkaListenerOptions {
  readonly net: Net
  readonly clock: Clock
  readonly logger: Logger
  readonly handlers: KafkaHandlers
  /** The largest request, in bytes. Default 64 MiB. */
  readonly requestBytesMax?: number
  /** Memory for large requests of all clients together, in bytes: at least the largest of them. Default 256 MiB. */
  readonly requestsBytesMax?: number
  readonly connectionsMax?: number
  /** Silent for longer, a connection is ended, in milliseconds. Default ten minutes. */
  readonly idleMs?: number
  /** Time for a request that has begun, and for a client to take something of its answers, in milliseconds. Default 30 seconds. */
  readonly stalledMs?: number
}

export class KafkaListener {
  readonly #clock: Clock
  readonly #service: KafkaService
  readonly #connections = new Set<KafkaConnection>()
  #listener: Listener | undefined
  #accepted = 0
  #sweep: Timer | undefined
  #closing = false
  /** Called when the last connection is over. */
  #onEmpty: () => void = () => {}

  private constructor(options: KafkaListenerOptions) {
    const { requestBytesMax = REQUEST_BYTES_MAX, requestsBytesMax = REQUESTS_BYTES_MAX } = options
    this.#clock = options.clock
    this.#service = {
      clock: options.clock,
      logger: options.logger,
      handlers: options.handlers,
      memory: new RequestMemory(Math.max(requestBytesMax, requestsBytesMax)),
      writer: new WireWriter(),
      versions: servedVersions(options.handlers),
      requestBytesMax,
      idleMs: options.idleMs ?? IDLE_MS,
      stalledMs: options.stalledMs ?? STALLED_MS,
    }
  }

  /** Binds, then resolves. Rejects with a NetError. */
  static async listen(at: Endpoint, options: KafkaListenerOptions): Promise<KafkaListener> {
    const listener = new KafkaListener(options)
    listener.#listener = await options.net.listen(at, {
      connectionsMax: options.connectionsMax ?? CONNECTIONS_MAX,
      onConnection: connection => {
        if (listener.#closing) {
          connection.destroy()
          return
        }
        listener.#connections.add(
          new KafkaConnection(connection, ++listener.#accepted, listener.#service, closed => listener.#forget(closed)),
        )
        listener.#sweepLater()
      },
      onAcceptError: error =>
        options.logger.warn({ event: 'kafka_accept_failed', error: error.code }, 'could not accept a client’s connection'),
    })
    return listener
  }

  /** Where it listens, with the port that was chosen when 0 was asked for. */
  get endpoint(): Endpoint {
    if (this.#listener === undefined) throw new InvariantError('bound before it is handed out')
    return this.#listener.endpoint
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Memory that large requests may still take, in bytes. */
  get freeBytes(): number {
    return this.#service.memory.freeBytes
  }

  /** Accepts and reads nothing more, answers what was asked within `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true
    await this.#listener?.close()
    for (const connection of this.#connections) connection.finish()
    if (this.#connections.size > 0) {
      const timer = this.#clock.after(graceMs, () => {
        for (const connection of this.#connections) connection.destroy()
      })
      await new Promise<void>(resolve => {
        this.#onEmpty = resolve
      })
      timer.cancel()
    }
    this.#sweep?.cancel()
  }

  #forget(closed: KafkaConnection): void {
    this.#connections.delete(closed)
    if (this.#connections.size > 0) return
    this.#sweep?.cancel()
    this.#sweep = undefined
    this.#onEmpty()
  }

  /** No timer for each connection, and none at all while there are none. */
  #sweepLater(): void {
    this.#sweep ??= this.#clock.after(Math.min(SWEEP_MS, this.#service.stalledMs), () => {
      this.#sweep = undefined
      const nowMs = this.#clock.monotonicMs()
      for (const connection of this.#connections) connection.check(nowMs)
      if (this.#connections.size > 0) this.#sweepLater()
    })
  }
}
