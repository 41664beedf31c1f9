// The front door of `broker`.
export { type Broker, startBroker } from './broker.ts'
export type {
  AskGroups,
  CoordinatorSettings,
  GroupAnswer,
  GroupEffects,
  GroupInput,
  GroupLog,
  GroupRecord,
  GroupRequest,
  GroupServiceOptions,
  GroupState,
} from './groups/index.ts'
export { defaultCoordinatorSettings, GroupCoordinator, GroupService, groupHandlers, partitionOfGroup } from './groups/index.ts'
export type { ApiName, KafkaRequest, KafkaResponse } from './kafka/apis.ts'
export { apis } from './kafka/apis.ts'
export type { KafkaClient, KafkaContext, KafkaHandler, KafkaHandlers } from './kafka/handlers.ts'
export { KafkaError } from './kafka/handlers.ts'
export type { KafkaErrorName } from './kafka/kafka-errors.ts'
export { kafkaErrorCode, kafkaErrorOfRecords, kafkaErrors } from './kafka/kafka-errors.ts'
export type { KafkaListenerOptions } from './kafka/listener.ts'
export { KafkaListener } from './kafka/listener.ts'
export { kafkaPage } from './kafka/page.ts'
export type {
  Acks,
  Answer,
  AppendRefusal,
  Assignment,
  ColdRead,
  Cut,
  DurableReport,
  Effects,
  EpochEnd,
  FetchCheck,
  Fetched,
  FetchedReplicas,
  FetcherSettings,
  FetchPosition,
  FetchRefusal,
  FetchRequest,
  FetchResponse,
  FetchResult,
  FollowerDurable,
  FollowerFetch,
  FollowerStatus,
  Input,
  IsrMember,
  IsrProposal,
  PartitionAnswer,
  PartitionLog,
  Placed,
  Produce,
  ProduceDoubt,
  ProduceRefusal,
  ProducerBatch,
  ProducerEntry,
  ProposalAnswer,
  ProposalRefusal,
  Read,
  ReadRefusal,
  ReceivedResponse,
  Registrations,
  ReplicaDriver,
  ReplicaEvent,
  ReplicaOptions,
  ReplicaSettings,
  ReplicaStatus,
  ResignReason,
  SequenceVerdict,
  ServedReplicas,
  StoredBatch,
  WaitingFetch,
} from './partition/index.ts'
export {
  defaultFetcherSettings,
  defaultSettings,
  FetchSession,
  FetchSessions,
  MemoryLog,
  PRODUCER_BATCHES,
  PRODUCES_WAITING_MAX,
  ProducerStates,
  Replica,
  ReplicaFetcher,
  ReplicaManager,
  WaitingFetches,
} from './partition/index.ts'
