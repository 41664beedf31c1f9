// Two nodes that speak the native protocol under virtual time, and a raw connection for whoever does not. The scenario
// runs as the program of node `caller`; what it throws fails the run.
import {
  assert,
  type Clock,
  type Compute,
  type Connection,
  clusterId,
  type Incarnation,
  type LinkRule,
  type LogFields,
  type Logger,
  nodeId,
  sleep,
} from '@atoll/base'
import {
  bytes,
  conversation,
  FRAME_BYTES_MAX,
  type Frame,
  FrameCodec,
  FrameReader,
  field,
  flag,
  type HandlersOf,
  HandlerTable,
  HELLO_TIMEOUT_MS,
  hello,
  type Identity,
  MiB,
  NativeEndpoint,
  oneWay,
  PROTOCOL_VERSION_MAX,
  type ProtocolError,
  prove,
  type ResponseOf,
  rpc,
  type Session,
  str,
  stream,
  u32,
} from '@atoll/protocol'
import { createSimHashes, createSimulation, type SimPorts } from '@atoll/sim-ports'

const echo = rpc({
  key: 0x7001,
  name: 'echo',
  doc: 'Answers with what it was sent.',
  idempotent: true,
  request: { text: field(str({ max: 100_000 }), 'Any text.') },
  requestAttachment: { max: 8 * MiB, doc: 'Any bytes.' },
  response: { text: field(str({ max: 100_000 }), 'The same.') },
  responseAttachment: { max: 8 * MiB, doc: 'The same.' },
  errors: [],
})
const act = rpc({
  key: 0x7002,
  name: 'act',
  doc: 'Does what the test says.',
  idempotent: false,
  request: { what: field(str({ max: 50 }), 'Which of the things the test says.') },
  response: { text: field(str({ max: 20 }), 'What the handler answered.') },
  errors: [],
})
const count = stream({
  key: 0x7003,
  name: 'count',
  doc: 'Counts.',
  request: { upTo: field(u32(), 'How far.'), bytes: field(u32(), 'Bytes of each attachment.') },
  item: { n: field(u32(), 'The number.'), note: field(str({ max: 50_000 }), 'Padding.') },
  itemAttachment: { max: 8 * MiB, doc: 'Padding.' },
  errors: [],
})
const note = oneWay({ key: 0x7004, name: 'note', doc: 'Noted.', message: { text: field(str({ max: 50_000 }), 'Any text.') } })
const hint = oneWay({
  key: 0x7005,
  name: 'hint',
  doc: 'A datagram.',
  datagram: true,
  message: { text: field(str({ max: 20_000_000 }), 'Any text.') },
})
const raw = rpc({
  key: 0x7006,
  name: 'raw',
  doc: 'Bytes within the body.',
  idempotent: true,
  request: { value: field(bytes({ max: 100 }), 'Any bytes.') },
  response: {},
  errors: [],
})

export const trial = conversation({ name: 'trial', doc: 'Tests.', keys: 0x70, messages: { echo, act, count, note, hint, raw } })
export type TrialHandlers = HandlersOf<typeof trial>

export const NOTHING = new Uint8Array(0)
export const SERVER_AT = { host: '127.0.0.1', port: 7201 }
const SERVER = nodeId('server')

/** What every handler of the server does unless the test says otherwise. */
const plainHandlers: TrialHandlers = {
  echo: ({ text, attachment }) => ({ text, attachment }),
  act: () => ({ text: 'done' }),
  count: async ({ upTo, bytes: size }, _context, sink) => {
    for (let n = 1; n <= upTo; n++) await sink.send({ n, note: '', attachment: new Uint8Array(size).fill(n) })
  },
  note: () => {},
  hint: () => {},
  raw: () => ({}),
}

export type LogLine = LogFields & { readonly level: string }

export interface Party {
  readonly endpoint: NativeEndpoint
  readonly log: LogLine[]
  readonly ports: SimPorts
}

export interface Trial {
  readonly caller: Party
  readonly server: Party
  /** Virtual time since the scenario began, in milliseconds. */
  readonly nowMs: () => number
  /** Lets virtual time pass. */
  readonly elapse: (ms: number) => Promise<void>
  readonly call: () => Promise<Session>
  /** The server's end of the newest session. */
  readonly serverSession: () => Session
  /** A connection to the server on which the test itself speaks. */
  readonly connectRaw: () => Promise<RawPeer>
  readonly setLinks: (rules: readonly LinkRule[]) => void
  readonly pauseServer: () => void
  readonly resumeServer: () => void
  readonly crashServer: () => void
}

