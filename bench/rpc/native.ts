// The native protocol under the same load: endpoint, hello, tables, deadlines, and link faults enabled as by default.
import { clusterId, type Incarnation, nodeId, silentLogger } from '@atoll/base'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import { bytes, conversation, FRAME_BYTES_MAX, field, HandlerTable, NativeEndpoint, rpc, str } from '@atoll/protocol'

const echo = rpc({
  key: 0x7f01,
  name: 'echo',
  doc: 'Answers with the value it was sent.',
  idempotent: true,
  request: { key: field(str({ max: 64 }), 'A key.'), value: field(bytes({ max: 1024 }), 'A value.') },
  response: { value: field(bytes({ max: 1024 }), 'The same value.') },
  errors: [],
})
const echoConversation = conversation({ name: 'echo', doc: 'The benchmark.', keys: 0x7f, messages: { echo } })

async function endpointOf(name: 'caller' | 'server', handlers: HandlerTable): Promise<NativeEndpoint> {
  const clock = createClock()
  const { net } = createNet({ self: nodeId(name), faults: true, clock, random: systemRandom() })
  const identity = {
    cluster: clusterId('bench'),
    node: nodeId(name),
    role: 'client',
    incarnation: () => 0 as Incarnation,
    secret: new Uint8Array(32).fill(7),
    frameBytesMax: FRAME_BYTES_MAX,
  }
  return new NativeEndpoint(identity, handlers, { net, clock, compute: await createCompute(), log: silentLogger })
}

/** Answers every request with its own value. Resolves with the port. */
export async function serveNative(): Promise<number> {
  const handlers = new HandlerTable().serve(echoConversation, { echo: ({ value }) => ({ value }) })
  const endpoint = await endpointOf('server', handlers)
  const listener = await endpoint.listen({ host: '127.0.0.1', port: 0 })
  return 'port' in listener.endpoint ? listener.endpoint.port : Number.NaN
}

/** Connects; the answered function sends a request. */
export async function callNative(port: number): Promise<(key: string, value: Uint8Array) => Promise<unknown>> {
  const endpoint = await endpointOf('caller', new HandlerTable())
  const session = await endpoint.call({ host: '127.0.0.1', port }, nodeId('server'), { timeoutMs: 2_000 })
  return (key, value) => session.request(echo, { key, value })
}
