// A value in the coordinator's store that others read: a msgpack array [version, fields…] of one set of fields, so that a
// reader of any later version knows what an earlier one meant by its silence.
import { BodyCodec } from './body.ts'
import { ProtocolError } from './errors.ts'
import { type Fields, FieldsCodec, type ObjectOf } from './fields.ts'

/** The format of stored records in this build. */
export const STORED_VERSION = 1

export class StoredRecord<F extends Fields> {
  readonly #codec: FieldsCodec<ObjectOf<F>>
  readonly #body = new BodyCodec()

  constructor(name: string, fields: F) {
    this.#codec = new FieldsCodec<ObjectOf<F>>(name, fields)
  }

  /** Throws `invalid_argument` naming the field that breaks its bounds. */
  write(row: ObjectOf<F>): Uint8Array {
    return this.#body.encode(this.#codec.toWire(row, STORED_VERSION, [STORED_VERSION]))
  }

  /** Throws `malformed_message`, or `unsupported_version` for one that a later build wrote. */
  read(value: Uint8Array): ObjectOf<F> {
    const wire = this.#body.decode(value)
    const version = wire[0]
    if (typeof version !== 'number') throw new ProtocolError('malformed_message', 'a record without its version')
    if (version > STORED_VERSION)
      throw new ProtocolError('unsupported_version', `a record of version ${version}, this build reads up to ${STORED_VERSION}`)
    return this.#codec.fromWire(wire, 1, version)
  }
}
