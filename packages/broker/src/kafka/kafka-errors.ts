// The errors that Kafka's clients know, by name (apache/kafka Errors.java). What a client may try again is Kafka's word,
// not ours: its libraries decide by the code alone.
import type { RecordsErrorCode } from '@atoll/records'

interface KafkaErrorRow {
  /** Number on the wire. */
  readonly code: number
  /** Whether clients try again by themselves, after asking anew who leads where that may have changed. */
  readonly retriable: boolean
  readonly doc: string
}

const row = (code: number, retriable: boolean, doc: string): KafkaErrorRow => ({ code, retriable, doc })

export const kafkaErrors = {
  unknown_server_error: row(-1, false, 'The broker failed; its log says how.'),
  none: row(0, false, 'No error.'),
  offset_out_of_range: row(1, false, 'The log does not have that offset.'),
  corrupt_message: row(2, true, 'The batch is cut off or does not match its checksum.'),
  unknown_topic_or_partition: row(3, true, 'This broker does not know the partition.'),
  leader_not_available: row(5, true, 'The partition has no leader at present.'),
  not_leader_or_follower: row(6, true, 'This broker does not lead the partition.'),
  request_timed_out: row(7, true, 'Not done in the time that the request gave.'),
  replica_not_available: row(9, true, 'The replica is not there at present.'),
  message_too_large: row(10, false, 'The batch is larger than the topic takes.'),
  offset_metadata_too_large: row(12, false, 'The words that go with a committed offset are too long.'),
  coordinator_load_in_progress: row(14, true, 'The coordinator still reads what it has to know.'),
  coordinator_not_available: row(15, true, 'The group has no coordinator at present.'),
  not_coordinator: row(16, true, 'This broker does not coordinate the group.'),
  invalid_topic_exception: row(17, false, 'A topic cannot have that name, or is not for clients to write.'),
  record_list_too_large: row(18, false, 'The batch is larger than a segment.'),
  not_enough_replicas: row(19, true, 'Too few replicas are in sync; nothing was written.'),
  not_enough_replicas_after_append: row(20, true, 'Too few replicas are in sync; the batch was written all the same.'),
  invalid_required_acks: row(21, false, '`acks` is neither 0, 1 nor -1.'),
  illegal_generation: row(22, false, 'The group is in another round.'),
  inconsistent_group_protocol: row(23, false, 'The member knows no assignor that all others know, or is of another type.'),
  invalid_group_id: row(24, false, 'A group cannot have that name.'),
  unknown_member_id: row(25, false, 'The group has no such member.'),
  invalid_session_timeout: row(26, false, 'The session timeout is outside of what the broker allows.'),
  rebalance_in_progress: row(27, false, 'The group is between two rounds: join again.'),
  invalid_commit_offset_size: row(28, false, 'The commit is too large.'),
  topic_authorization_failed: row(29, false, 'The client may not do that to the topic.'),
  group_authorization_failed: row(30, false, 'The client may not do that to the group.'),
  cluster_authorization_failed: row(31, false, 'The client may not do that to the cluster.'),
  invalid_timestamp: row(32, false, 'A record’s time is too far from now.'),
  unsupported_sasl_mechanism: row(33, false, 'The broker does not know that way to log in.'),
  illegal_sasl_state: row(34, false, 'The client is not at that step of logging in.'),
  unsupported_version: row(35, false, 'The request is not served in that version.'),
  topic_already_exists: row(36, false, 'There is a topic of that name.'),
  invalid_partitions: row(37, false, 'A topic cannot have so many partitions.'),
  invalid_replication_factor: row(38, false, 'There are not enough brokers for so many copies.'),
  invalid_replica_assignment: row(39, false, 'The replicas cannot be placed like that.'),
  invalid_config: row(40, false, 'A setting cannot have that value.'),
  not_controller: row(41, true, 'Another broker takes admin requests.'),
  invalid_request: row(42, false, 'The request contradicts itself.'),
  unsupported_for_message_format: row(43, false, 'The batches are of a format that does not have this.'),
  policy_violation: row(44, false, 'Against the rules of this cluster.'),
  out_of_order_sequence_number: row(45, false, 'A batch before this one is missing.'),
  duplicate_sequence_number: row(46, false, 'The batch was written before, too long ago to say where.'),
  invalid_producer_epoch: row(47, false, 'Another producer has taken over under the same name.'),
  invalid_txn_state: row(48, false, 'The transaction is not at that step.'),
  invalid_producer_id_mapping: row(49, false, 'The producer id is not that transactional id’s.'),
  invalid_transaction_timeout: row(50, false, 'The transaction timeout is more than the broker allows.'),
  concurrent_transactions: row(51, true, 'The transaction before is still being finished.'),
  transaction_coordinator_fenced: row(52, false, 'Another broker coordinates the transaction now.'),
  transactional_id_authorization_failed: row(53, false, 'The client may not use that transactional id.'),
  security_disabled: row(54, false, 'The broker has no rules about who may do what.'),
  operation_not_attempted: row(55, false, 'Another part of the request failed first.'),
  kafka_storage_error: row(56, true, 'The broker’s disk failed.'),
  log_dir_not_found: row(57, false, 'The broker has no such directory.'),
  sasl_authentication_failed: row(58, false, 'The login was refused.'),
  unknown_producer_id: row(59, false, 'All that the producer wrote has been deleted.'),
  reassignment_in_progress: row(60, false, 'The partition is being moved.'),
  non_empty_group: row(68, false, 'The group has members.'),
  group_id_not_found: row(69, false, 'There is no such group.'),
  fetch_session_id_not_found: row(70, true, 'The broker does not know the fetch session.'),
  invalid_fetch_session_epoch: row(71, true, 'The fetch session is at another request.'),
  listener_not_found: row(72, true, 'The leader has no address for clients like this one.'),
  topic_deletion_disabled: row(73, false, 'Topics cannot be deleted here.'),
  fenced_leader_epoch: row(74, true, 'The client’s leader epoch is older than the broker’s.'),
  unknown_leader_epoch: row(75, true, 'The client’s leader epoch is newer than the broker’s.'),
  unsupported_compression_type: row(76, false, 'The codec is unknown, or not for that version of the request.'),
  offset_not_available: row(78, true, 'A new leader does not know yet how far its followers are.'),
  member_id_required: row(79, false, 'Join again with the member id of this answer.'),
  preferred_leader_not_available: row(80, true, 'The replica that should lead is not in sync.'),
  group_max_size_reached: row(81, false, 'The group has as many members as it may.'),
  fenced_instance_id: row(82, false, 'Another member has taken over under the same static name.'),
  eligible_leaders_not_available: row(83, true, 'No replica can lead.'),
  election_not_needed: row(84, true, 'The right replica leads already.'),
  no_reassignment_in_progress: row(85, false, 'The partition is not being moved.'),
  group_subscribed_to_topic: row(86, false, 'The group consumes the topic.'),
  invalid_record: row(87, false, 'A record is not one that may be written there.'),
  unstable_offset_commit: row(88, true, 'A transaction that commits offsets is open.'),
  throttling_quota_exceeded: row(89, true, 'More was asked for than the client’s quota allows.'),
  producer_fenced: row(90, false, 'Another producer has taken over under the same transactional id.'),
  resource_not_found: row(91, false, 'There is nothing of that name.'),
  duplicate_resource: row(92, false, 'The request names it twice.'),
  unknown_topic_id: row(100, true, 'This broker does not know a topic with that id.'),
  inconsistent_topic_id: row(103, true, 'The topic of that name has another id.'),
  inconsistent_cluster_id: row(104, false, 'The client believes itself in another cluster.'),
  transactional_id_not_found: row(105, false, 'There is no such transactional id.'),
  fetch_session_topic_id_error: row(106, true, 'A topic of the fetch session has another id now.'),
  fenced_member_epoch: row(110, false, 'The group has moved past the member’s epoch.'),
  unreleased_instance_id: row(111, false, 'The static name is still in use.'),
  unsupported_assignor: row(112, false, 'The broker does not know that assignor.'),
  stale_member_epoch: row(113, false, 'The member’s epoch is not the present one.'),
  mismatched_endpoint_type: row(114, false, 'The request is for another kind of node.'),
  unsupported_endpoint_type: row(115, false, 'There are no nodes of that kind here.'),
  rebootstrap_required: row(129, false, 'The client has to start from its bootstrap addresses.'),
} as const satisfies Readonly<Record<string, KafkaErrorRow>>
export type KafkaErrorName = keyof typeof kafkaErrors

export function kafkaErrorCode(name: KafkaErrorName): number {
  return kafkaErrors[name].code
}

/** What a producer is told of a batch that is refused. */
const ofRecords: Readonly<Record<RecordsErrorCode, KafkaErrorName>> = {
  truncated: 'corrupt_message',
  bad_checksum: 'corrupt_message',
  unsupported_magic: 'invalid_record',
  unsupported_compression: 'unsupported_compression_type',
  // The checksum is right, so sending it again would not help.
  malformed: 'invalid_record',
  too_large: 'message_too_large',
  invalid_record: 'invalid_record',
}

export function kafkaErrorOfRecords(code: RecordsErrorCode): KafkaErrorName {
  return ofRecords[code]
}