export interface TrialOptions {
  readonly seed?: number
  readonly server?: Partial<TrialHandlers>
  readonly caller?: Partial<TrialHandlers>
  readonly serverIdentity?: Partial<Identity>
  readonly callerIdentity?: Partial<Identity>
  /** Bytes a connection holds between the two. */
  readonly windowBytes?: number
}

const SCENARIO_MS_MAX = 600_000
export const SECRET = new Uint8Array(32).fill(9)

export function identityOf(name: string, changes: Partial<Identity> = {}): Identity {
  return {
    cluster: clusterId('trial'),
    node: nodeId(name),
    role: 'coordinator',
    incarnation: () => 3 as Incarnation,
    secret: SECRET,
    frameBytesMax: FRAME_BYTES_MAX,
    ...changes,
  }
}

/**
 * Runs `scenario`, then whatever is left to happen. Rejects with what was
 * thrown, or with a SimulationError when simulated code did what it must not.
 */
export async function runTrial(
  options: TrialOptions,
  scenario: (trial: Trial) => Promise<void>,
): Promise<{ readonly quietAfterMs: number }> {
  const windowBytes = options.windowBytes === undefined ? {} : { windowBytes: options.windowBytes }
  const simulation = createSimulation({ seed: options.seed ?? 1, hashes: await createSimHashes(), ...windowBytes })
  const server = simulation.addNode(SERVER)
  const caller = simulation.addNode(nodeId('caller'))
  let serving: Party | undefined
  let done = false
  server.start(async ports => {
    serving = partyOf(ports, identityOf('server', options.serverIdentity), { ...plainHandlers, ...options.server })
    await serving.endpoint.listen(SERVER_AT)
  })
  caller.start(async ports => {
    await sleep(ports.clock, 1)
    assert(serving !== undefined, 'the server runs')
    const calling = partyOf(ports, identityOf('caller', options.callerIdentity), { ...plainHandlers, ...options.caller })
    const { endpoint } = serving
    const startMs = ports.clock.monotonicMs()
    await scenario({
      caller: calling,
      server: serving,
      nowMs: () => ports.clock.monotonicMs() - startMs,
      elapse: ms => sleep(ports.clock, ms),
      call: () => calling.endpoint.call(SERVER_AT, SERVER, { timeoutMs: 2_000 }),
      serverSession: () => [...endpoint.sessions].at(-1) as Session,
      connectRaw: async () => new RawPeer(await ports.net.connect(SERVER_AT, { timeoutMs: 1_000 }), ports.clock, ports.compute),
      setLinks: rules => simulation.setLinks(rules),
      pauseServer: () => server.pause(),
      resumeServer: () => server.resume(),
      crashServer: () => server.crash(),
    })
    done = true
  })
  await simulation.run({ until: () => done, untilMs: SCENARIO_MS_MAX })
  assert(done, 'the scenario came to its end')
  const doneMs = simulation.nowMs
  const { reason } = await simulation.run({ eventsMax: 100_000 })
  return { quietAfterMs: reason === 'idle' ? simulation.nowMs - doneMs : Number.POSITIVE_INFINITY }
}

function partyOf(ports: SimPorts, identity: Identity, handlers: TrialHandlers): Party {
  const log: LogLine[] = []
  const table = new HandlerTable().serve(trial, handlers)
  return { ports, log, endpoint: new NativeEndpoint(identity, table, { ...ports, log: logInto(log) }) }
}

