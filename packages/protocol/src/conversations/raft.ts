// Raft between coordinators: one row per message of the paper and its companions, as `raft` declares them. Every message
// names the disks of both ends: a name on another disk is another server. Entries travel as they are stored, batches of
// RecordBatch v2 one after another, and the bytes of a snapshot as they lie in its file.
import { bool, i53, list, nodeName, oneOf, optional, str, u32 } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { MiB } from '../limits.ts'
import { conversation, oneWay, rpc } from '../table.ts'

/** Voters and learners together. */
export const COORDINATORS_MAX = 32
/** Batches in one message, in bytes: one whole batch, or as many as the leader may send at once, with their headers. */
export const RAFT_ENTRIES_BYTES_MAX = 8 * MiB
/** One part of a snapshot, in bytes. */
export const RAFT_CHUNK_BYTES_MAX = MiB

const diskName = (doc: string) => field(str({ max: 64 }), doc)
const index = (doc: string) => field(i53(), doc)

/** What all messages begin with. */
const between = {
  fromDisk: diskName('The disk of the sender.'),
  toDisk: diskName('The disk that the sender takes the receiver to have; on another it is not meant.'),
  term: field(i53(), 'The sender’s term; of a pre-vote the term its candidate would have.'),
}

const member = struct('coordinator', { node: field(nodeName(), 'Its name.'), disk: diskName('Its disk.') })
const members = list(member, { max: COORDINATORS_MAX })

const logEnd = {
  lastIndex: index('The last index of the candidate’s log.'),
  lastTerm: field(i53(), 'The term of the entry there.'),
}
const granted = field(bool(), 'The vote is given.')
const damaged = field(bool(), 'The sender lost entries it once had: it may be sent more, and does not count.')

export const raftPreVoteRequest = oneWay({
  key: 0x0601,
  name: 'raft_pre_vote_request',
  doc: 'Would you vote for me in this term? Raises nobody’s term.',
  source: 'Ongaro, dissertation, 9.6',
  message: { ...between, ...logEnd },
})
export const raftPreVoteResponse = oneWay({
  key: 0x0602,
  name: 'raft_pre_vote_response',
  doc: 'Granted: the term is the candidate’s. Refused: the voter’s own.',
  source: 'Ongaro, dissertation, 9.6',
  message: { ...between, granted },
})
export const raftVoteRequest = oneWay({
  key: 0x0603,
  name: 'raft_vote_request',
  doc: 'RequestVote.',
  source: 'Raft section 5.2',
  message: { ...between, ...logEnd, transfer: field(bool(), 'The leader itself asked for this election.') },
})
export const raftVoteResponse = oneWay({
  key: 0x0604,
  name: 'raft_vote_response',
  doc: 'The vote, which is on the voter’s disk.',
  source: 'Raft section 5.2',
  message: { ...between, granted },
})
export const raftAppend = oneWay({
  key: 0x0605,
  name: 'raft_append',
  doc: 'AppendEntries: the batches that follow `prevIndex`.',
  source: 'Raft section 5.3',
  message: {
    ...between,
    prevIndex: index('The index before the first of the batches.'),
    prevTerm: field(i53(), 'The term of the entry there.'),
    commit: index('Committed by the leader.'),
  },
  attachment: { max: RAFT_ENTRIES_BYTES_MAX, doc: 'Whole batches, as they are stored. None is a probe.' },
})
export const raftAppendAccepted = oneWay({
  key: 0x0606,
  name: 'raft_append_accepted',
  doc: 'The follower’s log equals the leader’s up to `match`, and is on its disk.',
  source: 'Raft section 5.3',
  message: { ...between, match: index('Inclusive.'), damaged },
})
export const raftAppendRejected = oneWay({
  key: 0x0607,
  name: 'raft_append_rejected',
  doc: 'No entry of the term asked for is at `prevIndex`.',
  source: 'Raft section 5.3, etcd-io/raft',
  message: {
    ...between,
    prevIndex: index('What was refused.'),
    hintIndex: index('The last index at which the two logs can agree.'),
    hintTerm: field(i53(), 'The term there.'),
    damaged,
  },
})
export const raftHeartbeat = oneWay({
  key: 0x0608,
  name: 'raft_heartbeat',
  doc: 'The leader leads.',
  source: 'Raft section 5.2, dissertation 6.4',
  message: {
    ...between,
    commit: index('Never past what the receiver is known to have.'),
    round: field(i53(), 'Its answer proves the leadership at a time after it was sent.'),
  },
})
export const raftHeartbeatResponse = oneWay({
  key: 0x0609,
  name: 'raft_heartbeat_response',
  doc: 'The follower follows.',
  source: 'Dissertation 6.4',
  message: { ...between, round: field(i53(), 'Of the heartbeat.') },
})
export const raftNewerTerm = oneWay({
  key: 0x060a,
  name: 'raft_newer_term',
  doc: 'To a leader of an earlier term, which would never learn otherwise that its time is over.',
  source: 'etcd-io/raft',
  message: between,
})
export const raftSnapshotChunk = oneWay({
  key: 0x060b,
  name: 'raft_snapshot_chunk',
  doc: 'A part of the leader’s snapshot.',
  source: 'Raft section 7',
  message: {
    ...between,
    index: index('The last entry that the snapshot stands for.'),
    indexTerm: field(i53(), 'The term of that entry.'),
    voters: field(members, 'Who votes as of that entry.'),
    learners: field(members, 'Who only learns.'),
    sizeBytes: field(i53(), 'Of the whole snapshot.'),
    offset: field(i53(), 'Where this part begins.'),
  },
  attachment: { max: RAFT_CHUNK_BYTES_MAX, doc: 'The bytes from `offset` on.' },
})
export const raftSnapshotProgress = oneWay({
  key: 0x060c,
  name: 'raft_snapshot_progress',
  doc: 'Everything before `nextOffset` of the snapshot at `index` has arrived.',
  source: 'Raft section 7',
  message: { ...between, index: index('Which snapshot.'), nextOffset: field(i53(), 'The first byte that is missing.') },
})
export const raftTimeoutNow = oneWay({
  key: 0x060d,
  name: 'raft_timeout_now',
  doc: 'Stand for election at once: the leader hands over.',
  source: 'Dissertation 3.10',
  message: between,
})
export const raftReadRequest = oneWay({
  key: 0x060e,
  name: 'raft_read_request',
  doc: 'A follower asks how far it has to be for a linearizable read.',
  source: 'Dissertation 6.4',
  message: { ...between, requestId: field(i53(), 'Of this try alone.') },
})
export const raftReadResponse = oneWay({
  key: 0x060f,
  name: 'raft_read_response',
  doc: 'So far.',
  source: 'Dissertation 6.4',
  message: { ...between, requestId: field(i53(), 'Of the request.'), index: index('To be applied before the read is served.') },
})

