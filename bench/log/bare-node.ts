// One of the three bare processes that the log is measured beside: the same shape, and bytes only. The first takes what a
// producer sends, writes it and forwards what the other two ask for next ("pulled": one request of each in flight); each syncs what it
// wrote before it says so, while it goes on; what all three have is acknowledged. No format, no checksum, no partitions,
// no elections: an upper bound.
//   node bare-node.ts DIRECTORY sync|no-sync [PORT OF THE FIRST]
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'

const [, , directory = '', how = '', leader] = process.argv
const REPLICAS = 3
const NUMBER_BYTES = 8
/** What a process says of itself comes as numbers; the last one of each is news. */
const FETCH = 0
const SYNCED = 1

const file = openSync(join(directory, 'bare'), 'w')
process.on('disconnect', () => {
  closeSync(file)
  process.exit(0)
})

/** Everything written up to `end`, synced one round after the other. */
class Written {
  end = 0
  durable = 0
  readonly #told: () => void
  #syncing = false

  constructor(told: () => void) {
    this.#told = told
  }

  add(bytes: Uint8Array): void {
    writeSync(file, bytes)
    this.end += bytes.length
    this.#sync()
  }

  #sync(): void {
    if (how === 'no-sync') this.durable = this.end
    if (this.#syncing || this.durable === this.end) return
    this.#syncing = true
    const end = this.end
    fdatasync(file, () => {
      this.#syncing = false
      this.durable = end
      this.#told()
      this.#sync()
    })
  }
}

function number(kind: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_BYTES)
  bytes.writeDoubleLE(value * 2 + kind)
  return bytes
}

function onNumbers(socket: Socket, take: (kind: number, value: number) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    let place = 0
    for (; place + NUMBER_BYTES <= all.length; place += NUMBER_BYTES) {
      const both = all.readDoubleLE(place)
      take(both % 2, Math.floor(both / 2))
    }
    rest = all.subarray(place)
  })
}

function lead(): void {
  const followers = new Set<{ readonly socket: Socket; waiting: boolean; sent: number; durable: number }>()
  let producer: Socket | undefined
  const chunks: Buffer[] = []
  /** Where the first of `chunks` begins. */
  let start = 0
  let acknowledged = 0
  let flushes = false
  const acknowledge = (): void => {
    if (followers.size < REPLICAS - 1) return
    const all = Math.min(written.durable, ...[...followers].map(({ durable }) => durable))
    if (all <= acknowledged) return
    acknowledged = all
    producer?.write(number(SYNCED, all))
  }
  const written = new Written(acknowledge)
  const flush = (): void => {
    flushes = false
    for (const follower of followers) {
      if (!follower.waiting || follower.sent === written.end) continue
      follower.waiting = false
      const pieces: Buffer[] = []
      let place = start
      for (const chunk of chunks) {
        if (place >= follower.sent) pieces.push(chunk)
        place += chunk.length
      }
      const bytes = Buffer.concat(pieces)
      follower.sent += bytes.length
      follower.socket.write(number(FETCH, bytes.length))
      follower.socket.write(bytes)
    }
    const sent = Math.min(...[...followers].map(follower => follower.sent))
    while (chunks.length > 0 && start + (chunks[0] as Buffer).length <= sent) start += (chunks.shift() as Buffer).length
    acknowledge()
  }
  const soon = (): void => {
    if (flushes) return
    flushes = true
    setImmediate(flush)
  }
  createServer(socket => {
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.once('data', (hello: Buffer) => {
      socket.write('!')
      if (hello[0] === 0x70) {
        producer = socket
        socket.on('data', (bytes: Buffer) => {
          chunks.push(bytes)
          written.add(bytes)
          soon()
        })
        return
      }
      const follower = { socket, waiting: false, sent: 0, durable: 0 }
      followers.add(follower)
      onNumbers(socket, (kind, value) => {
        if (kind === FETCH) follower.waiting = true
        else follower.durable = value
        soon()
      })
    })
  }).listen(0, '127.0.0.1', function (this: ReturnType<typeof createServer>) {
    process.send?.((this.address() as { port: number }).port)
  })
}

function follow(port: number): void {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  socket.on('error', () => process.exit(1))
  const written = new Written(() => socket.write(number(SYNCED, written.durable)))
  /** Of the answer that comes. */
  let left = 0
  socket.write('f')
  socket.once('data', () => {
    process.send?.(0)
    socket.write(number(FETCH, 0))
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (bytes: Buffer) => {
      let all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      while (all.length > 0) {
        if (left === 0) {
          if (all.length < NUMBER_BYTES) break
          left = Math.floor(all.readDoubleLE(0) / 2)
          all = all.subarray(NUMBER_BYTES)
        }
        const part = all.subarray(0, left)
        if (part.length > 0) written.add(part)
        all = all.subarray(part.length)
        left -= part.length
        if (left === 0) socket.write(Buffer.concat([number(SYNCED, written.durable), number(FETCH, written.end)]))
      }
      rest = all
    })
  })
}

if (leader === undefined) lead()
else follow(Number(leader))
