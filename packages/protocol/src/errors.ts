// Every error of the native protocol is a row: its wire code, whether the request may have taken effect, and what a
// caller should do next. Retries and the history checkers read the same rows. Codes are never reused.

/**
 * `definite`: the request certainly had no effect. `indefinite`: it may have had, now or later.
 * When in doubt, `indefinite`.
 */
export type Outcome = 'definite' | 'indefinite'
/** `never`: the same request fails again. `after_refresh`: with new routing or state. `after_backoff`: later, as it is. */
export type RetryAdvice = 'never' | 'after_refresh' | 'after_backoff'

export interface ErrorRow {
  /** Number on the wire, 1 to 65,535. */
  readonly code: number
  readonly outcome: Outcome
  readonly retry: RetryAdvice
  readonly doc: string
}

const rows = {
  request_timed_out: { code: 1, outcome: 'indefinite', retry: 'after_backoff', doc: 'No answer within the deadline.' },
  connection_lost: {
    code: 2,
    outcome: 'indefinite',
    retry: 'after_backoff',
    doc: 'The connection ended after the request was sent and before its answer came.',
  },
  not_connected: { code: 3, outcome: 'definite', retry: 'after_backoff', doc: 'No connection could be made; the request was not sent.' },
  request_cancelled: { code: 4, outcome: 'indefinite', retry: 'never', doc: 'The caller gave the request up.' },
  too_many_requests: {
    code: 5,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'A bound on requests or queued bytes was reached; the request was not sent.',
  },
  unknown_message: {
    code: 6,
    outcome: 'definite',
    retry: 'never',
    doc: 'Not supported: this node does not know the message with that key.',
  },
  malformed_message: { code: 7, outcome: 'definite', retry: 'never', doc: 'The body does not have the form its table gives.' },
  message_too_large: { code: 8, outcome: 'definite', retry: 'never', doc: 'The message is larger than the receiver accepts.' },
  internal_error: {
    code: 9,
    outcome: 'indefinite',
    retry: 'never',
    doc: 'The node failed while it handled the request; its log says how.',
  },
  shutting_down: { code: 10, outcome: 'definite', retry: 'after_refresh', doc: 'The node is stopping and takes no new requests.' },
  invalid_argument: { code: 11, outcome: 'definite', retry: 'never', doc: 'A field of the request has a value that is not allowed.' },
  wrong_cluster: { code: 20, outcome: 'definite', retry: 'never', doc: 'The peer belongs to another cluster.' },
  wrong_secret: { code: 21, outcome: 'definite', retry: 'never', doc: 'The peer could not prove that it knows the cluster’s secret.' },
  wrong_node: { code: 22, outcome: 'definite', retry: 'after_refresh', doc: 'Another node than the one wanted answers at this address.' },
  unsupported_version: { code: 23, outcome: 'definite', retry: 'never', doc: 'The two nodes share no protocol version.' },
  hello_timed_out: { code: 24, outcome: 'definite', retry: 'after_backoff', doc: 'The hello was not finished within its deadline.' },
  hello_expected: { code: 25, outcome: 'definite', retry: 'never', doc: 'The first message of a connection is the hello.' },
  bad_frame: {
    code: 26,
    outcome: 'indefinite',
    retry: 'after_backoff',
    doc: 'The bytes are not a frame: wrong length, version, flags or nesting, or the rest of it does not come in time.',
  },
  bad_checksum: { code: 27, outcome: 'indefinite', retry: 'after_backoff', doc: 'A frame’s checksum does not match its bytes.' },
  slow_peer: { code: 28, outcome: 'indefinite', retry: 'after_backoff', doc: 'The peer did not take what was queued for it in time.' },
  bad_answer: {
    code: 29,
    outcome: 'indefinite',
    retry: 'never',
    doc: 'The request was handled, but its answer is larger than the caller accepts or not of the form its table gives.',
  },
  answer_dropped: {
    code: 30,
    outcome: 'indefinite',
    retry: 'after_backoff',
    doc: 'The request was handled, but too many bytes were queued for the caller to add its answer.',
  },
  unknown_node: { code: 40, outcome: 'definite', retry: 'never', doc: 'No node of that name exists in this cluster.' },
  wrong_state: { code: 41, outcome: 'definite', retry: 'after_refresh', doc: 'The node is not in a state in which this can be done.' },
  faults_not_enabled: { code: 42, outcome: 'definite', retry: 'never', doc: 'The cluster was started without fault injection.' },
  not_ready: { code: 43, outcome: 'indefinite', retry: 'after_backoff', doc: 'The cluster did not become ready within the deadline.' },
  not_leader: {
    code: 60,
    outcome: 'definite',
    retry: 'after_refresh',
    doc: 'This coordinator does not lead; `coordinator_status` says who does.',
  },
  no_leader: {
    code: 61,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'The coordinators have no leader at present; nothing was proposed.',
  },
  leadership_lost: {
    code: 62,
    outcome: 'indefinite',
    retry: 'after_refresh',
    doc: 'The coordinator lost its leadership before the request was committed; another leader may commit it.',
  },
  compacted: {
    code: 63,
    outcome: 'definite',
    retry: 'never',
    doc: 'That revision is forgotten; read the current state and go on from there.',
  },
  future_revision: { code: 64, outcome: 'definite', retry: 'after_backoff', doc: 'The store has not reached that revision.' },
  store_full: {
    code: 65,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'The keys and values would take more bytes than the store may hold.',
  },
  range_too_large: { code: 66, outcome: 'definite', retry: 'never', doc: 'The request is about more keys than one may be; ask in parts.' },
  answer_too_large: {
    code: 67,
    outcome: 'definite',
    retry: 'never',
    doc: 'The answer would be larger than is remembered for a retry; ask for less, or read apart.',
  },
  duplicate_key: { code: 68, outcome: 'definite', retry: 'never', doc: 'A transaction writes the same key twice.' },
  reserved_key: {
    code: 69,
    outcome: 'definite',
    retry: 'never',
    doc: 'Keys that begin with `$atoll/` are written by the coordinator alone.',
  },
  lease_not_found: { code: 70, outcome: 'definite', retry: 'never', doc: 'There is no such lease, or it has ended.' },
  lease_full: { code: 71, outcome: 'definite', retry: 'never', doc: 'No more keys may hang on that lease.' },
  too_many_leases: { code: 72, outcome: 'definite', retry: 'after_backoff', doc: 'The coordinator holds as many leases as it may.' },
  too_many_sessions: { code: 73, outcome: 'definite', retry: 'after_backoff', doc: 'The coordinator holds as many sessions as it may.' },
  session_expired: {
    code: 74,
    outcome: 'indefinite',
    retry: 'never',
    doc: 'There is no such session, or it has ended: this request had no effect, an earlier try of it may have had.',
  },
  session_busy: {
    code: 75,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'Too many answers are kept for the session; say which have arrived.',
  },
  sequence_forgotten: {
    code: 76,
    outcome: 'indefinite',
    retry: 'never',
    doc: 'The session said that it has the answer to that sequence, so it is kept no more.',
  },
  too_many_waiters: {
    code: 77,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'As many wait for that lock or office as may, or the lease stands in as many queues as it may.',
  },
  not_holder: {
    code: 78,
    outcome: 'definite',
    retry: 'never',
    doc: 'The lease neither holds nor waits for that lock or office, or the token is of an earlier election.',
  },
  too_many_watches: { code: 79, outcome: 'definite', retry: 'after_backoff', doc: 'The coordinator serves as many watches as it may.' },
  slow_watcher: {
    code: 80,
    outcome: 'definite',
    retry: 'after_refresh',
    doc: 'The watch fell too far behind; resume after the last revision received in full.',
  },
  identity_refused: {
    code: 81,
    outcome: 'definite',
    retry: 'never',
    doc: 'That name belongs to another disk or role, or that disk was retired: a node that lost its disk needs a new identity.',
  },
  stale_registration: { code: 82, outcome: 'definite', retry: 'never', doc: 'A later registration of that node exists.' },
  name_taken: {
    code: 83,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'The coordinator of that name is alive, on another disk: two processes claim one name.',
  },
  last_voter: { code: 84, outcome: 'definite', retry: 'never', doc: 'No other coordinator votes: without it there would be no cluster.' },
  client_closed: { code: 90, outcome: 'indefinite', retry: 'never', doc: 'The client was closed before the answer came.' },
  cluster_not_found: {
    code: 91,
    outcome: 'definite',
    retry: 'after_refresh',
    doc: 'There is no cluster where one was looked for, or it does not run.',
  },
  unknown_topic: { code: 100, outcome: 'definite', retry: 'after_refresh', doc: 'There is no topic of that name or identity.' },
  topic_exists: { code: 101, outcome: 'definite', retry: 'never', doc: 'A topic of that name exists.' },
  invalid_topic: {
    code: 102,
    outcome: 'definite',
    retry: 'never',
    doc: 'That name is none a topic may have, or the topic is the cluster’s own.',
  },
  invalid_partitions: { code: 103, outcome: 'definite', retry: 'never', doc: 'A topic cannot have that many partitions.' },
  invalid_replication_factor: {
    code: 104,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'There are not as many brokers as replicas are wanted.',
  },
  invalid_assignment: {
    code: 105,
    outcome: 'definite',
    retry: 'never',
    doc: 'The replicas are not distinct brokers that are known, with at least one there to lead.',
  },
  invalid_config: { code: 106, outcome: 'definite', retry: 'never', doc: 'No such setting, or not a value it may have.' },
  unknown_partition: { code: 107, outcome: 'definite', retry: 'after_refresh', doc: 'There is no such partition.' },
  fenced_leader_epoch: { code: 108, outcome: 'definite', retry: 'after_refresh', doc: 'The partition has a later leader.' },
  unknown_leader_epoch: {
    code: 109,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'That epoch of the partition’s leader has not begun.',
  },
  partition_changed: {
    code: 110,
    outcome: 'definite',
    retry: 'after_refresh',
    doc: 'The partition was changed since: propose again, from what it is now.',
  },
  replica_not_eligible: {
    code: 111,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'A broker that is away, about to stop or registered anew cannot be in sync.',
  },
  no_reassignment: { code: 112, outcome: 'definite', retry: 'never', doc: 'The partition is not being moved.' },
  election_not_needed: { code: 113, outcome: 'definite', retry: 'never', doc: 'The partition has such a leader already.' },
  leader_not_available: {
    code: 114,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'Nobody who may be elected is there.',
  },
  not_partition_leader: { code: 120, outcome: 'definite', retry: 'after_refresh', doc: 'This broker does not lead the partition.' },
  partition_leadership_lost: {
    code: 121,
    outcome: 'indefinite',
    retry: 'after_refresh',
    doc: 'The broker appended the batch and lost its leadership before it was committed; the next leader may have it or not.',
  },
  not_enough_replicas: {
    code: 122,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'Fewer replicas are in sync than the topic wants; nothing was appended.',
  },
  not_enough_replicas_after_append: {
    code: 123,
    outcome: 'indefinite',
    retry: 'after_backoff',
    doc: 'The batch was appended, and then too few replicas were in sync to commit it.',
  },
  out_of_order_sequence: {
    code: 124,
    outcome: 'definite',
    retry: 'never',
    doc: 'A batch of the same producer before this one is missing.',
  },
  invalid_producer_epoch: { code: 125, outcome: 'definite', retry: 'never', doc: 'A later producer has taken over that producer id.' },
  invalid_batch: { code: 126, outcome: 'definite', retry: 'never', doc: 'The bytes are not a record batch that a producer may send.' },
  offset_out_of_range: {
    code: 127,
    outcome: 'definite',
    retry: 'never',
    doc: 'The partition has no such offset: it was deleted, or was never there.',
  },
  offset_not_available: {
    code: 128,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'A new leader does not know yet how far its log is committed.',
  },
  log_disk_full: { code: 129, outcome: 'definite', retry: 'after_backoff', doc: 'The broker’s disk is full; nothing was appended.' },
  log_disk_failed: {
    code: 130,
    outcome: 'indefinite',
    retry: 'after_refresh',
    doc: 'The broker’s disk failed; whether what was appended is kept is not known.',
  },
  not_a_replica: { code: 131, outcome: 'definite', retry: 'after_refresh', doc: 'The follower has no replica of that partition.' },
  batch_too_large: { code: 140, outcome: 'definite', retry: 'never', doc: 'The batch is larger than the topic allows.' },
  unsupported_compression: { code: 141, outcome: 'definite', retry: 'never', doc: 'That codec is not there on this machine.' },
  invalid_record: {
    code: 142,
    outcome: 'definite',
    retry: 'never',
    doc: 'A record is not what the schema or the codec of its topic says, or its bytes are damaged.',
  },
  log_truncated: {
    code: 143,
    outcome: 'definite',
    retry: 'never',
    doc: 'Records that had been read are gone: an unclean leader had less of the log.',
  },
  consumer_stalled: {
    code: 144,
    outcome: 'definite',
    retry: 'after_backoff',
    doc: 'The consumer could read nothing, or asked for nothing, for longer than it may.',
  },
  no_group_coordinator: {
    code: 150,
    outcome: 'indefinite',
    retry: 'after_backoff',
    doc: 'The group has no coordinator at present, or it still reads what it has to know.',
  },
  not_group_coordinator: { code: 151, outcome: 'definite', retry: 'after_refresh', doc: 'This broker does not coordinate the group.' },
  unknown_member: { code: 152, outcome: 'definite', retry: 'never', doc: 'The group has no such member: it was away for too long.' },
  group_generation_over: { code: 153, outcome: 'definite', retry: 'never', doc: 'The group is in another round.' },
  rebalance_in_progress: { code: 154, outcome: 'definite', retry: 'after_refresh', doc: 'The group is between two rounds: join again.' },
  inconsistent_assignors: {
    code: 155,
    outcome: 'definite',
    retry: 'never',
    doc: 'The member knows no assignor that all others know, or is of another type.',
  },
  group_full: { code: 156, outcome: 'definite', retry: 'after_backoff', doc: 'The group has as many members as it may.' },
  unknown_group: { code: 157, outcome: 'definite', retry: 'never', doc: 'There is no such group.' },
  group_not_empty: { code: 158, outcome: 'definite', retry: 'never', doc: 'The group has members.' },
  member_replaced: { code: 159, outcome: 'definite', retry: 'never', doc: 'Another member has taken over under the same static name.' },
  commit_too_large: {
    code: 160,
    outcome: 'definite',
    retry: 'never',
    doc: 'More offsets, or more words with them, than one commit may have.',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof rows
/** All rows by name. */
export const errorRows: Readonly<Record<ErrorCode, ErrorRow>> = rows

const nameByCode: ReadonlyMap<number, ErrorCode> = new Map(Object.entries(rows).map(([name, row]) => [row.code, name as ErrorCode]))

/** The error with that wire code; undefined for one this version does not know. */
export function errorNamed(code: number): ErrorCode | undefined {
  return nameByCode.get(code)
}

/** What the world did to a request or a connection. Match on `code`; `outcome` says whether it may have taken effect. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ErrorCode
  constructor(code: ErrorCode, message?: string, options?: ErrorOptions) {
    super(message === undefined ? errorRows[code].doc : message, options)
    this.code = code
  }
  get outcome(): Outcome {
    return errorRows[this.code].outcome
  }
  get retry(): RetryAdvice {
    return errorRows[this.code].retry
  }
}
