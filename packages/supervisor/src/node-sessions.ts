// The supervisor's connections to its nodes: one per process, made when first needed, over the port that any client of
// the node would use. An answer here is proof that the node works, which a pid is not.
import { nodeId } from '@atoll/base'
import { type NativeEndpoint, ProtocolError, type RequestOf, type ResponseOf, type Rpc, type Session } from '@atoll/protocol'
import type { NodeProcess } from './node-process.ts'

export class NodeSessions {
  readonly #endpoint: NativeEndpoint
  readonly #sessions = new Map<number, Promise<Session>>()

  constructor(endpoint: NativeEndpoint) {
    this.#endpoint = endpoint
  }

  /** Asks a node that has a process. Rejects with a ProtocolError when it does not answer within `timeoutMs`. */
  async ask<M extends Rpc>(node: NodeProcess, message: M, request: RequestOf<M>, timeoutMs: number): Promise<ResponseOf<M>> {
    const native = node.endpoints.find(({ protocol }) => protocol === 'native')
    const pid = node.pid
    if (native === undefined || pid === undefined || !node.isBound)
      throw new ProtocolError('not_connected', `${node.plan.name} does not listen yet`)
    const startedMs = performance.now()
    const session = await this.#session(pid, () =>
      this.#endpoint.call({ host: native.host, port: native.port }, nodeId(node.plan.name), { timeoutMs }),
    )
    return session.request(message, request, { timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedMs)) })
  }

  /** The process is gone, and with it the connection. */
  forget(pid: number): void {
    this.#sessions.delete(pid)
  }

  #session(pid: number, call: () => Promise<Session>): Promise<Session> {
    const known = this.#sessions.get(pid)
    if (known !== undefined) return known
    const drop = (): void => {
      if (this.#sessions.get(pid) === made) this.#sessions.delete(pid)
    }
    const made = call()
    this.#sessions.set(pid, made)
    made.then(session => session.closed.then(drop), drop)
    return made
  }
}
