// What our nodes, topics and errors are called by Kafka's clients.
import { type NodeId } from '@atoll/base'
import type { ErrorCode } from '@atoll/protocol'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'

/** A broker's number: that at the end of its name. -1 for a name without one. */
export function brokerNumber(node: NodeId | undefined): number {
  const digits = /(\d{1,9})$/.exec(node ?? '')?.[1]
  return digits === undefined ? -1 : Number(digits)
}

const names: Readonly<Partial<Record<ErrorCode, KafkaErrorName>>> = {
  request_timed_out: 'request_timed_out',
  connection_lost: 'request_timed_out',
  not_connected: 'leader_not_available',
  no_leader: 'request_timed_out',
  not_leader: 'request_timed_out',
  too_many_requests: 'request_timed_out',
  shutting_down: 'not_leader_or_follower',
  unknown_message: 'unsupported_version',
  unknown_topic: 'unknown_topic_or_partition',
  topic_exists: 'topic_already_exists',
  invalid_topic: 'invalid_topic_exception',
  invalid_partitions: 'invalid_partitions',
  invalid_replication_factor: 'invalid_replication_factor',
  invalid_assignment: 'invalid_replica_assignment',
  invalid_config: 'invalid_config',
  invalid_argument: 'invalid_request',
  store_full: 'policy_violation',
  unknown_partition: 'unknown_topic_or_partition',
  not_partition_leader: 'not_leader_or_follower',
  partition_leadership_lost: 'not_leader_or_follower',
  fenced_leader_epoch: 'fenced_leader_epoch',
  unknown_leader_epoch: 'unknown_leader_epoch',
  not_enough_replicas: 'not_enough_replicas',
  not_enough_replicas_after_append: 'not_enough_replicas_after_append',
  out_of_order_sequence: 'out_of_order_sequence_number',
  invalid_producer_epoch: 'invalid_producer_epoch',
  invalid_batch: 'corrupt_message',
  batch_too_large: 'message_too_large',
  offset_out_of_range: 'offset_out_of_range',
  offset_not_available: 'offset_not_available',
  log_disk_full: 'kafka_storage_error',
  log_disk_failed: 'kafka_storage_error',
}

export function kafkaErrorOf(code: ErrorCode): KafkaErrorName {
  return names[code] ?? 'unknown_server_error'
}

/** Kafka says -1 for an epoch that is not known. */
export const knownEpoch = (epoch: number): number | undefined => (epoch < 0 ? undefined : epoch)
