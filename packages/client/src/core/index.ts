// The front door of the core: the client on the ports of base, for services and for the simulator.
export { AtollError, type NodeTrouble } from './atoll-error.ts'
export { Client, type ClientOptions, type ClientPorts, createClient, type ReachableOptions } from './client.ts'
export { endpointIn, type Whereabouts } from './coordinators.ts'
export type { BytesEntry, Entry, Selection, Value } from './entries.ts'
export type { KeyValue, PutOptions, RangeOptions, RangeResult, ReadOptions, Transaction } from './kv.ts'
export type { CallOptions } from './requests.ts'
export type { Condition, Operation, OperationResult, TransactionResult } from './transaction.ts'
