// What serves requests: one function for each, by name. A listener tells clients of the requests that have one, and of no others.
import type { ApiName, KafkaRequest, KafkaResponse } from './apis.ts'
import type { KafkaErrorName } from './kafka-errors.ts'

/** Who is on the other side of a connection. */
export interface KafkaClient {
  /** Counts the listener's connections from 1. */
  readonly connection: number
  /** Address and port, for logs. */
  readonly remote: string
  /** Name and version of its library, if it said so. */
  readonly software: { readonly name: string; readonly version: string } | undefined
  /** Aborts when the connection is over: nobody waits for answers any more. */
  readonly signal: AbortSignal
}

/** What a handler may know of the request that it answers. */
export interface KafkaContext {
  readonly client: KafkaClient
  readonly apiVersion: number
  /** As the client calls itself. */
  readonly clientId: string | null
}

/**
 * Requests of one connection are handed over in the order in which they came, each before its predecessors are answered, but
 * a Fetch only when the one before it was; answers go out in that order whenever they are ready. A thrown KafkaError is answered in the form of the request's own
 * response, an InvariantError ends the process, anything else is logged and answered with `unknown_server_error`.
 */
export type KafkaHandler<Name extends ApiName> = (
  request: KafkaRequest<Name>,
  context: KafkaContext,
) => KafkaResponse<Name> | Promise<KafkaResponse<Name>>

/** ApiVersions is the listener's own: it follows from which of the others are there. */
export type KafkaHandlers = { readonly [Name in Exclude<ApiName, 'apiVersions'>]?: KafkaHandler<Name> }

/** A request that cannot be served, with the error that its client is told. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: KafkaErrorName
  constructor(code: KafkaErrorName, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
