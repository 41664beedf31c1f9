// What stands before every request and response (apache/kafka RequestHeader.json, ResponseHeader.json). The request's comes
// in two forms that matter, without and with tagged fields at the end; which one, its key and version say.
import type { Api } from './api.ts'
import { type Decoded, field, struct } from './fields.ts'
import { int16, int32 } from './kinds.ts'
import { WireError } from './wire-error.ts'
import { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

const fixed = {
  apiKey: field(int16, 'Which request this is.'),
  apiVersion: field(int16, 'The form of it.'),
  correlationId: field(int32, 'The response carries it back.'),
}
const fixedCoder = struct(fixed).coder(1, false)
const tagsCoder = struct({}).coder(2, true)

/** The part that is the same for all requests, which says how to read on. */
export function readRequestStart(reader: WireReader): Decoded<typeof fixed> {
  return fixedCoder.read(reader)
}

/**
 * The rest of the header: the client's name, with two bytes of length even in flexible versions, then the tagged fields. The
 * name is for logs and metrics, so what is not UTF-8 in it is replaced.
 */
export function readRequestRest(reader: WireReader, flexible: boolean): string | null {
  const length = reader.stringLength(false)
  const clientId = length === -1 ? null : reader.shownText(length)
  if (flexible) tagsCoder.read(reader)
  return clientId
}

/** True when requests of this version, and responses as a rule, have headers that end with tagged fields. */
export function isFlexible(api: Api, version: number): boolean {
  return version >= api.flexibleFrom
}

/** Begins a response: the length, which `finish` writes, and the header. */
export function beginResponse(writer: WireWriter, api: Api, version: number, correlationId: number): void {
  writer.begin()
  writer.int32(correlationId)
  if (isFlexible(api, version) && api.flexibleResponseHeader) tagsCoder.write(writer, {})
}

/** Begins a request, as a client does. */
export function beginRequest(writer: WireWriter, api: Api, version: number, correlationId: number, clientId: string | null): void {
  writer.begin()
  fixedCoder.write(writer, { apiKey: api.key, apiVersion: version, correlationId })
  if (clientId === null) writer.nullString(false)
  else writer.string(clientId, false)
  if (isFlexible(api, version)) tagsCoder.write(writer, {})
}

/** The reader of a response's body, as a client reads it. Throws a WireError when the response is another request's. */
export function readResponseStart(bytes: Uint8Array, api: Api, version: number, correlationId: number): WireReader {
  const reader = new WireReader(bytes)
  const answered = reader.int32()
  if (answered !== correlationId) throw new WireError('malformed', `response ${answered} to request ${correlationId}`)
  if (isFlexible(api, version) && api.flexibleResponseHeader) tagsCoder.read(reader)
  return reader
}
