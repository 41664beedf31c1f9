// Feeds hostile bytes to the protocol and watches: the frame reader and the tables, an acceptor and a caller in their
// hello, and a live session with requests and streams of its own. Whatever happens must be a typed error, a close or
// nothing, with no more frames delivered than were sealed, and little memory and time spent.
import { type Compute, clusterId, type Incarnation, InvariantError, nodeId, seededRandom, silentLogger } from '@atoll/base'
import {
  conversation,
  conversations,
  Deadlines,
  FRAME_BYTES_MAX,
  type Frame,
  FrameCodec,
  FrameReader,
  field,
  flag,
  HandlerTable,
  hello,
  ProtocolError,
  prove,
  u32,
} from '@atoll/protocol'
import { Channel } from '../../packages/protocol/src/channel.ts'
import { FakeClock, FakeConnection, xxhash32 } from '../../packages/protocol/src/fakes.ts'
import { acceptIntroduction, introduceOurselves } from '../../packages/protocol/src/handshake.ts'
import { FRAME_BYTES_MAX_BEFORE_HELLO, OUTBOX_BLOCK_BYTES_MAX } from '../../packages/protocol/src/limits.ts'
import { Session } from '../../packages/protocol/src/session.ts'
import { codecsOf, type Message, type Rpc, stream } from '../../packages/protocol/src/table.ts'
import { HostileBytes } from './protocol-bytes.ts'

const feed = stream({
  key: 0x7e01,
  name: 'feed',
  doc: 'A stream, so that there is one.',
  request: { from: field(u32(), 'Where it begins.') },
  item: { n: field(u32(), 'A number.') },
  itemAttachment: { max: 1_000, doc: 'Bytes.' },
  errors: [],
})
const feedConversation = conversation({ name: 'feed', doc: 'Fuzzing.', keys: 0x7e, messages: { feed } })
const byKey = new Map<number, Message>(conversations.flatMap(one => Object.values(one.messages).map(message => [message.key, message])))

/** Bytes written in answer to one input may be so many times its own, and a block. */
const ANSWER_FACTOR = 400

export interface FuzzCounts {
  inputs: number
  bytes: number
  /** Frames that got through the reader. */
  frames: number
  /** Inputs after which a live session was still open. */
  survived: number
  /** Inputs that an acceptor believed. */
  introduced: number
  /** The most processor time one input took, in milliseconds. */
  slowestMs: number
}

export class ProtocolFuzzer {
  readonly counts: FuzzCounts = { inputs: 0, bytes: 0, frames: 0, survived: 0, introduced: 0, slowestMs: 0 }
  readonly #compute: Compute
  readonly #codec: FrameCodec
  readonly #hostile: HostileBytes
  readonly #handlers: HandlerTable
  readonly #random

  constructor(seed: number, compute: Compute) {
    this.#random = seededRandom(seed)
    this.#compute = { ...compute, hmacSha256: remembered(compute), secureBytes: length => new Uint8Array(length).fill(5) }
    this.#codec = new FrameCodec(this.#compute)
    this.#hostile = new HostileBytes(this.#random, this.#codec, bytes => compute.xxhash32(bytes))
    this.#handlers = this.#allHandlers()
  }

