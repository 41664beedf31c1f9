// The log conversation: what native clients and other brokers ask of the partitions led here.
import { AtollError } from '@atoll/client/core'
import { errorRows, type HandlersOf, type LeaderEpoch, type logConversation, ProtocolError } from '@atoll/protocol'
import { RecordsError } from '@atoll/records'
import { type PartitionKey, partitionKeyOf } from '../adapters/fetch-wire.ts'
import { LOG_CALL_MS } from '../limits.ts'
import type { LogAccess } from '../log-access.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import { rulesOf } from '../metadata/topic-settings.ts'
import type { PartitionHost } from '../partition-host.ts'

/** What is there once the broker has begun. */
export interface LogParts {
  readonly host: PartitionHost
  readonly access: LogAccess
  readonly metadata: ClusterMetadata
  /** The next producer id that nobody else was given. Rejects with an AtollError. */
  drawProducerId(): Promise<number>
}

type Handlers = HandlersOf<typeof logConversation>

export function logHandlers(parts: () => LogParts | undefined): Handlers {
  const begun = (): LogParts => {
    const found = parts()
    if (found === undefined) throw new ProtocolError('not_ready', 'this broker is starting')
    return found
  }
  return {
    logProduce: async ({ topicId, partition, acks, attachment }, context) => {
      const { access, metadata } = begun()
      const topic = metadata.topicById(topicId)
      const key = metadata.keyOf(topicId, partition)
      if (topic === undefined || key === undefined) throw new ProtocolError('unknown_partition')
      if (topic.internal) throw new ProtocolError('invalid_topic', `${topic.name} is the cluster’s own`)
      const timeoutMs = Math.min(context.remainingMs(), LOG_CALL_MS)
      try {
        const appended = await access.append({ key, batch: attachment, rules: rulesOf(topic), acks, timeoutMs })
        return appended ?? { firstOffset: 0, logStart: 0, duplicate: false }
      } catch (error) {
        throw ofRecords(error)
      }
    },
    logFetch: async ({ partitions, bytesMin, bytesMax, maxWaitMs }) => {
      const { access } = begun()
      const wanted = partitions.map(one => ({ ...one, key: partitionKeyOf(one.topicId, one.partition) }))
      const found = await access.read(wanted, { bytesMin, bytesMax, maxWaitMs })
      const rows = found.map(({ error, batches, highWatermark, logStart, leaderEpoch }) => ({
        error: error === undefined ? 0 : errorRows[error].code,
        highWatermark,
        logStart,
        leaderEpoch: leaderEpoch as LeaderEpoch,
        recordsBytes: bytesOf(batches),
      }))
      return { partitions: rows, attachment: joined(found.flatMap(({ batches }) => batches)) }
    },
    logReplicaFetch: (request, { peer }) => {
      if (peer.role !== 'broker') throw new ProtocolError('unknown_node', `${peer.node} is no broker`)
      return begun().host.replicaFetch(peer.node, request)
    },
    logDurableEnds: (message, { peer }) => {
      if (peer.role === 'broker') parts()?.host.durableEnds(peer.node, message)
    },
    logListOffsets: async ({ topicId, partition, leaderEpoch, which, timestampMs }) => {
      const { access, metadata } = begun()
      const key = known(metadata, topicId, partition)
      const found = which === 'time' ? await access.atTime(key, timestampMs, leaderEpoch) : await access.end(key, which, leaderEpoch)
      const { offset = -1, timestampMs: atMs = -1 } = found
      return { offset, timestampMs: atMs, leaderEpoch: found.leaderEpoch as LeaderEpoch }
    },
    logEpochEnd: ({ topicId, partition, leaderEpoch, epoch }) => {
      const { access, metadata } = begun()
      const end = access.endOfEpoch(known(metadata, topicId, partition), epoch, leaderEpoch)
      return { epoch: (end?.epoch ?? -1) as LeaderEpoch, end: end?.end ?? -1 }
    },
    logDeleteRecords: async ({ topicId, partition, before }, context) => {
      const { access, metadata } = begun()
      const key = known(metadata, topicId, partition)
      if (metadata.topicById(topicId)?.internal === true) throw new ProtocolError('invalid_topic')
      return { lowWatermark: await access.deleteBefore(key, before, Math.min(context.remainingMs(), LOG_CALL_MS)) }
    },
    logProducerId: async () => {
      try {
        return { producerId: await begun().drawProducerId() }
      } catch (error) {
        if (!(error instanceof AtollError)) throw error
        throw new ProtocolError('not_connected', error.message, { cause: error })
      }
    },
  }
}

function known(metadata: ClusterMetadata, topicId: string, partition: number): PartitionKey {
  const key = metadata.keyOf(topicId, partition)
  if (key === undefined) throw new ProtocolError('unknown_partition')
  return key
}

/** A batch that may not be appended, as the native protocol says it. */
function ofRecords(error: unknown): unknown {
  if (!(error instanceof RecordsError)) return error
  return new ProtocolError(error.code === 'too_large' ? 'batch_too_large' : 'invalid_batch', error.message, { cause: error })
}

function joined(batches: readonly Uint8Array[]): Uint8Array {
  const [only] = batches
  if (only !== undefined && batches.length === 1) return only
  const whole = new Uint8Array(bytesOf(batches))
  let place = 0
  for (const batch of batches) {
    whole.set(batch, place)
    place += batch.length
  }
  return whole
}

const bytesOf = (batches: readonly Uint8Array[]): number => batches.reduce((sum, batch) => sum + batch.length, 0)
