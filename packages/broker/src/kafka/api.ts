// One request that Kafka's clients may send, with its response: a table from which types, codecs and docs are made.
import { assert } from '@atoll/base'
import { type Decoded, type Encodable, type Fields, struct } from './fields.ts'
import type { Coder } from './kinds.ts'
import { WireError } from './wire-error.ts'
import type { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

interface Declaration<Request extends Fields, Response extends Fields> {
  readonly key: number
  /** As Kafka calls it. */
  readonly name: string
  readonly doc: string
  /** First and last version that is served, inclusive. */
  readonly versions: readonly [from: number, to: number]
  /** First version that clients are told of. Default: the first that is served. */
  readonly advertisedFrom?: number
  /** First version in the form of KIP-482: compact lengths, tagged fields, and a request header that ends with some. */
  readonly flexibleFrom: number
  /** False where the response's header stays in the old form whatever the version. Default true. */
  readonly flexibleResponseHeader?: boolean
  readonly request: Request
  readonly response: Response
}

/** The codec of one message in all its versions. */
export interface MessageCodec<In, Out> {
  /** Reads a whole message: what is left of the bytes has to be it. Throws a WireError. */
  read(reader: WireReader, version: number): Out
  write(writer: WireWriter, version: number, value: In): void
}

export interface Api<Request extends Fields = Fields, Response extends Fields = Fields> {
  readonly key: number
  readonly name: string
  readonly doc: string
  readonly from: number
  readonly to: number
  readonly advertisedFrom: number
  readonly flexibleFrom: number
  readonly flexibleResponseHeader: boolean
  readonly requestFields: Request
  readonly responseFields: Response
  readonly request: MessageCodec<Encodable<Request>, Decoded<Request>>
  readonly response: MessageCodec<Encodable<Response>, Decoded<Response>>
}

export function api<Request extends Fields, Response extends Fields>(table: Declaration<Request, Response>): Api<Request, Response> {
  const [from, to] = table.versions
  assert(from >= 0 && from <= to, 'versions in order')
  return {
    key: table.key,
    name: table.name,
    doc: table.doc,
    from,
    to,
    advertisedFrom: table.advertisedFrom ?? from,
    flexibleFrom: table.flexibleFrom,
    flexibleResponseHeader: table.flexibleResponseHeader ?? true,
    requestFields: table.request,
    responseFields: table.response,
    request: messageCodec(table.request, from, to, table.flexibleFrom),
    response: messageCodec(table.response, from, to, table.flexibleFrom),
  }
}

/** What a handler is given. */
export type RequestOf<A> = A extends Api<infer Request, infer _> ? Decoded<Request> : never
/** What it answers. */
export type ResponseOf<A> = A extends Api<infer _, infer Response> ? Encodable<Response> : never

/** Compiles a version when it is first used: no client speaks them all. */
function messageCodec<F extends Fields>(fields: F, from: number, to: number, flexibleFrom: number): MessageCodec<Encodable<F>, Decoded<F>> {
  const kind = struct(fields)
  const compiled = new Map<number, Coder<Encodable<F>, Decoded<F>>>()
  const coderOf = (version: number): Coder<Encodable<F>, Decoded<F>> => {
    let coder = compiled.get(version)
    if (coder === undefined) {
      assert(version >= from && version <= to, 'a version that is served')
      coder = kind.coder(version, version >= flexibleFrom)
      compiled.set(version, coder)
    }
    return coder
  }
  return {
    read(reader, version) {
      const value = coderOf(version).read(reader)
      if (reader.remaining > 0) throw new WireError('malformed', `${reader.remaining} bytes after the message`)
      return value
    },
    write: (writer, version, value) => coderOf(version).write(writer, value),
  }
}
