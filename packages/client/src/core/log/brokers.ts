// The brokers and the one connection to each. Where they are is in their registrations, which are asked for when one is not
// known or cannot be reached.
import type { Clock, Endpoint, NodeId } from '@atoll/base'
import { memberList, type NativeEndpoint, ProtocolError, type Session } from '@atoll/protocol'
import { AtollError } from '../atoll-error.ts'
import type { Requests } from '../requests.ts'
import { BROKER_CALL_MS, BROKER_CONNECT_MS, BROKERS_ASKED_MS } from './limits.ts'

export interface BrokersOptions {
  readonly clock: Clock
  readonly requests: Requests
  /** What connections are made with; there once the cluster was found. */
  readonly endpoint: () => NativeEndpoint | undefined
}

export class Brokers {
  readonly #options: BrokersOptions
  readonly #addresses = new Map<string, Endpoint>()
  readonly #sessions = new Map<string, Session>()
  readonly #connecting = new Map<string, Promise<Session>>()
  #asked: Promise<void> | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY
  /** Those whose address did not work since it was asked for. */
  readonly #doubted = new Set<string>()

  constructor(options: BrokersOptions) {
    this.#options = options
  }

  /** The connection to that broker, when there is one. */
  open(node: NodeId): Session | undefined {
    const session = this.#sessions.get(node)
    return session?.isOpen === true ? session : undefined
  }

  /** The connection to that broker, made if need be. Rejects with a ProtocolError. */
  connect(node: NodeId): Promise<Session> {
    const session = this.open(node)
    if (session !== undefined) return Promise.resolve(session)
    const before = this.#connecting.get(node)
    if (before !== undefined) return before
    const connecting = this.#connect(node).finally(() => this.#connecting.delete(node))
    this.#connecting.set(node, connecting)
    return connecting
  }

  /** It did not answer in time: that connection may hang for ever, and its address may be another’s by now. */
  doubt(node: NodeId): void {
    const session = this.#sessions.get(node)
    this.#sessions.delete(node)
    this.#doubted.add(node)
    session?.end()
  }

  /** Any broker that can be reached. Rejects with a ProtocolError. */
  async any(): Promise<Session> {
    for (const session of this.#sessions.values()) if (session.isOpen) return session
    await this.#ask()
    let trouble = new ProtocolError('not_connected', 'no broker is registered')
    for (const node of this.#addresses.keys()) {
      try {
        return await this.connect(node as NodeId)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        trouble = error
      }
    }
    throw trouble
  }

  /** The brokers that are registered, by name. Rejects with a ProtocolError. */
  async names(): Promise<readonly NodeId[]> {
    this.#askedAtMs = Number.NEGATIVE_INFINITY
    await this.#ask()
    return [...this.#addresses.keys()].toSorted() as NodeId[]
  }

  close(): void {
    for (const session of this.#sessions.values()) session.end()
    this.#sessions.clear()
  }

  async #connect(node: NodeId): Promise<Session> {
    if (!this.#addresses.has(node) || this.#doubted.has(node)) await this.#ask()
    const address = this.#addresses.get(node)
    const endpoint = this.#options.endpoint()
    if (address === undefined || endpoint === undefined) throw new ProtocolError('not_connected', `${node} is not registered`)
    try {
      const session = await endpoint.call(address, node, { timeoutMs: BROKER_CONNECT_MS })
      this.#sessions.set(node, session)
      void session.closed.then(() => {
        if (this.#sessions.get(node) === session) this.#sessions.delete(node)
      })
      return session
    } catch (error) {
      this.#doubted.add(node)
      throw error
    }
  }

  /** One question for all who want to know, and not too often. */
  async #ask(): Promise<void> {
    if (this.#asked === undefined && this.#options.clock.monotonicMs() - this.#askedAtMs < BROKERS_ASKED_MS) return
    this.#asked ??= this.#askNow().finally(() => {
      this.#asked = undefined
      this.#askedAtMs = this.#options.clock.monotonicMs()
    })
    await this.#asked
  }

  async #askNow(): Promise<void> {
    try {
      const { members } = await this.#options.requests.read(memberList, { consistency: 'linearizable' }, { timeoutMs: BROKER_CALL_MS })
      this.#addresses.clear()
      this.#doubted.clear()
      for (const { name, role, state, endpoints } of members) {
        const native = endpoints.find(({ protocol }) => protocol === 'native')
        if (role === 'broker' && state === 'active' && native !== undefined)
          this.#addresses.set(name, { host: native.host, port: native.port })
      }
    } catch (error) {
      // For whoever wanted a connection it is the same: try again.
      if (error instanceof AtollError) throw new ProtocolError(error.code, error.message, { cause: error })
      throw error
    }
  }
}
