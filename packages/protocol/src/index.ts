// The front door of `protocol`: the native protocol's frames, tables, sessions and endpoints, and every conversation.

export { BodyCodec } from './body.ts'
export type { RequestOptions, StreamOptions } from './calls.ts'
export {
  adminConversation,
  LINK_RULES_MAX,
  type LinkRuleRow,
  linkRule,
  type MemberView,
  memberView,
  nodeMetrics,
  nodeSetLinks,
  nodeSetLogLevel,
  nodeStatus,
} from './conversations/admin.ts'
export {
  clusterAwaitReady,
  clusterStatus,
  clusterStop,
  controlConversation,
  type EndpointRow,
  linksReplace,
  nodesKill,
  nodesPause,
  nodesRestart,
  nodesResume,
  SUPERVISED_NODES_MAX,
  type SupervisedNode,
  supervisedNode,
} from './conversations/control.ts'
export {
  gossipConversation,
  gossipUnused,
  MEMBERS_MAX,
  type MemberMeta,
  type MemberState,
  type MemberUpdate,
  memberUpdate,
  swimAck,
  swimAckReliable,
  swimGossip,
  swimGossipReliable,
  swimNack,
  swimPing,
  swimPingReliable,
  swimPingRequest,
  swimSync,
  UPDATES_PER_MESSAGE_MAX,
} from './conversations/gossip.ts'
export { hello, helloConversation, prove } from './conversations/hello.ts'
export {
  KEY_BYTES_MAX,
  type KeyEntry,
  type KeySelection,
  keyEntry,
  keySelection,
  keyText,
  type LeaseId,
  type Revision,
  storeKey,
  VALUE_BYTES_MAX,
} from './conversations/keys.ts'
export {
  COMMAND_ANSWER_BYTES_MAX,
  type Compare,
  DELETE_KEYS_MAX,
  HISTORY_BYTES_MAX,
  kvCompact,
  kvConversation,
  kvDelete,
  kvGet,
  kvKeepHistory,
  kvPut,
  kvRange,
  kvTransaction,
  kvWatch,
  OPERATION_ENTRIES_MAX,
  type Operation,
  type OperationResult,
  RANGE_ENTRIES_MAX,
  TRANSACTION_COMPARES_MAX,
  TRANSACTION_OPERATIONS_MAX,
  WATCH_ITEM_EVENTS_MAX,
  type WatchEventRow,
} from './conversations/kv.ts'
export {
  RAFT_CHUNK_BYTES_MAX,
  RAFT_ENTRIES_BYTES_MAX,
  raftAppend,
  raftAppendAccepted,
  raftAppendRejected,
  raftConversation,
  raftHeartbeat,
  raftHeartbeatResponse,
  raftIdentify,
  raftJoin,
  raftNewerTerm,
  raftPreVoteRequest,
  raftPreVoteResponse,
  raftReadRequest,
  raftReadResponse,
  raftRemove,
  raftSnapshotChunk,
  raftSnapshotProgress,
  raftStatus,
  raftTimeoutNow,
  raftVoteRequest,
  raftVoteResponse,
} from './conversations/raft.ts'
export {
  coordinatorStatus,
  memberList,
  nodeRegister,
  nodeRetire,
  nodeStop,
  type RegisteredMember,
  registration,
  registryConversation,
} from './conversations/registry.ts'
export {
  CONTEST_NAME_BYTES_MAX,
  CONTEST_NAMES_MAX,
  CONTEST_VALUE_BYTES_MAX,
  type ContestHolder,
  contestList,
  electionCampaign,
  electionObserve,
  electionProclaim,
  electionRead,
  electionResign,
  LEASE_TTL_MS_MAX,
  LEASE_TTL_MS_MIN,
  LEASES_PER_KEEP_ALIVE_MAX,
  leaseGrant,
  leaseKeepAlive,
  leaseRead,
  leaseRevoke,
  lockAcquire,
  lockRead,
  lockRelease,
  rightsConversation,
  sessionOpen,
} from './conversations/rights.ts'
export { conversations } from './conversations.ts'
export { Deadlines, type Expiring } from './deadlines.ts'
export { type EndpointPorts, NativeEndpoint } from './endpoint.ts'
export { type ErrorCode, type ErrorRow, errorNamed, errorRows, type Outcome, ProtocolError, type RetryAdvice } from './errors.ts'
export {
  bool,
  bytes,
  decimal,
  type FieldType,
  f64,
  i53,
  list,
  nodeName,
  oneOf,
  optional,
  str,
  u8,
  u16,
  u32,
  type ValueOf,
} from './field-types.ts'
export { added, type Field, type Fields, FieldsCodec, field, type ObjectOf, struct } from './fields.ts'
export { type Frame, FrameCodec, flag, frameLength } from './frame.ts'
export { FrameReader } from './frame-reader.ts'
export { type Handler, type HandlersOf, HandlerTable } from './handlers.ts'
export { type Identity, PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MIN } from './handshake.ts'
export {
  DEADLINE_MS_DEFAULT,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MAX_BEFORE_HELLO,
  HELLO_TIMEOUT_MS,
  KiB,
  MiB,
  NESTING_DEPTH_MAX,
  UNAUTHENTICATED_CONNECTIONS_MAX,
} from './limits.ts'
export { MsgpackReader } from './msgpack-reader.ts'
export { protocolPage } from './page.ts'
export type { Peer, RequestContext } from './served-request.ts'
export type { Session } from './session.ts'
export { IncomingStream, type StreamSink } from './streams.ts'
export {
  type Attachment,
  type Conversation,
  conversation,
  type ItemOf,
  type Message,
  type MessageOf,
  type OneWay,
  oneWay,
  type RequestOf,
  type ResponseOf,
  type Rpc,
  rpc,
  type StreamRpc,
  stream,
} from './table.ts'