export const raftIdentify = rpc({
  key: 0x0610,
  name: 'raft_identify',
  doc: 'On which disk a coordinator is, and with whom its cluster was founded. Coordinators that meet for the first time found it of all their disks.',
  idempotent: true,
  request: {},
  response: {
    disk: diskName('Its disk; it stays while the disk does.'),
    founders: field(optional(members), 'Who voted first; nothing while this disk belongs to no cluster.'),
  },
  errors: [],
})
export const raftStatus = rpc({
  key: 0x0611,
  name: 'raft_status',
  doc: 'How one coordinator takes part in the agreement. Any answers, about itself.',
  idempotent: true,
  request: {},
  response: {
    node: field(nodeName(), 'Who answers.'),
    disk: diskName('Its disk.'),
    role: field(
      oneOf('founding', 'follower', 'candidate', 'leader'),
      '`founding`: it has not met all others yet, or not found a cluster that knows its disk.',
    ),
    term: field(i53(), 'Its term.'),
    leader: field(optional(nodeName()), 'Whom it takes for the leader.'),
    commitIndex: index('Known to be committed.'),
    appliedIndex: index('Applied.'),
    lastIndex: index('The last entry of its log.'),
    durableIndex: index('The last one on its disk.'),
    snapshotIndex: index('What its snapshot stands for.'),
    damaged: field(bool(), 'It lost entries that it once had, and takes no part until it has them again.'),
    voters: field(members, 'Who votes, as far as it knows.'),
    learners: field(members, 'Who only learns.'),
    storesPending: field(u32(), 'Writes that are not yet on disk.'),
  },
  errors: [],
})

/** What asking a coordinator other than the leader comes to, or a leader that cannot do it now. */
const leading = ['not_leader', 'no_leader', 'leadership_lost', 'too_many_requests', 'request_timed_out'] as const

export const raftJoin = rpc({
  key: 0x0612,
  name: 'raft_join',
  doc: 'A coordinator whose disk belongs to no configuration asks the leader to be taken in, again and again until it votes: each time the leader takes one step, from what is committed.',
  source: 'Dissertation chapter 4',
  idempotent: true,
  request: { disk: diskName('Its disk; its name is that of the connection.') },
  response: {
    standing: field(
      oneOf('waiting', 'learner', 'voter'),
      '`waiting`: the disk that had its name before is out, or about to be. `learner`: it is sent the log. `voter`: done.',
    ),
  },
  errors: [...leading, 'identity_refused', 'name_taken', 'wrong_state'],
})
export const raftRemove = rpc({
  key: 0x0613,
  name: 'raft_remove',
  doc: 'Takes a coordinator out for good: its disk is retired and votes no more. A leader that is to go hands over first and answers `not_leader`: ask its successor.',
  source: 'Dissertation chapter 4',
  idempotent: true,
  request: { node: field(nodeName(), 'Which.') },
  response: { voters: field(members, 'Who votes now.') },
  errors: [...leading, 'unknown_node', 'last_voter', 'wrong_state'],
})

export const raftConversation = conversation({
  name: 'raft',
  doc: 'Agreement among the coordinators.',
  keys: 0x06,
  messages: {
    raftPreVoteRequest,
    raftPreVoteResponse,
    raftVoteRequest,
    raftVoteResponse,
    raftAppend,
    raftAppendAccepted,
    raftAppendRejected,
    raftHeartbeat,
    raftHeartbeatResponse,
    raftNewerTerm,
    raftSnapshotChunk,
    raftSnapshotProgress,
    raftTimeoutNow,
    raftReadRequest,
    raftReadResponse,
    raftIdentify,
    raftStatus,
    raftJoin,
    raftRemove,
  },
})
