// Somebody who speaks no protocol, or speaks it wrongly on purpose: a bare socket, and frames made by hand.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { clusterId, type Incarnation, nodeId } from '@atoll/base'
import { createCompute } from '@atoll/node-ports'
import { errorNamed, type Frame, FrameCodec, FrameReader, flag, hello, prove, type RequestOf } from '@atoll/protocol'

const compute = await createCompute()

/** A frame's bytes. */
export function frame(flags: number, messageKey: number, body: readonly unknown[], attachment = new Uint8Array(0)): Buffer {
  return Buffer.concat([new FrameCodec(compute).encodeHead(flags, messageKey, 1, body, attachment), attachment])
}

/** The first frame of a hello to `cluster`, which may be told wrong. */
export function helloFrame(change: Partial<RequestOf<typeof hello>> = {}): Buffer {
  const asked = {
    versionMin: 1,
    versionMax: 1,
    cluster: clusterId('hostile-1'),
    node: nodeId('stranger'),
    role: 'client',
    incarnation: 0 as Incarnation,
    expected: '',
    nonce: new Uint8Array(16).fill(1),
    ...change,
  }
  return frame(flag.request, hello.key, hello.requestCodec.toWire(asked, 1, [2_000]))
}

export const falseProof = (): Buffer =>
  frame(flag.request, prove.key, prove.requestCodec.toWire({ proof: new Uint8Array(32).fill(9), frameBytesMax: 65_536 }, 1, [2_000]))

/** `length` in place of the frame's own. */
export function withLength(bytes: Buffer, length: number): Buffer {
  const changed = Buffer.from(bytes)
  changed.writeUInt32BE(length, 0)
  return changed
}

export class RawPeer {
  readonly socket: Socket
  readonly closed: Promise<void>
  readonly #frames: Frame[] = []
  #onFrame = (): void => {}

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise(settle => socket.once('close', () => settle()))
    // A reset is one of the ends that are expected.
    socket.on('error', () => 'told by close')
    const reader = new FrameReader(new FrameCodec(compute), 65_536, received => {
      this.#frames.push(received)
      this.#onFrame()
      return true
    })
    socket.on('data', bytes => reader.push(bytes))
  }

  static async connect(port: number, localAddress?: string): Promise<RawPeer> {
    const socket = connect({ host: '127.0.0.1', port, ...(localAddress === undefined ? {} : { localAddress }) })
    await once(socket, 'connect')
    return new RawPeer(socket)
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise(settle => this.socket.write(bytes, () => settle()))
  }

  /** The next frame; undefined when the connection ends before it comes. */
  async nextFrame(): Promise<Frame | undefined> {
    const arrived = new Promise<void>(settle => {
      this.#onFrame = settle
    })
    if (this.#frames.length === 0) await Promise.race([arrived, this.closed])
    return this.#frames.shift()
  }

  /** The error of the next frame, by name. */
  async nextError(): Promise<string | undefined> {
    const received = await this.nextFrame()
    if (received === undefined || (received.flags & flag.error) === 0) return undefined
    return errorNamed(received.body[0] as number)
  }

  destroy(): void {
    this.socket.destroy()
  }
}
