// One request and its answer: what the bytes ask for, and the bytes that answer it.
import { InvariantError, type Logger } from '@atoll/base'
import { apiOf, type KafkaRequest, type KafkaResponse, type NamedApi } from './apis.ts'
import { errorResponse } from './error-responses.ts'
import { KafkaError, type KafkaHandlers } from './handlers.ts'
import { beginResponse, isFlexible, readRequestRest, readRequestStart } from './headers.ts'
import { type KafkaErrorName, kafkaErrorCode } from './kafka-errors.ts'
import { WireError } from './wire-error.ts'
import { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

/** A request that is not answered yet, or whose answer waits for those before it. */
export interface Exchange {
  readonly called: NamedApi
  readonly correlationId: number
  /** Of the request, and of the answer to it. */
  readonly version: number
  readonly clientId: string | null
  /** Undefined when it came in a version of ApiVersions that nobody here can read. */
  readonly request: unknown
  /** The client wants no answer: Produce with `acks` 0. */
  readonly silent: boolean
  /** What was taken for it of the memory of requests. */
  readonly takenBytes: number
  answer: object | undefined
}

/** Throws a WireError when the bytes are no request, or none that is served. */
export function readRequest(bytes: Uint8Array, takenBytes: number, handlers: KafkaHandlers): Exchange {
  const reader = new WireReader(bytes)
  const { apiKey, apiVersion, correlationId } = readRequestStart(reader)
  const called = apiOf(apiKey)
  const isServed = called !== undefined && (called.name === 'apiVersions' || handlers[called.name] !== undefined)
  if (!isServed) throw new WireError('malformed', `request ${apiKey} is not served`)
  const { api, name } = called
  const clientId = readRequestRest(reader, isFlexible(api, apiVersion))
  const common = { called, correlationId, clientId, takenBytes, answer: undefined }
  if (apiVersion < api.from || apiVersion > api.to) {
    if (name !== 'apiVersions') throw new WireError('malformed', `${api.name} is not served in version ${apiVersion}`)
    // What every client can read.
    return { ...common, version: 0, request: undefined, silent: false }
  }
  const request: unknown = api.request.read(reader, apiVersion)
  const silent = name === 'produce' && (request as KafkaRequest<'produce'>).acks === 0
  return { ...common, version: apiVersion, request, silent }
}

/** The answer with its header, in pieces. */
export function writeAnswer({ called: { api }, version, correlationId }: Exchange, answer: object, writer: WireWriter): Uint8Array[] {
  beginResponse(writer, api, version, correlationId)
  api.response.write(writer, version, answer as never)
  return writer.finish()
}

/** The answer to a request whose handler threw `error`. A bug is thrown on. */
export function failedAnswer({ called, request }: Exchange, error: unknown, logger: Logger): object {
  if (error instanceof InvariantError) throw error
  let name: KafkaErrorName = 'unknown_server_error'
  if (error instanceof KafkaError) name = error.code
  else logger.error({ event: 'kafka_handler_failed', request: called.name, error }, 'a request failed')
  const errorMessage = error instanceof KafkaError ? error.message : null
  return errorResponse(called.name, request as never, { errorCode: kafkaErrorCode(name), errorMessage })
}

export function hasFailed({ topics }: KafkaResponse<'produce'>): boolean {
  return topics.some(({ partitions }) => partitions.some(({ errorCode }) => errorCode !== 0))
}
