// The simulated network: its machines, the connections between them, and the link rules over all of it.
import type { Connection, ConnectOptions, Endpoint, LinkRule, Listener, ListenOptions, Net, NodeId, Random } from '@atoll/base'
import { formatEndpoint, NetError } from '@atoll/base'
import { Handshake } from './handshake.ts'
import { LinkRules } from './link-rules.ts'
import { Machine } from './machine.ts'
import type { Wire, WireSettings } from './pipe.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimProcess } from './sim-process.ts'
import type { VirtualConnection } from './virtual-connection.ts'
import { VirtualListener } from './virtual-listener.ts'

export class VirtualNet {
  readonly #wire: Wire
  readonly #machines = new Map<string, Machine>()
  /** Sides that are not over yet. */
  readonly #connections = new Set<VirtualConnection>()
  readonly #stalled = new Set<Handshake>()

  constructor(scheduler: Scheduler, random: Random, settings: WireSettings) {
    this.#wire = { scheduler, random, settings, rules: new LinkRules() }
  }

  machine(address: string): Machine {
    let machine = this.#machines.get(address)
    if (machine === undefined) {
      machine = new Machine(address)
      this.#machines.set(address, machine)
    }
    return machine
  }

  setRules(rules: readonly LinkRule[]): void {
    this.#wire.scheduler.note('rules', undefined, new TextEncoder().encode(JSON.stringify(rules)))
    this.#wire.rules.replace(rules)
    this.#applyLinks()
  }

  setPower(machine: Machine, up: boolean): void {
    machine.up = up
    this.#applyLinks()
  }

  /** The port of one process. */
  portOf(process: SimProcess, self: NodeId, machine: Machine): Net {
    return {
      listen: (at, options) => this.#listen(process, self, machine, at, options),
      connect: (to, options) => this.#connect(process, self, machine, to, options),
    }
  }

  #applyLinks(): void {
    for (const connection of this.#connections) connection.applyLinks()
    // One that stalls again comes back into the set.
    const stalled = [...this.#stalled]
    this.#stalled.clear()
    for (const attempt of stalled) attempt.retry()
  }

  #listen(process: SimProcess, self: NodeId, machine: Machine, at: Endpoint, options: ListenOptions): Promise<Listener> {
    const { scheduler } = this.#wire
    return new Promise((resolve, reject) => {
      if (!scheduler.permits(process, 'net.listen')) return
      scheduler.schedule(0, 'listening', process, () => {
        const endpoint = 'host' in at && at.port === 0 ? { host: at.host, port: machine.freePort() } : at
        try {
          machine.checkFree(endpoint)
        } catch (error) {
          reject(error as NetError)
          return
        }
        const listener = new VirtualListener(scheduler, process, endpoint, options, () => machine.remove(listener))
        machine.add(listener, self)
        resolve({ endpoint, close: () => this.#close(process, listener) })
      })
    })
  }

  #close(process: SimProcess, listener: VirtualListener): Promise<void> {
    const { scheduler } = this.#wire
    return new Promise(resolve => {
      if (!scheduler.permits(process, 'listener.close')) return
      listener.closeByKernel()
      scheduler.schedule(0, 'listener_closed', process, resolve)
    })
  }

  #connect(process: SimProcess, self: NodeId, from: Machine, to: Endpoint, connect: ConnectOptions): Promise<Connection> {
    return new Promise((resolve, reject) => {
      if (!this.#wire.scheduler.permits(process, 'net.connect')) return
      if (connect.signal?.aborted === true) {
        reject(new NetError('aborted', `gave up connecting to ${formatEndpoint(to)}`, { cause: connect.signal.reason }))
        return
      }
      if ('host' in to && !Machine.isLiteral(to.host)) {
        reject(new NetError('address_not_available', `not an IP address: ${to.host}`))
        return
      }
      const target = 'path' in to || Machine.isLoopback(to.host) ? from : this.#machines.get(to.host)
      const stall = (attempt: Handshake): void => void this.#stalled.add(attempt)
      const unstall = (attempt: Handshake): void => void this.#stalled.delete(attempt)
      const track = (connection: VirtualConnection): void => {
        this.#connections.add(connection)
        connection.onceGone(() => this.#connections.delete(connection))
      }
      new Handshake({ wire: this.#wire, process, self, from, to, target, connect, stall, unstall, track, resolve, reject })
    })
  }
}
