// As much of a gRPC client as a fair comparison with etcd needs: unary calls over one HTTP/2 connection, on Node's own
// HTTP/2, so that nothing stands between the two but what each protocol costs the same runtime. Messages are protobuf with
// two kinds of field: numbers and bytes.
import { type ClientHttp2Session, connect, constants } from 'node:http2'

export type Message = ReadonlyMap<number, number | bigint | Uint8Array>

/** What a message begins with: not compressed, and its length. */
const PREFIX_BYTES = 5

export class GrpcClient {
  readonly #session: ClientHttp2Session
  #failure: Error | undefined

  constructor(host: string, port: number) {
    this.#session = connect(`http://${host}:${port}`)
    this.#session.on('error', error => {
      this.#failure = error
    })
  }

  get usable(): boolean {
    return this.#failure === undefined && !this.#session.destroyed
  }

  /** Rejects when the call, or the connection, fails or the answer takes longer than `timeoutMs`. */
  unary(method: string, body: Uint8Array, timeoutMs = 10_000): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (!this.usable) return reject(this.#failure ?? new Error('the connection is closed'))
      const call = this.#session.request({
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: method,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
        [constants.HTTP2_HEADER_TE]: 'trailers',
      })
      const parts: Buffer[] = []
      let status: string | undefined
      const timer = setTimeout(() => call.close(constants.NGHTTP2_CANCEL), timeoutMs)
      call.on('response', headers => {
        status = headers['grpc-status'] as string | undefined
      })
      call.on('data', (part: Buffer) => parts.push(part))
      call.on('trailers', trailers => {
        status = trailers['grpc-status'] as string | undefined
      })
      call.on('error', (error: Error) => reject(error))
      call.on('close', () => {
        clearTimeout(timer)
        if (status !== '0') return reject(new Error(`${method} ended with status ${status ?? 'none'}`))
        const answer = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
        resolve(answer.subarray(PREFIX_BYTES))
      })
      const frame = Buffer.allocUnsafe(PREFIX_BYTES + body.length)
      frame[0] = 0
      frame.writeUInt32BE(body.length, 1)
      frame.set(body, PREFIX_BYTES)
      call.end(frame)
    })
  }

  close(): void {
    this.#session.destroy()
  }
}

/** A message of byte fields. */
export function encode(fields: readonly (readonly [number: number, value: Uint8Array])[]): Uint8Array {
  const bytes: number[] = []
  for (const [number, value] of fields) {
    bytes.push((number << 3) | 2)
    let length = value.length
    for (; length > 127; length >>>= 7) bytes.push((length & 127) | 128)
    bytes.push(length, ...value)
  }
  return Uint8Array.from(bytes)
}

/** The last value of each field. */
export function decode(bytes: Uint8Array): Message {
  const fields = new Map<number, number | bigint | Uint8Array>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] as number
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    if ((tag & 7) === 0) fields.set(tag >>> 3, varint())
    else {
      const length = Number(varint())
      fields.set(tag >>> 3, bytes.subarray(at, at + length))
      at += length
    }
  }
  return fields
}
