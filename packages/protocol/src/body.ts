// A msgpack array outside a frame: what tables make of a message, for the places that keep messages (logs, snapshots).
import { Packr } from 'msgpackr'
import { ProtocolError } from './errors.ts'
import { MsgpackReader } from './msgpack-reader.ts'

/** Packs and unpacks arrays under the same rules as the body of a frame. */
export class BodyCodec {
  readonly #packr = new Packr({ useRecords: false, int64AsType: 'number', moreTypes: false, structuredClone: false })
  readonly #reader = new MsgpackReader()

  /** Bytes of the caller’s own. */
  encode(values: readonly unknown[]): Uint8Array {
    return new Uint8Array(this.#packr.pack(values))
  }

  /** Binary values are views of `bytes`: copy what is kept. Throws `bad_frame`. */
  decode(bytes: Uint8Array): readonly unknown[] {
    const values = this.#reader.read(bytes, 0, bytes.byteLength)
    if (!Array.isArray(values)) throw new ProtocolError('bad_frame', 'body is not an array')
    return values
  }
}
