// The bare ceiling: node:net, a length and a checksum before each frame, msgpackr, one Promise and one Map entry per
// request, and frames of one turn written together. No versions, errors, deadlines, bounds, cancel, faults or proof of who is there.
import { connect, createServer, type Socket } from 'node:net'
import { createCompute } from '@atoll/node-ports'
import { Packr } from 'msgpackr/pack'

/** How frames are collected: corked until the next tick, or in a buffer of our own until `setImmediate`. */
export type Coalescing = 'cork' | 'buffer'
const PREFIX_BYTES = 8
const BUFFER_BYTES = 65_536

interface Framed {
  send(body: Buffer): void
}

function framed(socket: Socket, coalescing: Coalescing, hash: (bytes: Uint8Array) => number, onBody: (body: Buffer) => void): Framed {
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  let rest: Buffer | undefined
  socket.on('data', (data: Buffer) => {
    const bytes = rest === undefined ? data : Buffer.concat([rest, data])
    let at = 0
    while (bytes.length - at >= PREFIX_BYTES) {
      const length = bytes.readUInt32BE(at)
      if (bytes.length - at - PREFIX_BYTES < length) break
      const body = bytes.subarray(at + PREFIX_BYTES, at + PREFIX_BYTES + length)
      if (hash(body) !== bytes.readUInt32BE(at + 4)) throw new Error('wrong checksum')
      onBody(body)
      at += PREFIX_BYTES + length
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined
  })
  return coalescing === 'cork' ? corked(socket, hash) : buffered(socket, hash)
}

function corked(socket: Socket, hash: (bytes: Uint8Array) => number): Framed {
  let held = false
  const release = (): void => {
    held = false
    socket.uncork()
  }
  return {
    send(body) {
      const frame = Buffer.allocUnsafe(body.length + PREFIX_BYTES)
      frame.writeUInt32BE(body.length, 0)
      frame.writeUInt32BE(hash(body), 4)
      body.copy(frame, PREFIX_BYTES)
      if (!held) {
        held = true
        socket.cork()
        process.nextTick(release)
      }
      socket.write(frame)
    },
  }
}

function buffered(socket: Socket, hash: (bytes: Uint8Array) => number): Framed {
  let block = Buffer.allocUnsafe(BUFFER_BYTES)
  let used = 0
  let due = false
  const flush = (): void => {
    due = false
    if (used === 0) return
    socket.write(block.subarray(0, used))
    block = Buffer.allocUnsafe(BUFFER_BYTES)
    used = 0
  }
  return {
    send(body) {
      if (used + body.length + PREFIX_BYTES > block.length) flush()
      block.writeUInt32BE(body.length, used)
      block.writeUInt32BE(hash(body), used + 4)
      body.copy(block, used + PREFIX_BYTES)
      used += body.length + PREFIX_BYTES
      if (due) return
      due = true
      setImmediate(flush)
    },
  }
}

interface Message {
  readonly id: number
  readonly value: Uint8Array
}

/** Answers every request with its own value. Resolves with the port. */
export async function serveBare(coalescing: Coalescing): Promise<number> {
  const compute = await createCompute()
  const packr = new Packr({ useRecords: false })
  const server = createServer(socket => {
    const out = framed(
      socket,
      coalescing,
      bytes => compute.xxhash32(bytes),
      body => {
        const { id, value } = packr.unpack(body) as Message
        out.send(packr.pack({ id, ok: true, value }))
      },
    )
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}

/** Connects; the answered function sends a request. */
export async function callBare(coalescing: Coalescing, port: number): Promise<(key: string, value: Uint8Array) => Promise<unknown>> {
  const compute = await createCompute()
  const packr = new Packr({ useRecords: false })
  const socket = connect(port, '127.0.0.1')
  await new Promise(resolve => socket.once('connect', resolve))
  const waiting = new Map<number, (message: Message) => void>()
  let lastId = 0
  const out = framed(
    socket,
    coalescing,
    bytes => compute.xxhash32(bytes),
    body => {
      const message = packr.unpack(body) as Message
      const resolve = waiting.get(message.id)
      waiting.delete(message.id)
      resolve?.(message)
    },
  )
  return (key, value) =>
    new Promise(resolve => {
      const id = ++lastId
      waiting.set(id, resolve)
      out.send(packr.pack({ id, method: 'cache.set', key, value }))
    })
}
