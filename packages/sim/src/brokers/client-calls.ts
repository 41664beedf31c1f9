// A client's connections: one to each node it asks, made when it is asked and made anew when it broke.
import { type Incarnation, type NodeId, silentLogger } from '@atoll/base'
import { HandlerTable, NativeEndpoint, type RequestOf, type ResponseOf, type Rpc, type Session } from '@atoll/protocol'
import type { SimPorts } from '@atoll/sim-ports'
import type { SimCluster } from '../sim-cluster.ts'

const CONNECT_MS = 500
const FRAME_BYTES_MAX = 1 << 25

export class ClientCalls {
  readonly #cluster: SimCluster
  readonly #endpoint: NativeEndpoint
  readonly #sessions = new Map<NodeId, Session>()

  constructor(cluster: SimCluster, name: NodeId, ports: SimPorts) {
    const { clusterId, secret } = cluster.whereabouts()
    const incarnation = () => 0 as Incarnation
    const identity = { cluster: clusterId, node: name, role: 'client', incarnation, secret, frameBytesMax: FRAME_BYTES_MAX }
    this.#cluster = cluster
    this.#endpoint = new NativeEndpoint(identity, new HandlerTable(), { ...ports, log: silentLogger })
  }

  /** Rejects with a ProtocolError. */
  async ask<M extends Rpc>(node: NodeId, message: M, request: RequestOf<M>, timeoutMs: number): Promise<ResponseOf<M>> {
    const known = this.#sessions.get(node)
    const session = known?.isOpen === true ? known : await this.#connect(node)
    try {
      return await session.request(message, request, { timeoutMs })
    } catch (error) {
      // It may be another process's by now, or nobody's.
      if ((error as { readonly code?: string }).code === 'request_timed_out') session.end()
      throw error
    }
  }

  async #connect(node: NodeId): Promise<Session> {
    const to = { host: '127.0.0.1', port: this.#cluster.portOf(node) }
    const session = await this.#endpoint.call(to, node, { timeoutMs: CONNECT_MS })
    this.#sessions.set(node, session)
    return session
  }
}