  /** One input against one of the targets. Throws when anything but what is allowed came of it. */
  async step(): Promise<void> {
    const target = Math.max(0, this.#random.below(8) - 4)
    const input = this.#hostile.next(target === 1 ? this.#helloFrames() : [])
    this.counts.inputs++
    this.counts.bytes += input.byteLength
    // Time on the processor: what else the machine does is not the protocol's fault.
    const before = process.threadCpuUsage()
    if (target === 0) this.#feedReader(input)
    else if (target === 1) await this.#feedAcceptor(input)
    else if (target === 2) await this.#feedCaller(input)
    else await this.#feedSession(input)
    const { user, system } = process.threadCpuUsage(before)
    this.counts.slowestMs = Math.max(this.counts.slowestMs, (user + system) / 1000)
  }

  #feedReader(input: Uint8Array): void {
    const sealed = sealedFrames(input, FRAME_BYTES_MAX)
    const delivered: Frame[] = []
    const reader = new FrameReader(this.#codec, FRAME_BYTES_MAX, frame => delivered.push(frame) > 0)
    onlyTyped(() => {
      for (const chunk of this.#hostile.chunksOf(input)) {
        reader.push(chunk)
        if (reader.bufferedBytes > FRAME_BYTES_MAX) throw new Error(`holds ${reader.bufferedBytes} bytes`)
      }
    })
    if (delivered.length > sealed.length) throw new Error(`delivered ${delivered.length} frames, ${sealed.length} were sealed`)
    for (const [i, frame] of delivered.entries()) {
      const head = sealed[i] as { readonly flags: number; readonly key: number; readonly bytes: number }
      if (frame.flags !== head.flags || frame.messageKey !== head.key || frame.bytes !== head.bytes)
        throw new Error('delivered another frame')
      this.counts.frames++
      readWithTables(frame)
    }
  }

  /** Before the hello: nobody knows the secret but the frames that were prepared. */
  async #feedAcceptor(input: Uint8Array): Promise<void> {
    const { clock, connection, failures } = newWorld()
    const identity = this.#identity('acceptor')
    const env = { clock, compute: this.#compute, codec: this.#codec }
    const accepting = acceptIntroduction(connection, identity, env).then(introduced => {
      this.counts.introduced++
      new Session({ ...introduced, handlers: this.#handlers, env: { clock, log: silentLogger, deadlines: new Deadlines(clock) } }).start()
    })
    accepting.catch((error: unknown) => failures.push(error))
    await this.#play(input, connection, clock)
    checkFailures(failures)
  }

  /** An acceptor that lies to a caller. */
  async #feedCaller(input: Uint8Array): Promise<void> {
    const { clock, connection, failures } = newWorld()
    const env = { clock, compute: this.#compute, codec: this.#codec }
    introduceOurselves(connection, this.#identity('caller'), nodeId('acceptor'), env).then(
      () => failures.push(new Error('a caller believed an acceptor that knows no secret')),
      (error: unknown) => failures.push(error),
    )
    await this.#play(input, connection, clock)
    checkFailures(failures)
  }

  /** After the hello: requests and streams of its own are open, so that answers and items have something to hit. */
  async #feedSession(input: Uint8Array): Promise<void> {
    const { clock, connection, failures } = newWorld()
    const handlers = { onFrame: () => false, onDrain() {}, onClosed() {} }
    const channel = new Channel({ connection, clock, codec: this.#codec, handlers })
    const peer = { node: nodeId('peer'), role: 'fuzz', incarnation: 1 as Incarnation, version: 1, remote: 'fake' }
    const bounds = { frameBytesMax: FRAME_BYTES_MAX, peerFrameBytesMax: FRAME_BYTES_MAX }
    const session = new Session({
      channel,
      peer,
      bounds,
      handlers: this.#handlers,
      env: { clock, log: silentLogger, deadlines: new Deadlines(clock) },
    })
    session.start()
    let settled = 0
    const asked = [...byKey.values()].filter(message => message.kind === 'rpc').slice(2, 7)
    for (const message of asked) {
      session.request(message as Rpc, (message as Rpc).requestCodec.sample(1) as never).then(
        () => settled++,
        (error: unknown) => {
          settled++
          failures.push(error)
        },
      )
    }
    const reading = drain(session.open(feed, { from: 1 }), failures)
    if (await this.#play(input, connection, clock)) this.counts.survived++
    await reading
    if (settled !== asked.length) throw new Error(`${settled} of ${asked.length} requests settled`)
    clock.endTurn()
    checkFailures(failures)
  }

  /** Delivers the input, lets everything settle, judges what was written, and closes; answers whether it was open until then. */
  async #play(input: Uint8Array, connection: FakeConnection, clock: FakeClock): Promise<boolean> {
    for (const chunk of this.#hostile.chunksOf(input)) {
      if (connection.destroyed) break
      connection.receive(chunk)
      await Promise.resolve()
    }
    for (let i = 0; i < 6; i++) await Promise.resolve()
    clock.endTurn()
    const written = connection.written.reduce((sum, bytes) => sum + bytes.byteLength, 0)
    if (written > input.byteLength * ANSWER_FACTOR + OUTBOX_BLOCK_BYTES_MAX)
      throw new Error(`${written} bytes in answer to ${input.byteLength}`)
    const open = !connection.destroyed && !connection.ended
    connection.close()
    if (clock.timerCount > 2) throw new Error(`${clock.timerCount} timers outlive their connection`)
    return open
  }

  /** What an honest caller says, so that the acceptor with the constant challenge lets it in. */
  #helloFrames(): Uint8Array[] {
    if (this.#random.float() < 0.3) return []
    const { cluster, role, secret } = this.#identity('caller')
    const nonce = new Uint8Array(16).fill(5)
    const asked = {
      versionMin: 1,
      versionMax: 1,
      cluster,
      node: nodeId('caller'),
      role,
      incarnation: 1 as Incarnation,
      expected: 'acceptor',
      nonce,
    }
    const hex = '05'.repeat(16)
    const said = ['caller', 1, 1, cluster, 'caller', role, 1, 'acceptor', hex, 1, cluster, 'acceptor', role, 1, hex]
    const proof = this.#compute.hmacSha256(secret, new TextEncoder().encode(JSON.stringify(said)))
    const frame = (key: number, id: number, body: unknown[]): Uint8Array =>
      new Uint8Array(this.#codec.encodeHead(flag.request, key, id, body, new Uint8Array(0)))
    return [
      frame(hello.key, 1, hello.requestCodec.toWire(asked, 1, [2_000])),
      frame(prove.key, 2, prove.requestCodec.toWire({ proof, frameBytesMax: FRAME_BYTES_MAX_BEFORE_HELLO * 4 }, 1, [2_000])),
    ]
  }

  #identity(name: string) {
    return {
      cluster: clusterId('fuzz'),
      node: nodeId(name),
      role: 'coordinator',
      incarnation: () => 1 as Incarnation,
      secret: new Uint8Array(32).fill(1),
      frameBytesMax: FRAME_BYTES_MAX,
    }
  }

  /** Answers of every kind: at once, later, never, and failures. */
  #allHandlers(): HandlerTable {
    const table = new HandlerTable()
    for (const one of conversations.slice(1)) {
      const handlers = Object.entries(one.messages).map(([name, message]) => [name, () => this.#answer(message)])
      table.serve(one, Object.fromEntries(handlers) as never)
    }
    table.serve(feedConversation, {
      feed: async ({ from }, _context, sink) => {
        for (let n = 0; n < from % 50; n++) await sink.send({ n, attachment: new Uint8Array(n) })
      },
    })
    return table
  }

  #answer(message: Message): unknown {
    if (message.kind !== 'rpc') return undefined
    const answer = this.#random.below(100) === 0 ? message.responseCodec.sample(this.#random.below(20)) : smallSample(message)
    const how = this.#random.below(5)
    if (how === 0) throw new ProtocolError('wrong_state')
    if (how === 1) return Promise.reject(new TypeError('a handler of the fuzzer'))
    if (how === 2) return new Promise(() => {})
    return how === 3 ? Promise.resolve(answer) : answer
  }
}

/** HMACs over what was signed before are not worked out again: the fuzzer is after other things. */
function remembered(compute: Compute): Compute['hmacSha256'] {
  const known = new Map<string, Uint8Array>()
  return (key, message) => {
    const name = new TextDecoder().decode(message)
    const proof = known.get(name) ?? compute.hmacSha256(key, message)
    if (known.size < 1_000) known.set(name, proof)
    return proof
  }
}

/** The smallest of a few answers. */
function smallSample(message: Rpc): object {
  let sample = smallSamples.get(message)
  if (sample === undefined) {
    const bytes = (value: object): number => JSON.stringify(value).length
    sample = Array.from({ length: 20 }, (_, seed) => message.responseCodec.sample(seed)).toSorted(
      (a, b) => bytes(a) - bytes(b),
    )[0] as object
    smallSamples.set(message, sample)
  }
  return sample
}
const smallSamples = new Map<Rpc, object>()

function newWorld(): { clock: FakeClock; connection: FakeConnection; failures: unknown[] } {
  return { clock: new FakeClock(), connection: new FakeConnection(), failures: [] }
}

async function drain(items: AsyncIterable<unknown>, failures: unknown[]): Promise<void> {
  try {
    for await (const _ of items);
  } catch (error) {
    failures.push(error)
  }
}

function checkFailures(failures: readonly unknown[]): void {
  for (const error of failures) if (!(error instanceof ProtocolError)) throw error
}

function onlyTyped(act: () => void): void {
  try {
    act()
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
  }
}

/** What the tables make of the body: a value that can be sent on, or a refusal. */
function readWithTables({ messageKey, body, flags }: Frame): void {
  const message = byKey.get(messageKey)
  if (message === undefined) return
  for (const [part, codec] of codecsOf(message)) {
    let value: object
    try {
      value = codec.fromWire(body, part === 'request' && flags === flag.request ? 1 : 0, 1)
    } catch (error) {
      if (error instanceof ProtocolError && error.code === 'malformed_message') continue
      throw error
    }
    codec.toWire(value, 1, [])
  }
}

/** The heads of the frames at the beginning whose checksums are right, found without the code under test. */
function sealedFrames(input: Uint8Array, bytesMax: number): { readonly flags: number; readonly key: number; readonly bytes: number }[] {
  const heads = []
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  for (let at = 0; at + 20 <= input.byteLength; ) {
    const bytes = view.getUint32(at) + 4
    if (bytes < 20 || bytes > bytesMax || at + bytes > input.byteLength) break
    const frame = input.slice(at, at + bytes)
    frame.fill(0, 16, 20)
    if (xxhash32(frame) !== view.getUint32(at + 16)) break
    heads.push({ flags: input[at + 5] as number, key: view.getUint16(at + 6), bytes })
    at += bytes
  }
  return heads
}

/** The failure, with the command that shows it again. */
export function describeFailure(error: unknown, seed: number, input: number): Error {
  const kind = error instanceof InvariantError ? 'a broken invariant' : 'a failure'
  return new Error(`${kind} at input ${input} of seed ${seed}: npm run fuzz -- --seed ${seed} --inputs ${input}`, { cause: error })
}
