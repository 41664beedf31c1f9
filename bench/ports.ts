// What the Net port on Node.js costs beside plain node:net: bulk writes of 64 KB, and writes of 100 bytes one by one and
// as round trips. Both in the same run, taking turns; the median of three. Run: node --conditions=source bench/ports.ts
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type Connection, type ConnectionHandlers, type Endpoint, nodeId } from '@atoll/base'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'

const ROUNDS = 3
const BULK = { writeBytes: 65_536, writes: 10_000 }
const SMALL = { writeBytes: 100, writes: 150_000 }
const ROUND_TRIPS = 15_000

type Address = Extract<Endpoint, { host: string }>

/** One way to move bytes: the port or the bare module. */
interface Transport {
  readonly name: string
  /** Serves on a free port: a connection gets `writes` writes and is ended; with `writes` 0 it echoes. */
  serve(writeBytes: number, writes: number): Promise<{ readonly address: Address; close(): void }>
  /** Connects and counts bytes until the end. */
  sink(address: Address): Promise<number>
  /** Connects and sends `count` messages, each after the answer to the one before. */
  pingPong(address: Address, message: Uint8Array, count: number): Promise<void>
}

const bare: Transport = {
  name: 'node:net',
  async serve(writeBytes, writes) {
    const bytes = Buffer.alloc(writeBytes, 7)
    const server = createServer({ noDelay: true }, socket => {
      socket.on('error', () => socket.destroy())
      if (writes === 0) socket.on('data', data => socket.write(data))
      else
        feed(
          writes,
          () => socket.write(bytes),
          drained => socket.once('drain', drained),
          () => socket.end(),
        )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { address: { host: '127.0.0.1', port: (server.address() as { port: number }).port }, close: () => server.close() }
  },
  async sink(address) {
    const socket = connect({ ...address, noDelay: true })
    let total = 0
    socket.on('data', data => {
      total += data.length
    })
    await once(socket, 'end')
    return total
  },
  async pingPong(address, message, count) {
    const socket: Socket = connect({ ...address, noDelay: true })
    let left = count
    let bytesLeft = message.length
    socket.on('data', data => {
      bytesLeft -= data.length
      if (bytesLeft > 0) return
      bytesLeft = message.length
      if (--left === 0) socket.end()
      else socket.write(message)
    })
    socket.write(message)
    await once(socket, 'close')
  },
}

const clock = createClock()

function port(faults: boolean): Transport {
  const { net } = createNet({ self: nodeId('bench'), faults, clock, random: systemRandom() })
  const peer = nodeId('peer')
  const opened = (connection: Connection, handlers: Partial<ConnectionHandlers>): Promise<void> =>
    new Promise(resolve => {
      if (faults) connection.identify(peer)
      connection.open({ onData() {}, onDrain() {}, onClose: () => resolve(), ...handlers })
    })
  return {
    name: faults ? 'port, faults allowed' : 'port',
    async serve(writeBytes, writes) {
      const bytes = Buffer.alloc(writeBytes, 7)
      const listener = await net.listen(
        { host: '127.0.0.1', port: 0 },
        {
          onConnection(connection) {
            let drained = (): void => {}
            void opened(connection, { onData: data => void (writes === 0 && connection.write(data)), onDrain: () => drained() })
            const onceDrained = (next: () => void): void => {
              drained = next
            }
            if (writes > 0)
              feed(
                writes,
                () => connection.write(bytes),
                onceDrained,
                () => connection.end(),
              )
          },
        },
      )
      return { address: listener.endpoint as Address, close: () => void listener.close() }
    },
    async sink(address) {
      const connection = await net.connect(address, { timeoutMs: 1_000 })
      let total = 0
      const onData = (data: Uint8Array): void => {
        total += data.length
      }
      await opened(connection, { onData })
      return total
    },
    async pingPong(address, message, count) {
      const connection = await net.connect(address, { timeoutMs: 1_000 })
      let left = count
      let bytesLeft = message.length
      const onData = (data: Uint8Array): void => {
        bytesLeft -= data.length
        if (bytesLeft > 0) return
        bytesLeft = message.length
        if (--left === 0) connection.end()
        else connection.write(message)
      }
      const closed = opened(connection, { onData })
      connection.write(message)
      await closed
    },
  }
}

/** Writes until told to wait, on and on; small writes give way to the event loop now and then as real writers do. */
function feed(writes: number, write: () => boolean, onceDrained: (next: () => void) => void, end: () => void): void {
  let left = writes
  const go = (): void => {
    for (let inTurn = 0; left > 0; ) {
      left--
      if (!write()) return onceDrained(go)
      if (++inTurn === 1_000) return void setImmediate(go)
    }
    end()
  }
  go()
}

const transports = [bare, port(false), port(true)]

/** The sinks live in a process of their own, so that sender and receiver have a core each. */
type Task = { readonly transport: number; readonly address: Address; readonly roundTrips: number }

async function child(): Promise<void> {
  process.on('message', (task: Task) => {
    const transport = transports[task.transport] as Transport
    const work =
      task.roundTrips > 0 ? transport.pingPong(task.address, Buffer.alloc(100, 7), task.roundTrips) : transport.sink(task.address)
    void work.then(() => process.send?.('done'))
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.('up')
}

async function measure(): Promise<void> {
  const sink = fork(import.meta.filename, ['child'], { execArgv: process.execArgv })
  await once(sink, 'message')
  const timed = async (index: number, writeBytes: number, writes: number, roundTrips: number): Promise<number> => {
    const served = await (transports[index] as Transport).serve(writeBytes, writes)
    const startMs = performance.now()
    sink.send({ transport: index, address: served.address, roundTrips } satisfies Task)
    await once(sink, 'message')
    const elapsedMs = performance.now() - startMs
    served.close()
    return elapsedMs
  }
  const cases: readonly (readonly [string, (index: number) => Promise<number>])[] = [
    ['64 KB writes, MB/s', async i => (BULK.writes * BULK.writeBytes) / 1e3 / (await timed(i, BULK.writeBytes, BULK.writes, 0))],
    ['100 B writes, thousand/s', async i => SMALL.writes / (await timed(i, SMALL.writeBytes, SMALL.writes, 0))],
    ['100 B round trips, thousand/s', async i => ROUND_TRIPS / (await timed(i, SMALL.writeBytes, 0, ROUND_TRIPS))],
  ]
  console.log(`${''.padEnd(32)}${transports.map(({ name }) => name.padStart(30)).join('')}`)
  for (const [name, run] of cases) {
    const results: number[][] = transports.map(() => [])
    for (let round = -1; round < ROUNDS; round++) {
      for (const [index, values] of results.entries()) {
        const value = await run(index)
        // The first round warms up.
        if (round >= 0) values.push(value)
      }
    }
    const base = median(results[0] as number[])
    console.log(`${name.padEnd(32)}${results.map(values => shown(values, base).padStart(30)).join('')}`)
  }
  sink.disconnect()
}

function shown(values: readonly number[], base: number): string {
  const digits = base < 1_000 ? 1 : 0
  const range = `${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)}`
  return `${median(values).toFixed(digits)} (${range}) ${((median(values) / base) * 100).toFixed(0)} %`
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number
}

async function measureHash(): Promise<void> {
  const compute = await createCompute()
  for (const length of [100, 1_000, 65_536]) {
    const bytes = Buffer.alloc(length, 7)
    const count = Math.min(2_000_000, Math.floor(3e8 / length))
    const nanoseconds = Array.from({ length: ROUNDS }, () => {
      const startMs = performance.now()
      for (let index = 0; index < count; index++) compute.xxhash32(bytes)
      return ((performance.now() - startMs) * 1e6) / count
    })
    console.log(`xxhash32 of ${length} B: ${median(nanoseconds).toFixed(0)} ns`)
  }
}

if (process.argv[2] === 'child') await child()
else {
  await measureHash()
  await measure()
}
