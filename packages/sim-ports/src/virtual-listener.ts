// A listening socket of a simulated process. The kernel completes handshakes for it; the process accepts when it runs.
import type { Endpoint, ListenOptions } from '@atoll/base'
import { assert, NetError } from '@atoll/base'
import type { Scheduler } from './scheduler.ts'
import type { KernelResource, SimProcess } from './sim-process.ts'
import type { VirtualConnection } from './virtual-connection.ts'

const CONNECTIONS_MAX_DEFAULT = 16_384
/** One report of a refused connection per this many milliseconds, as on real sockets. */
const ACCEPT_ERROR_INTERVAL_MS = 1_000

export class VirtualListener implements KernelResource {
  readonly process: SimProcess
  readonly endpoint: Endpoint
  readonly #scheduler: Scheduler
  readonly #options: ListenOptions
  readonly #onClosed: () => void
  #closed = false
  #connections = 0
  #quietUntilMs = Number.NEGATIVE_INFINITY

  constructor(scheduler: Scheduler, process: SimProcess, endpoint: Endpoint, options: ListenOptions, onClosed: () => void) {
    this.#scheduler = scheduler
    this.process = process
    this.endpoint = endpoint
    this.#options = options
    this.#onClosed = onClosed
    process.resources.add(this)
  }

  /** Hands an established connection to the process, in an event of its own. */
  accept(connection: VirtualConnection): void {
    this.#scheduler.schedule(0, 'accept', this.process, () => {
      if (this.#closed) {
        connection.refuse()
        return
      }
      if (this.#connections >= (this.#options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT)) {
        connection.refuse()
        this.#report()
        return
      }
      if (connection.gone) return
      this.#connections++
      connection.onceGone(() => this.#connections--)
      this.#options.onConnection(connection)
      assert(connection.opened || connection.gone, 'an accepted connection is opened or destroyed before onConnection returns')
    })
  }

  closeByKernel(): void {
    if (this.#closed) return
    this.#closed = true
    this.process.resources.delete(this)
    this.#onClosed()
  }

  vanish(): void {
    this.closeByKernel()
  }

  wake(): void {
    // Accepting is an event of the process, and those were held.
  }

  #report(): void {
    if (this.#scheduler.nowMs < this.#quietUntilMs) return
    this.#quietUntilMs = this.#scheduler.nowMs + ACCEPT_ERROR_INTERVAL_MS
    const limit = this.#options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT
    this.#options.onAcceptError?.(new NetError('descriptors_exhausted', `${limit} connections are open, the limit; closed one more`))
  }
}
