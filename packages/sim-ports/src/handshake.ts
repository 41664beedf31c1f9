// One attempt to connect. The request travels to the machine, whose kernel answers whether its process runs or not; a
// cut link and a machine without power answer nothing, so the attempt hangs until its deadline or until that changes.
import type { Connection, ConnectOptions, Endpoint, NodeId } from '@atoll/base'
import { formatEndpoint, holdMs, NetError } from '@atoll/base'
import type { Machine } from './machine.ts'
import type { Wire } from './pipe.ts'
import type { SimEvent } from './scheduler.ts'
import type { SimProcess } from './sim-process.ts'
import { VirtualConnection } from './virtual-connection.ts'

export interface HandshakeOptions {
  readonly wire: Wire
  readonly process: SimProcess
  readonly self: NodeId
  readonly from: Machine
  readonly to: Endpoint
  /** The machine that has the address; undefined when none does. */
  readonly target: Machine | undefined
  readonly connect: ConnectOptions
  /** Keeps the attempt for `retry`, which the net calls when rules or power change. */
  readonly stall: (attempt: Handshake) => void
  readonly unstall: (attempt: Handshake) => void
  /** Counts an established side as one that rules apply to. */
  readonly track: (connection: VirtualConnection) => void
  readonly resolve: (connection: Connection) => void
  readonly reject: (error: NetError) => void
}

export class Handshake {
  readonly #options: HandshakeOptions
  readonly #timeout: SimEvent
  readonly #onAbort = (): void => this.#fail('aborted', 'gave up connecting to', this.#options.connect.signal?.reason)
  #settled = false
  /** This side, once the other machine has answered. */
  #client: VirtualConnection | undefined
  /** The next step, when a cut or a lack of power stopped the attempt. */
  #stalledStep = (): void => {}

  constructor(options: HandshakeOptions) {
    this.#options = options
    const { connect, process, wire } = options
    this.#timeout = wire.scheduler.schedule(connect.timeoutMs, 'connect_timeout', process, () => this.#fail('timed_out', 'no answer from'))
    connect.signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#travel('syn', undefined, this.#peer, () => this.#requestArrives())
  }

  retry(): void {
    this.#stalledStep()
  }

  /** Who is believed to be there, for the link rules. */
  get #peer(): NodeId | undefined {
    const { target, to, connect } = this.#options
    return target?.lastOwnerAt(to) ?? connect.peer
  }

  #requestArrives(): void {
    if (this.#over || this.#stalls(() => this.#requestArrives())) return
    const { target, to } = this.#options
    const listener = target?.listenerAt(to)
    if (listener === undefined) {
      this.#travel('refused', this.#options.process, undefined, () => this.#refusalArrives())
      return
    }
    const { wire, process, self, from } = this.#options
    const peer = this.#peer as NodeId
    const side = (owner: SimProcess, mine: NodeId, other: NodeId, machine: Machine, remote: string): VirtualConnection =>
      new VirtualConnection({ wire, process: owner, self: mine, peer: other, remote, machineIsUp: () => machine.up })
    const client = side(process, self, peer, from, formatEndpoint(to))
    const origin = 'path' in to ? 'unnamed' : formatEndpoint({ host: from.address, port: from.freePort() })
    const server = side(listener.process, peer, self, target as Machine, origin)
    VirtualConnection.join(client, server)
    this.#client = client
    this.#options.track(client)
    this.#options.track(server)
    listener.accept(server)
    this.#travel('connected', process, peer, () => this.#establish(client))
  }

  #refusalArrives(): void {
    if (this.#over || this.#stalls(() => this.#requestArrives())) return
    this.#fail('refused', 'nobody listens at')
  }

  #establish(client: VirtualConnection): void {
    if (this.#over || this.#stalls(() => this.#establish(client))) return
    this.#settle()
    this.#options.resolve(client)
  }

  get #over(): boolean {
    return this.#settled || this.#options.process.state === 'dead'
  }

  /** True when nothing passes between the two now; `step` is then done when something does. */
  #stalls(step: () => void): boolean {
    const { target, wire, self, stall } = this.#options
    const peer = this.#peer
    const passes = target?.up === true && !(peer !== undefined && wire.rules.isCut(self, peer))
    if (passes) return false
    this.#stalledStep = step
    stall(this)
    return true
  }

  #travel(kind: 'syn' | 'refused' | 'connected', owner: SimProcess | undefined, peer: NodeId | undefined, arrive: () => void): void {
    const { scheduler, random, rules, settings } = this.#options.wire
    const { self } = this.#options
    const latencyMs = settings.latencyMsMin + random.float() * (settings.latencyMsMax - settings.latencyMsMin)
    const fault = peer === undefined ? undefined : kind === 'syn' ? rules.fault(self, peer) : rules.fault(peer, self)
    scheduler.schedule(latencyMs + holdMs(fault, random.float()), kind, owner, arrive)
  }

  #fail(code: 'refused' | 'timed_out' | 'aborted', what: string, cause?: unknown): void {
    if (this.#settled) return
    this.#settle()
    this.#client?.closeByKernel()
    this.#options.reject(new NetError(code, `${what} ${formatEndpoint(this.#options.to)}`, { cause }))
  }

  #settle(): void {
    this.#settled = true
    this.#options.unstall(this)
    this.#options.wire.scheduler.cancel(this.#timeout)
    this.#options.connect.signal?.removeEventListener('abort', this.#onAbort)
  }
}
