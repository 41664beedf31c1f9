// Raft's messages and their rows in the conversation: the core says what, the tables say how it travels.
import type { NodeId } from '@atoll/base'
import {
  type HandlersOf,
  type MessageOf,
  type OneWay,
  ProtocolError,
  raftAppend,
  raftAppendAccepted,
  raftAppendRejected,
  type raftConversation,
  raftHeartbeat,
  raftHeartbeatResponse,
  raftNewerTerm,
  raftPreVoteRequest,
  raftPreVoteResponse,
  raftReadRequest,
  raftReadResponse,
  raftSnapshotChunk,
  raftSnapshotProgress,
  raftTimeoutNow,
  raftVoteRequest,
  raftVoteResponse,
  type Session,
} from '@atoll/protocol'
import type { Envelope, Member, RaftMessage, SnapshotChunk } from '@atoll/raft'
import { RecordsError } from '@atoll/records'
import type { BatchCodec } from './raft-batches.ts'

/** Messages whose fields are the message's own. */
const plain = {
  pre_vote_request: raftPreVoteRequest,
  pre_vote_response: raftPreVoteResponse,
  vote_request: raftVoteRequest,
  vote_response: raftVoteResponse,
  append_accepted: raftAppendAccepted,
  append_rejected: raftAppendRejected,
  heartbeat: raftHeartbeat,
  heartbeat_response: raftHeartbeatResponse,
  newer_term: raftNewerTerm,
  snapshot_progress: raftSnapshotProgress,
  timeout_now: raftTimeoutNow,
  read_request: raftReadRequest,
  read_response: raftReadResponse,
} as const satisfies Record<Exclude<RaftMessage['kind'], 'append' | 'snapshot_chunk'>, OneWay>

/** A message and the bytes that travel beside it: those of a part of a snapshot. */
export interface Carried {
  readonly envelope: Envelope
  readonly chunk: Uint8Array | undefined
}

/** Puts a message on the wire. False when it was not even queued. */
export function transmit(session: Session, { envelope, chunk }: Carried, codec: BatchCodec): boolean {
  const { from, to, message } = envelope
  const between = { fromDisk: from.disk, toDisk: to.disk, term: message.term }
  switch (message.kind) {
    case 'append':
      return session.send(raftAppend, { ...message, ...between, attachment: codec.encodeAll(message.batches) })
    case 'snapshot_chunk': {
      const { index, term: indexTerm, configuration, sizeBytes } = message.snapshot
      const snapshot = { index, indexTerm, ...configuration, sizeBytes, offset: message.offset }
      return session.send(raftSnapshotChunk, { ...between, ...snapshot, attachment: chunk ?? new Uint8Array(0) })
    }
    default:
      return session.send(plain[message.kind] as OneWay, { ...message, ...between } as MessageOf<OneWay>)
  }
}

type Received = Omit<HandlersOf<typeof raftConversation>, 'raftIdentify' | 'raftStatus' | 'raftJoin' | 'raftRemove'>

/** Handlers that hand every message to `receive`. A RecordsError means entries that no leader sends. */
export function raftHandlers(self: NodeId, codec: BatchCodec, receive: (carried: Carried, session: Session) => void): Received {
  const hear = (
    wire: { readonly fromDisk: string; readonly toDisk: string },
    message: object,
    session: Session,
    chunk?: Uint8Array,
  ): void => {
    const from = { node: session.peer.node, disk: wire.fromDisk } as Member
    const to = { node: self, disk: wire.toDisk } as Member
    receive({ envelope: { from, to, message: message as RaftMessage }, chunk }, session)
  }
  const as =
    (kind: keyof typeof plain) =>
    ({ fromDisk, toDisk, ...rest }: { readonly fromDisk: string; readonly toDisk: string }, session: Session): void =>
      hear({ fromDisk, toDisk }, { kind, ...rest }, session)
  return {
    raftPreVoteRequest: as('pre_vote_request'),
    raftPreVoteResponse: as('pre_vote_response'),
    raftVoteRequest: as('vote_request'),
    raftVoteResponse: as('vote_response'),
    raftAppend: (wire, session) => {
      const { term, prevIndex, prevTerm, commit, attachment } = wire
      const batches = decoded(codec, attachment, session)
      if (batches !== undefined) hear(wire, { kind: 'append', term, prevIndex, prevTerm, commit, batches }, session)
    },
    raftAppendAccepted: as('append_accepted'),
    raftAppendRejected: as('append_rejected'),
    raftHeartbeat: as('heartbeat'),
    raftHeartbeatResponse: as('heartbeat_response'),
    raftNewerTerm: as('newer_term'),
    raftSnapshotChunk: (wire, session) => hear(wire, chunkOf(wire), session, wire.attachment),
    raftSnapshotProgress: as('snapshot_progress'),
    raftTimeoutNow: as('timeout_now'),
    raftReadRequest: as('read_request'),
    raftReadResponse: as('read_response'),
  }
}

function chunkOf({ term, index, indexTerm, voters, learners, sizeBytes, offset, attachment }: MessageOf<typeof raftSnapshotChunk>): object {
  const snapshot = { index, term: indexTerm, configuration: { voters, learners }, sizeBytes }
  const chunk = { kind: 'snapshot_chunk', term, snapshot, offset, lengthBytes: attachment.byteLength }
  return chunk as unknown as SnapshotChunk
}

/** Undefined, and the session over, for bytes that are no batches: whoever sends them is not to be talked to. */
function decoded(codec: BatchCodec, attachment: Uint8Array, session: Session): ReturnType<BatchCodec['decodeAll']> | undefined {
  try {
    return codec.decodeAll(attachment)
  } catch (error) {
    if (!(error instanceof RecordsError)) throw error
    session.destroy(new ProtocolError('malformed_message', `raft_append: ${error.message}`, { cause: error }))
    return undefined
  }
}
