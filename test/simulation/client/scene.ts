// Coordinators that agree without Raft: three processes on simulated ports share one replicated state, and the test says who
// leads, whose answers get lost and who dies when. So the moments that matter to a client can be brought about exactly.
import { type ClusterId, type Endpoint, type Incarnation, type NodeId, nodeId, present, silentLogger } from '@atoll/base'
import { Client, type ClientOptions } from '@atoll/client/core'
import {
  coordinatorStatus,
  HandlerTable,
  kvDelete,
  kvGet,
  kvPut,
  kvTransaction,
  kvWatch,
  leaseGrant,
  leaseKeepAlive,
  leaseRevoke,
  type Message,
  NativeEndpoint,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
  type Rpc,
  sessionOpen,
} from '@atoll/protocol'
import { createSimHashes, createSimulation, type SimNode } from '@atoll/sim-ports'
import { type Command, CoordinatorState, entryOf } from '../../../packages/coordinator/src/core/index.ts'

const hashes = await createSimHashes()
const SECRET = new Uint8Array(32).fill(7)

export class ClientScene {
  readonly simulation = createSimulation({ seed: 1, hashes })
  readonly names = ['coordinator-1', 'coordinator-2', 'coordinator-3'].map(nodeId)
  state = new CoordinatorState()
  cluster = 'test' as ClusterId
  /** Commands that took effect. */
  readonly applied: Command[] = []
  /** How many leases each request to keep some alive was for. */
  readonly keepAlives: number[] = []
  leader: NodeId | undefined = this.names[0]
  term = 1
  /** How many answers of changes are lost from here on, and the connection with them. */
  answersToLose = 0
  #index = 0
  #clients = 0

  constructor() {
    for (const name of this.names) {
      this.simulation.addNode(name)
      this.start(name)
    }
  }

  at(index: number): Endpoint {
    return { host: '127.0.0.1', port: 7_201 + index }
  }

  machine(name: NodeId): SimNode {
    return present(this.simulation.nodes.get(name), `machine ${name}`)
  }

  /** Sessions that were opened. */
  get opened(): number {
    return this.applied.filter(({ kind }) => kind === 'session_open').length
  }

  elect(name: NodeId | undefined): void {
    this.leader = name
    this.term++
  }

  /** What another client asks. */
  ask(command: Command): void {
    this.#apply(command)
  }

  /** Everything that is known of a session is over. */
  expire(lease: number): void {
    this.state.apply({ kind: 'lease_expire', leases: [lease as never] }, ++this.#index)
  }

  /** Everything is deleted, and another cluster started in its place. */
  replace(): void {
    for (const name of this.names) this.machine(name).crash()
    this.state = new CoordinatorState()
    this.cluster = 'another' as ClusterId
    this.leader = this.names[0]
    this.term = 1
    this.#index = 0
    this.applied.length = 0
    for (const name of this.names) this.start(name)
  }

  start(name: NodeId): void {
    this.machine(name).start(async ports => {
      const identity = {
        cluster: this.cluster,
        node: name,
        role: 'coordinator',
        incarnation: () => 1 as Incarnation,
        secret: SECRET,
        frameBytesMax: 2 ** 24,
      }
      const table = new HandlerTable()
      const serve = <M extends Rpc>(message: M, handle: (request: RequestOf<M>) => ResponseOf<M>): void => {
        table.serve({ name: 'scene', doc: '', messages: { [message.name]: message as Message } }, {
          [message.name]: (request: RequestOf<M>, context: { peer: { node: NodeId } }) => {
            if (message.key !== coordinatorStatus.key && this.leader !== name)
              throw new ProtocolError(this.leader === undefined ? 'no_leader' : 'not_leader', `${this.leader} leads`)
            const answer = handle(request)
            if ('sequence' in (request as object) && this.answersToLose > 0) {
              this.answersToLose--
              for (const session of endpoint.sessions)
                if (session.peer.node === context.peer.node) session.destroy(new ProtocolError('connection_lost', 'the test cut it'))
            }
            return answer
          },
        } as never)
      }
      const change = (kind: Command['kind']) => (request: object) => this.#apply({ kind, ...request } as Command) as never
      serve(kvPut, change('put'))
      serve(kvDelete, change('delete'))
      serve(kvTransaction, change('transaction'))
      serve(sessionOpen, change('session_open'))
      serve(leaseRevoke, change('lease_revoke'))
      serve(kvGet, ({ key }) => {
        const version = this.state.store.get(key)
        return { revision: this.state.store.revision, entry: version && entryOf(key, version) }
      })
      serve(leaseGrant, change('lease_grant'))
      serve(leaseKeepAlive, ({ leases }) => {
        this.keepAlives.push(leases.length)
        return { ttlMs: leases.map(lease => this.state.leases.get(lease)?.ttlMs ?? 0) }
      })
      serve(coordinatorStatus, () => this.#status(name))
      // A watch that begins, and to which nothing happens.
      table.serve(
        { name: 'watches', doc: '', messages: { kvWatch } },
        {
          kvWatch: async (_request, { signal }, sink) => {
            await sink.send({ events: [], throughRevision: this.state.store.revision, complete: true })
            await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
          },
        },
      )
      const endpoint = new NativeEndpoint(identity, table, { ...ports, log: silentLogger })
      await endpoint.listen(this.at(this.names.indexOf(name)))
    })
  }

  /** Runs `act` with a client on a machine of its own, and answers what it comes to within two virtual minutes. */
  async withClient<T>(
    act: (client: Client) => Promise<T>,
    options: Partial<ClientOptions> & { seeds?: number[]; secret?: Uint8Array } = {},
  ): Promise<T> {
    const name = nodeId(`client-${++this.#clients}`)
    const { seeds = [0, 1, 2], secret = SECRET, ...rest } = options
    let outcome: { readonly value: T } | undefined
    this.simulation.addNode(name).start(async ports => {
      const addresses = seeds.map(index => this.at(index))
      const client = new Client(ports, { name, ...rest }, async () => ({ clusterId: this.cluster, secret, seeds: addresses }))
      outcome = { value: await act(client) }
    })
    await this.simulation.run({ until: () => outcome !== undefined, untilMs: this.simulation.nowMs + 120_000 })
    return present(outcome, 'an outcome within two minutes').value
  }

  #apply(command: Command): unknown {
    const { answer, repeated } = this.state.apply(command, ++this.#index)
    if (!answer.ok) throw new ProtocolError(answer.code, answer.message)
    if (!repeated) this.applied.push(command)
    return answer.value
  }

  #status(name: NodeId): ResponseOf<typeof coordinatorStatus> {
    const { store, digest } = this.state
    const { revision, compactRevision } = store
    const members = this.names.map(node => ({ node, disk: 'd', voter: true, match: 0 }))
    const sizes = { keys: 0, liveBytes: 0, historyBytes: 0, leases: 0, sessions: 0, watches: 0 }
    const indexes = { commitIndex: this.#index, appliedIndex: this.#index }
    return {
      node: name,
      leader: this.leader,
      term: this.term,
      ...indexes,
      revision,
      compactRevision,
      digest: digest.text,
      ...sizes,
      members,
    }
  }
}
