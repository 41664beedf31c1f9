// Request and response with 100-byte payloads between two processes over loopback, beside the bare ceiling on the same
// Node in the same run: contenders take turns, medians of all runs.
// Run: npm run bench -- rpc [--runs 5] [--seconds 1] [--in-flight 1,64,1024]
import { type ChildProcess, fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import { median, spread, table } from './figures.ts'
import { machineLine } from './machine.ts'
import { callBare, serveBare } from './rpc/bare.ts'
import { loadWith, type Rate } from './rpc/load.ts'
import { callNative, serveNative } from './rpc/native.ts'

const contenders = ['native', 'bare cork', 'bare buffer'] as const
type Contender = (typeof contenders)[number]
const PAYLOAD_BYTES = 100

async function beServer(who: Contender): Promise<void> {
  const port = who === 'native' ? await serveNative() : await serveBare(who === 'bare cork' ? 'cork' : 'buffer')
  process.on('message', () => process.send?.(cpuMs()))
  process.send?.(port)
}

/** Processor time this process has used, user and system, in milliseconds. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function beCaller(who: Contender, port: number): Promise<void> {
  const call = who === 'native' ? await callNative(port) : await callBare(who === 'bare cork' ? 'cork' : 'buffer', port)
  const value = new Uint8Array(PAYLOAD_BYTES).fill(0x78)
  process.on('message', ({ inFlight, ms }: { inFlight: number; ms: number }) => {
    const beforeMs = cpuMs()
    void loadWith(n => call(`key${n & 1023}`, value), inFlight, ms).then(rate => process.send?.({ ...rate, cpuMs: cpuMs() - beforeMs }))
  })
  process.send?.('ready')
}

function spawn(role: 'server' | 'caller', who: Contender, port = 0): ChildProcess {
  return fork(import.meta.filename, [role, who, String(port)], { execArgv: ['--conditions=source', ...process.execArgv] })
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

/** A rate with the processor time of both processes per request, in microseconds. */
type Measured = Rate & { readonly cpuUs: number }

async function measure(server: ChildProcess, caller: ChildProcess, inFlight: number, ms: number): Promise<Measured> {
  const usage = async (): Promise<number> => {
    server.send('usage')
    return answerOf<number>(server)
  }
  const beforeMs = await usage()
  caller.send({ inFlight, ms })
  const rate = await answerOf<Rate & { cpuMs: number }>(caller)
  return { ...rate, cpuUs: (1000 * (rate.cpuMs + (await usage()) - beforeMs)) / rate.requests }
}

async function compare(runs: number, ms: number, loads: readonly number[]): Promise<void> {
  const children: ChildProcess[] = []
  const pairs = new Map<Contender, { readonly server: ChildProcess; readonly caller: ChildProcess }>()
  for (const who of contenders) {
    const server = spawn('server', who)
    const caller = spawn('caller', who, await answerOf<number>(server))
    children.push(server, caller)
    await answerOf(caller)
    pairs.set(who, { server, caller })
  }
  const rates = new Map<string, Measured[]>()
  for (let run = 0; run < runs; run++)
    for (const inFlight of loads)
      for (const [who, { server, caller }] of pairs) {
        const key = `${who} ${inFlight}`
        rates.set(key, [...(rates.get(key) ?? []), await measure(server, caller, inFlight, ms)])
      }
  for (const child of children) child.disconnect()
  report(loads, (who, inFlight) => rates.get(`${who} ${inFlight}`) ?? [])
}

function report(loads: readonly number[], ratesOf: (who: Contender, inFlight: number) => readonly Measured[]): void {
  console.log(machineLine())
  console.log(
    `\nRequests per second, ${PAYLOAD_BYTES}-byte payloads: median (least-most); p50 / p99 in ms; processor time of both sides per request\n`,
  )
  const perSecond = (who: Contender, load: number): number[] => ratesOf(who, load).map(rate => rate.perSecond)
  const rows = loads.map(load => {
    const ceiling = Math.max(...contenders.slice(1).map(who => median(perSecond(who, load))))
    const cells = contenders.map(who => {
      const latency = (['p50Ms', 'p99Ms'] as const).map(of => median(ratesOf(who, load).map(rate => rate[of])).toFixed(2))
      const cpuUs = median(ratesOf(who, load).map(rate => rate.cpuUs)).toFixed(1)
      return `${spread(perSecond(who, load))}; ${latency.join(' / ')}; ${cpuUs} µs`
    })
    return [String(load), ...cells, `${Math.round((100 * median(perSecond('native', load))) / ceiling)} %`]
  })
  console.log(table(['in flight', ...contenders, 'native / better ceiling'], rows))
}

const [role, who, port] = process.argv.slice(2)
if (role === 'server' || role === 'caller') {
  process.on('disconnect', () => process.exit(0))
  if (role === 'server') await beServer(who as Contender)
  else await beCaller(who as Contender, Number(port))
} else {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      'in-flight': { type: 'string', default: '1,64,1024' },
    },
  })
  await compare(Number(values.runs), Number(values.seconds) * 1000, values['in-flight'].split(',').map(Number))
}