function logInto(lines: LogLine[]): Logger {
  const at = (level: string) => (fields: LogFields) => void lines.push({ ...fields, level })
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

/** The test's own end of a connection: frames or plain bytes, whatever they are. */
export class RawPeer {
  readonly codec: FrameCodec
  readonly frames: Frame[] = []
  closed = false
  readonly #connection: Connection
  readonly #clock: Clock
  #lastId = 1_000

  constructor(connection: Connection, clock: Clock, compute: Compute) {
    this.codec = new FrameCodec(compute)
    this.#connection = connection
    this.#clock = clock
    const reader = new FrameReader(this.codec, FRAME_BYTES_MAX, frame => this.frames.push(frame) > 0)
    connection.open({
      onData: received => reader.push(received),
      onDrain() {},
      onClose: () => {
        this.closed = true
      },
    })
  }

  /** Sends a request and answers what comes back under its id. */
  ask(key: number, body: readonly unknown[], attachment = NOTHING): Promise<Frame | undefined> {
    const id = ++this.#lastId
    this.sendFrame(flag.request, key, id, body, attachment)
    return this.next(frame => frame.correlationId === id && (frame.flags & (flag.response | flag.streamEnd)) !== 0)
  }

  /** The next frame that was not taken yet and is wanted; undefined once the connection is over. */
  async next(wanted: (frame: Frame) => boolean = () => true): Promise<Frame | undefined> {
    for (;;) {
      const at = this.frames.findIndex(wanted)
      if (at >= 0) return this.frames.splice(at, 1)[0]
      if (this.closed) return undefined
      await sleep(this.#clock, 0.1)
    }
  }

  sendFrame(flags: number, key: number, id: number, body: readonly unknown[], attachment = NOTHING): void {
    this.send(this.frame(flags, key, id, body, attachment))
  }

  /** The bytes of a frame. */
  frame(flags: number, key: number, id: number, body: readonly unknown[], attachment = NOTHING): Uint8Array {
    return Uint8Array.from([...this.codec.encodeHead(flags, key, id, body, attachment), ...attachment])
  }

  send(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.#connection.write(chunk.slice())
  }

  pauseReading(): void {
    this.#connection.pauseReading()
  }

  resumeReading(): void {
    this.#connection.resumeReading()
  }

  end(): void {
    this.#connection.end()
  }

  destroy(): void {
    this.#connection.destroy()
  }

  /** Waits until so many frames have come, or until the connection is over; answers the last one. */
  async received(frames: number): Promise<Frame | undefined> {
    while (this.frames.length < frames && !this.closed) await sleep(this.#clock, 1)
    return this.frames.at(-1)
  }

  async over(): Promise<void> {
    while (!this.closed) await sleep(this.#clock, 1)
  }
}

/** A hello as the node `caller` would send it, with what the test changes. */
export function helloBody(changes: object = {}): unknown[] {
  const legal = {
    versionMin: 1,
    versionMax: PROTOCOL_VERSION_MAX,
    cluster: clusterId('trial'),
    node: nodeId('caller'),
    role: 'coordinator',
    incarnation: 3,
    expected: 'server',
    nonce: new Uint8Array(16).fill(1),
  }
  return hello.requestCodec.toWire({ ...legal, ...changes } as never, 1, [HELLO_TIMEOUT_MS])
}

export type Challenge = ResponseOf<typeof hello>

/** Sends a hello by hand and answers the challenge. */
export async function challenged(raw: RawPeer, changes: object = {}): Promise<Challenge> {
  raw.send(raw.frame(flag.request, hello.key, 1, helloBody(changes)))
  const frame = await raw.received(1)
  return hello.responseCodec.fromWire(frame?.body ?? [], 0, 1)
}

/** The proof of `prover` over what it said and was told, written down here a second time. */
export function proofOf(compute: Compute, prover: string, challenge: Challenge, changes: Record<string, unknown> = {}): Uint8Array {
  const hex = (value: Uint8Array): string => [...value].map(byte => byte.toString(16).padStart(2, '0')).join('')
  const asked = { versionMin: 1, versionMax: PROTOCOL_VERSION_MAX, nonce: new Uint8Array(16).fill(1), expected: 'server', ...changes }
  const { version, cluster, node, role, incarnation, nonce } = challenge
  const parts = [prover, asked.versionMin, asked.versionMax, 'trial', 'caller', 'coordinator', 3, asked.expected, hex(asked.nonce)]
  const transcript = JSON.stringify([...parts, version, cluster, node, role, incarnation, hex(nonce)])
  return compute.hmacSha256(SECRET, new TextEncoder().encode(transcript))
}

/** The frame with which a caller proves itself. */
export function proving(raw: RawPeer, proof: Uint8Array, frameBytesMax = FRAME_BYTES_MAX): Uint8Array {
  return raw.frame(flag.request, prove.key, 2, prove.requestCodec.toWire({ proof, frameBytesMax }, 1, [HELLO_TIMEOUT_MS]))
}

/** A raw connection whose hello is done: a peer that may say anything. */
export async function openRaw({ connectRaw, caller }: Trial): Promise<RawPeer> {
  const raw = await connectRaw()
  raw.send(proving(raw, proofOf(caller.ports.compute, 'caller', await challenged(raw))))
  const accepted = await raw.received(2)
  assert(accepted?.flags === flag.response, 'the raw peer is let in')
  raw.frames.length = 0
  return raw
}

/** Lets virtual time pass. */
export function elapse(clock: Clock, ms: number): Promise<void> {
  return sleep(clock, ms)
}

/** The error that `work` rejects with. */
export async function failureOf(work: Promise<unknown>): Promise<ProtocolError> {
  try {
    await work
  } catch (error) {
    return error as ProtocolError
  }
  throw new Error('was expected to fail')
}
