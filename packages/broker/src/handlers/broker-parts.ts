// What the handlers of Kafka's requests share.
import type { ClusterId, Compute, NodeId } from '@atoll/base'
import { AtollError, type Client } from '@atoll/client/core'
import { KafkaError } from '../kafka/handlers.ts'
import type { LogAccess } from '../log-access.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import { kafkaErrorOf } from './kafka-names.ts'

export interface BrokerParts {
  readonly self: NodeId
  readonly clusterId: ClusterId
  readonly compute: Compute
  readonly metadata: ClusterMetadata
  readonly access: LogAccess
  /** For what the controller decides. */
  readonly client: Client
  /** Resolves once everything up to that revision is known here; false when that took too long. */
  readonly known: (revision: number, timeoutMs: number) => Promise<boolean>
  /** The next producer id that nobody else was given. Rejects with an AtollError. */
  readonly drawProducerId: () => Promise<number>
}

/** What a client is told of an answer of the controller's; anything that is no such answer is thrown on. */
export function toldOf(error: unknown): KafkaError {
  if (!(error instanceof AtollError)) throw error
  return new KafkaError(kafkaErrorOf(error.code as Parameters<typeof kafkaErrorOf>[0]), error.message, { cause: error })
}
