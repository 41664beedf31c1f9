// 64 KB attachments between two processes over loopback, one way with small answers and as responses, beside plain
// node:net that writes 64 KB and is drained: no frames, no checksum, no answers. Contenders take turns.
//   npm run bench -- attachments [--runs 5] [--seconds 1] [--in-flight 16]
import { type ChildProcess, fork } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { clusterId, type Incarnation, nodeId, silentLogger } from '@atoll/base'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import { conversation, FRAME_BYTES_MAX, field, HandlerTable, KiB, MiB, NativeEndpoint, rpc, u32 } from '@atoll/protocol'
import { median, spread, table } from './figures.ts'
import { machineLine } from './machine.ts'

const PIECE_BYTES = 64 * KiB
const cases = ['native, requests', 'native, responses', 'node:net'] as const
type Case = (typeof cases)[number]

const put = rpc({
  key: 0x7f11,
  name: 'put',
  doc: 'Takes bytes.',
  idempotent: true,
  request: {},
  requestAttachment: { max: MiB, doc: 'The bytes.' },
  response: { bytes: field(u32(), 'How many came.') },
  errors: [],
})
const get = rpc({
  key: 0x7f12,
  name: 'get',
  doc: 'Gives bytes.',
  idempotent: true,
  request: { bytes: field(u32({ max: MiB }), 'How many.') },
  response: {},
  responseAttachment: { max: MiB, doc: 'The bytes.' },
  errors: [],
})
const bulk = conversation({ name: 'bulk', doc: 'The benchmark.', keys: 0x7f, messages: { put, get } })

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

async function serveNative(): Promise<number> {
  const piece = new Uint8Array(PIECE_BYTES).fill(0x78)
  const handlers = new HandlerTable().serve(bulk, {
    put: ({ attachment }) => ({ bytes: attachment.byteLength }),
    get: () => ({ attachment: piece }),
  })
  const endpoint = await endpointOf('server', handlers)
  const { endpoint: at } = await endpoint.listen({ host: '127.0.0.1', port: 0 })
  return 'port' in at ? at.port : Number.NaN
}

function servePlain(): Promise<number> {
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.on('data', () => {})
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}

/** Moves pieces for `ms`, so many at once; answers how many went through. */
type Mover = (ms: number, inFlight: number) => Promise<number>

async function moveNative(how: Case, port: number): Promise<Mover> {
  const endpoint = await endpointOf('caller', new HandlerTable())
  const session = await endpoint.call({ host: '127.0.0.1', port }, nodeId('server'), { timeoutMs: 2_000 })
  const piece = new Uint8Array(PIECE_BYTES).fill(0x78)
  const one = () =>
    how === 'native, requests' ? session.request(put, { attachment: piece }) : session.request(get, { bytes: PIECE_BYTES })
  return async (ms, inFlight) => {
    const untilMs = performance.now() + ms
    let moved = 0
    const lane = async (): Promise<void> => {
      while (performance.now() < untilMs) {
        await one()
        moved++
      }
    }
    await Promise.all(Array.from({ length: inFlight }, lane))
    return moved
  }
}

async function movePlain(port: number): Promise<Mover> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise(resolve => socket.once('connect', resolve))
  const piece = Buffer.alloc(PIECE_BYTES, 0x78)
  return async ms => {
    const untilMs = performance.now() + ms
    let moved = 0
    while (performance.now() < untilMs) {
      moved++
      if (!socket.write(piece)) await new Promise(resolve => socket.once('drain', resolve))
    }
    return moved
  }
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a process of the benchmark ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', answer => {
      child.off('exit', onExit)
      resolve(answer as T)
    })
  })
}

function spawn(role: 'server' | 'caller', what: Case, port = 0): ChildProcess {
  return fork(import.meta.filename, [role, what, String(port)], { execArgv: ['--conditions=source', ...process.execArgv] })
}

async function compare(runs: number, ms: number, inFlight: number): Promise<void> {
  const children: ChildProcess[] = []
  const callers = new Map<Case, ChildProcess>()
  for (const what of cases) {
    const server = spawn('server', what)
    const caller = spawn('caller', what, await answerOf<number>(server))
    await answerOf(caller)
    children.push(server, caller)
    callers.set(what, caller)
  }
  const rates = new Map<Case, number[]>()
  // The first round warms up.
  for (let run = -1; run < runs; run++)
    for (const [what, caller] of callers) {
      const startMs = performance.now()
      caller.send({ ms, inFlight })
      const moved = await answerOf<number>(caller)
      const rate = (moved * PIECE_BYTES) / 1e6 / ((performance.now() - startMs) / 1000)
      if (run >= 0) rates.set(what, [...(rates.get(what) ?? []), rate])
    }
  for (const child of children) child.disconnect()
  const ceiling = median(rates.get('node:net') ?? [])
  console.log(machineLine())
  console.log(`\nMB/s in pieces of 64 KB, ${inFlight} in flight: median (least-most)\n`)
  const rows = cases.map(what => [what, spread(rates.get(what) ?? []), `${Math.round((100 * median(rates.get(what) ?? [])) / ceiling)} %`])
  console.log(table(['', 'MB/s', 'of node:net'], rows))
}

const [role, what, port] = process.argv.slice(2)
if (role === 'server' || role === 'caller') {
  process.on('disconnect', () => process.exit(0))
  if (role === 'server') process.send?.(what === 'node:net' ? await servePlain() : await serveNative())
  else {
    const move = what === 'node:net' ? await movePlain(Number(port)) : await moveNative(what as Case, Number(port))
    process.on(
      'message',
      (load: { ms: number; inFlight: number }) => void move(load.ms, load.inFlight).then(moved => process.send?.(moved)),
    )
    process.send?.('ready')
  }
} else {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      'in-flight': { type: 'string', default: '16' },
    },
  })
  await compare(Number(values.runs), Number(values.seconds) * 1000, Number(values['in-flight']))
}
