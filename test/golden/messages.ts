// The bytes of every message, as text: three samples of each part in a frame of its own, then the frames without a
// table, then a whole hello. `messages.test.ts` compares it with the file beside it; only `npx cluster --run golden`
// writes that file, after somebody decided that the bytes may change.
import { join } from 'node:path'
import { type Connection, clusterId, type Incarnation, nodeId, sleep } from '@atoll/base'
import { conversations, FrameCodec, flag, type Message, ProtocolError } from '@atoll/protocol'
import { createSimHashes, createSimulation, type SimHashes, type SimPorts } from '@atoll/sim-ports'
import { errorBody } from '../../packages/protocol/src/error-body.ts'
import {
  acceptIntroduction,
  type HandshakeEnvironment,
  introduceOurselves,
  PROTOCOL_VERSION_MAX,
} from '../../packages/protocol/src/handshake.ts'
import { codecsOf } from '../../packages/protocol/src/table.ts'

/** Where the bytes of a protocol version are kept. A version that was released keeps its file for good. */
export const goldenFile = join(import.meta.dirname, `version-${PROTOCOL_VERSION_MAX}.txt`)

const SAMPLES = 3
const SAMPLE_BYTES_MAX = 1_000
const DEADLINE_MS = 5_000
const CORRELATION_ID = 0x01020304
const ROW_BYTES = 32
const FLAGS: Readonly<Record<string, number>> = {
  request: flag.request,
  response: flag.response,
  item: flag.streamItem,
  message: flag.oneWay,
}

/** Rows of bytes with their offsets, so that a changed byte is one changed row. */
function rowsOf(bytes: Uint8Array): string[] {
  const rows: string[] = []
  for (let at = 0; at < bytes.byteLength; at += ROW_BYTES)
    rows.push(`  ${at.toString(16).padStart(4, '0')}  ${Buffer.from(bytes.subarray(at, at + ROW_BYTES)).toString('hex')}`)
  return rows
}

interface Sample {
  readonly title: string
  readonly bytes: Uint8Array
}

function samplesOf(codec: FrameCodec, message: Message): Sample[] {
  return codecsOf(message).flatMap(([part, fields]) => {
    const samples: Sample[] = []
    for (let seed = 1; samples.length < SAMPLES; seed++) {
      const body = fields.toWire(fields.sample(seed), PROTOCOL_VERSION_MAX, part === 'request' ? [DEADLINE_MS] : [])
      const bytes = encode(codec, FLAGS[part] as number, message.key, body)
      const empty = Object.keys(fields.sample(seed)).length === 0
      if (bytes.byteLength <= SAMPLE_BYTES_MAX) samples.push({ title: `${message.name} ${part}, sample ${seed}`, bytes })
      if (empty) break
    }
    return samples
  })
}

function encode(codec: FrameCodec, flags: number, key: number, body: readonly unknown[], attachment = new Uint8Array(0)): Uint8Array {
  const head = codec.encodeHead(flags, key, flags === flag.oneWay ? 0 : CORRELATION_ID, body, attachment)
  return Uint8Array.from([...head, ...attachment])
}

function bareFrames(codec: FrameCodec): Sample[] {
  const key = 0x7fff
  const error = errorBody(new ProtocolError('wrong_state', 'paused'))
  return [
    { title: 'error response', bytes: encode(codec, flag.response | flag.error, key, error) },
    { title: 'stream end', bytes: encode(codec, flag.streamEnd, key, []) },
    { title: 'stream end with error', bytes: encode(codec, flag.streamEnd | flag.error, key, error) },
    { title: 'cancel', bytes: encode(codec, flag.cancel, key, []) },
    { title: 'credit', bytes: encode(codec, flag.credit, key, [131_072]) },
    { title: 'response with attachment', bytes: encode(codec, flag.response, key, [true], Uint8Array.from([1, 2, 3, 4, 5])) },
  ]
}

/** All that a caller and an acceptor say, with challenges of one repeated byte and a fixed secret. */
async function helloExchange(hashes: SimHashes): Promise<Sample[]> {
  const said: Sample[] = []
  const simulation = createSimulation({ seed: 1, hashes })
  const at = { host: '127.0.0.1', port: 7201 }
  const identity = (name: string) => ({
    cluster: clusterId('golden'),
    node: nodeId(name),
    role: 'coordinator',
    incarnation: () => 5 as Incarnation,
    secret: new Uint8Array(32).fill(0x33),
    frameBytesMax: 1_000_000,
  })
  const env = ({ clock, compute }: SimPorts, nonce: number): HandshakeEnvironment => ({
    clock,
    compute: { ...compute, secureBytes: length => new Uint8Array(length).fill(nonce) },
    codec: new FrameCodec(compute),
  })
  let done = 0
  simulation.addNode(nodeId('acceptor')).start(async ports => {
    const accept = (connection: Connection): void =>
      void acceptIntroduction(recorded(connection, 'acceptor', said), identity('acceptor'), env(ports, 0x22)).then(() => done++)
    await ports.net.listen(at, { onConnection: accept })
  })
  simulation.addNode(nodeId('caller')).start(async ports => {
    await sleep(ports.clock, 1)
    const connection = recorded(await ports.net.connect(at, { timeoutMs: 100 }), 'caller', said)
    await introduceOurselves(connection, identity('caller'), nodeId('acceptor'), env(ports, 0x11))
    done++
  })
  await simulation.run({ until: () => done === 2, untilMs: 1_000 })
  return said
}

/** The connection itself, but what is written to it is kept. */
function recorded(connection: Connection, who: string, said: Sample[]): Connection {
  const write = connection.write.bind(connection)
  connection.write = bytes => {
    said.push({ title: `hello exchange, ${said.length + 1}: ${who}`, bytes: bytes.slice() })
    return write(bytes)
  }
  return connection
}

/** The text of the golden file, as the code is now. */
export async function goldenText(): Promise<string> {
  const hashes = await createSimHashes()
  const codec = new FrameCodec({ ...hashes, secureBytes: length => new Uint8Array(length) })
  const messages = conversations.flatMap(conversation => Object.values(conversation.messages))
  const samples = [...messages.flatMap(message => samplesOf(codec, message)), ...bareFrames(codec), ...(await helloExchange(hashes))]
  return `${samples.flatMap(({ title, bytes }) => [title, ...rowsOf(bytes)]).join('\n')}\n`
}
