// The answer to ApiVersions: what this listener serves (KIP-35), also for those whose request it cannot read (KIP-511).
import { type ApiName, apis, type KafkaResponse } from './apis.ts'
import type { KafkaHandlers } from './handlers.ts'
import { kafkaErrorCode } from './kafka-errors.ts'

type Answer = KafkaResponse<'apiVersions'>
/** Kafka's own rule for what a client calls itself. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

const rowOf = (name: ApiName): Answer['apiKeys'][number] => {
  const { key, advertisedFrom, to } = apis[name]
  return { apiKey: key, minVersion: advertisedFrom, maxVersion: to }
}

/** One row for each request with a handler, and one for itself. */
export function servedVersions(handlers: KafkaHandlers): Answer {
  const served = (Object.keys(apis) as ApiName[]).filter(name => name === 'apiVersions' || handlers[name] !== undefined)
  return { errorCode: 0, apiKeys: served.map(rowOf).toSorted((one, other) => one.apiKey - other.apiKey) }
}

/** For a version of ApiVersions that is not served: written as version 0, so that the client can read which ones are. */
export const unsupportedVersion: Answer = { errorCode: kafkaErrorCode('unsupported_version'), apiKeys: [rowOf('apiVersions')] }

/** Whether a client may call its library, or that library's version, so. */
export function isSoftware(name: string): boolean {
  return SOFTWARE.test(name)
}
