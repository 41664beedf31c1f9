// A simulated machine: one address besides loopback, ports, socket paths, power. Its kernel outlives its processes.
import type { Endpoint, NodeId } from '@atoll/base'
import { NetError } from '@atoll/base'
import type { VirtualListener } from './virtual-listener.ts'

const EPHEMERAL_PORT_MIN = 32_768
const PORT_MAX = 65_535
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1'])
const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

export class Machine {
  readonly address: string
  up = true
  /** Who accepts, by port or path; several when they are bound to different addresses. */
  readonly #listeners = new Map<string, VirtualListener[]>()
  /** Who listened there last: a link rule names nodes, also when nobody answers any more. */
  readonly #lastOwners = new Map<string, NodeId>()
  #nextPort = EPHEMERAL_PORT_MIN

  constructor(address: string) {
    this.address = address
  }

  static isLoopback(host: string): boolean {
    return LOOPBACK.has(host)
  }

  /** The Net port takes literal addresses only: this one has no resolver either. */
  static isLiteral(host: string): boolean {
    return /^\d+(\.\d+){3}$|:/.test(host)
  }

  /** A port nobody listens on. */
  freePort(): number {
    do this.#nextPort = this.#nextPort === PORT_MAX ? EPHEMERAL_PORT_MIN : this.#nextPort + 1
    while (this.#listeners.has(String(this.#nextPort)))
    return this.#nextPort
  }

  /** Throws a NetError when `endpoint` is not this machine's or is taken. */
  checkFree(endpoint: Endpoint): void {
    if ('host' in endpoint && !this.#isOwn(endpoint.host)) {
      throw new NetError('address_not_available', `${endpoint.host} is not an address of machine ${this.address}`)
    }
    const taken = this.#listeners.get(slot(endpoint))?.some(({ endpoint: bound }) => overlap(bound, endpoint)) === true
    if (taken) throw new NetError('address_in_use', 'somebody listens there already')
  }

  add(listener: VirtualListener, owner: NodeId): void {
    const key = slot(listener.endpoint)
    this.#listeners.set(key, [...(this.#listeners.get(key) ?? []), listener])
    this.#lastOwners.set(key, owner)
  }

  remove(listener: VirtualListener): void {
    const key = slot(listener.endpoint)
    const left = (this.#listeners.get(key) ?? []).filter(other => other !== listener)
    if (left.length === 0) this.#listeners.delete(key)
    else this.#listeners.set(key, left)
  }

  listenerAt(endpoint: Endpoint): VirtualListener | undefined {
    return this.#listeners.get(slot(endpoint))?.find(({ endpoint: bound }) => overlap(bound, endpoint))
  }

  lastOwnerAt(endpoint: Endpoint): NodeId | undefined {
    return this.#lastOwners.get(slot(endpoint))
  }

  #isOwn(host: string): boolean {
    return host === this.address || LOOPBACK.has(host) || ANY.has(host)
  }
}

function slot(endpoint: Endpoint): string {
  return 'path' in endpoint ? endpoint.path : String(endpoint.port)
}

function overlap(a: Endpoint, b: Endpoint): boolean {
  if ('path' in a || 'path' in b) return true
  return a.host === b.host || ANY.has(a.host) || ANY.has(b.host)
}
