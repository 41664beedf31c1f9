// Key-value: the coordinator's store as applications see it. Every transaction that changes something makes one revision;
// any revision not yet compacted can be read and watched from. The data model and its words are etcd's (etcd: "Data model").
import { bool, bytes, i53, list, oneOf, optional, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { MiB } from '../limits.ts'
import { conversation, rpc, stream } from '../table.ts'
import {
  consistency,
  KEY_BYTES_MAX,
  keyEntry,
  keySelection,
  keyText,
  type LeaseId,
  once,
  type Revision,
  revisionAfter,
  revisionRead,
  storeKey,
  VALUE_BYTES_MAX,
} from './keys.ts'

/** Operations in each branch of a transaction. */
export const TRANSACTION_OPERATIONS_MAX = 128
/** Conditions of a transaction. */
export const TRANSACTION_COMPARES_MAX = 128
/** Entries in one answer; the caller asks on from `next`. */
export const RANGE_ENTRIES_MAX = 10_000
/** Entries in the answer of one operation of a transaction. */
export const OPERATION_ENTRIES_MAX = 1_000
/** Keys that one request deletes: about five milliseconds. */
export const DELETE_KEYS_MAX = 4_096
/** Keys and values in the answer of a command, in bytes: it is remembered for retries. One value always fits. */
export const COMMAND_ANSWER_BYTES_MAX = 2 * MiB
/** Events in one item of a watch. */
export const WATCH_ITEM_EVENTS_MAX = 1_024
/** Longest history the store may be told to keep, in bytes of superseded keys and values. */
export const HISTORY_BYTES_MAX = 256 * MiB

/** What any request to the coordinator’s leader may meet. */
const leading = ['not_leader', 'no_leader', 'leadership_lost', 'too_many_requests', 'request_timed_out', 'shutting_down'] as const
/** The same for one that goes through a session. */
const exactlyOnce = [...leading, 'session_expired', 'session_busy', 'sequence_forgotten', 'message_too_large'] as const

const wantPrevious = field(bool(), 'Answer with what was there before.')
const leaseOfKey = field(i53<LeaseId>(), 'The lease that the key ends with; 0 for none.')

export const kvPut = rpc({
  key: 0x0501,
  name: 'kv_put',
  doc: 'Writes one key.',
  idempotent: true,
  request: {
    ...once,
    key: field(storeKey(), 'The key.'),
    value: field(bytes({ max: VALUE_BYTES_MAX }), 'Its value.'),
    lease: leaseOfKey,
    wantPrevious,
  },
  response: { revision: revisionAfter, previous: field(optional(keyEntry), 'The key before, when asked for and there was one.') },
  errors: [...exactlyOnce, 'store_full', 'lease_not_found', 'lease_full', 'reserved_key', 'answer_too_large'],
})

export const kvGet = rpc({
  key: 0x0502,
  name: 'kv_get',
  doc: 'Reads one key.',
  idempotent: true,
  request: { key: field(storeKey(), 'The key.'), revision: field(i53<Revision>(), 'Read as of this revision; 0: as of now.'), consistency },
  response: { revision: revisionRead, entry: field(optional(keyEntry), 'The key, if it is there.') },
  errors: [...leading, 'compacted', 'future_revision'],
})

const limit = field(u32({ max: RANGE_ENTRIES_MAX }), 'At most this many entries; 0: as many as an answer holds.')
const keysOnly = field(bool(), 'Leave the values out.')

export const kvRange = rpc({
  key: 0x0503,
  name: 'kv_range',
  doc: 'Reads keys in their order, a page at a time. Asking on at the revision of the first page gives one consistent picture.',
  idempotent: true,
  request: {
    selection: field(keySelection, 'Which keys.'),
    from: field(keyText({ min: 0, max: KEY_BYTES_MAX }), 'Only from this key on: the `next` of the page before. Empty: from the first.'),
    revision: field(i53<Revision>(), 'Read as of this revision; 0: as of now.'),
    limit,
    keysOnly,
    countOnly: field(bool(), 'Only count; then all keys that match are counted.'),
    consistency,
  },
  response: {
    revision: revisionRead,
    at: field(i53<Revision>(), 'The revision read: ask on with it.'),
    entries: field(list(keyEntry, { max: RANGE_ENTRIES_MAX }), 'The entries, in order of their keys.'),
    count: field(i53(), 'How many keys matched: all with `countOnly`, else those in this answer.'),
    next: field(optional(storeKey()), 'The key to ask on from, when the answer is not all.'),
  },
  errors: [...leading, 'compacted', 'future_revision'],
})

export const kvDelete = rpc({
  key: 0x0504,
  name: 'kv_delete',
  doc: 'Deletes keys, all in one revision; none if nothing matches.',
  idempotent: true,
  request: { ...once, selection: field(keySelection, 'Which keys.'), wantPrevious },
  response: {
    revision: revisionAfter,
    deleted: field(u32(), 'How many keys there were.'),
    previous: field(list(keyEntry, { max: DELETE_KEYS_MAX }), 'What they were, when asked for.'),
  },
  errors: [...exactlyOnce, 'range_too_large', 'answer_too_large', 'reserved_key'],
})

const compare = struct('compare', {
  key: field(storeKey(), 'The key. One that is not there has revisions, version and lease 0 and no value.'),
  target: field(oneOf('value', 'version', 'create_revision', 'mod_revision', 'lease'), 'What of it is compared.'),
  is: field(oneOf('equal', 'not_equal', 'less', 'greater'), 'The relation that must hold. No value is neither less nor greater.'),
  number: field(i53(), 'With what, for a number.'),
  value: field(bytes({ max: VALUE_BYTES_MAX }), 'With what, for a value; compared byte by byte.'),
})
export type Compare = ValueOf<typeof compare>

const operation = struct('operation', {
  kind: field(oneOf('put', 'range', 'delete'), 'What to do. A put selects `one` key.'),
  selection: field(keySelection, 'With which keys.'),
  value: field(bytes({ max: VALUE_BYTES_MAX }), 'For a put: the value.'),
  lease: leaseOfKey,
  wantPrevious,
  limit,
  keysOnly,
})
export type Operation = ValueOf<typeof operation>

const operationResult = struct('operation result', {
  entries: field(list(keyEntry, { max: OPERATION_ENTRIES_MAX }), 'What was read, or what was there before when asked for.'),
  count: field(u32(), 'Keys read, written or deleted.'),
  next: field(optional(storeKey()), 'For a range: the next key, when the limit cut it short.'),
})
export type OperationResult = ValueOf<typeof operationResult>

export const kvTransaction = rpc({
  key: 0x0505,
  name: 'kv_transaction',
  doc: 'Compares, then does one list of operations or the other, all in one revision. Later operations see earlier ones; a key is written once.',
  source: 'Sinfonia (Aguilera et al. 2007), etcd',
  idempotent: true,
  request: {
    ...once,
    compares: field(list(compare, { max: TRANSACTION_COMPARES_MAX }), 'All must hold for `success`; no compare at all holds.'),
    success: field(list(operation, { max: TRANSACTION_OPERATIONS_MAX }), 'Done when all compares hold.'),
    failure: field(list(operation, { max: TRANSACTION_OPERATIONS_MAX }), 'Done when one does not.'),
  },
  response: {
    revision: revisionAfter,
    succeeded: field(bool(), 'Whether `success` was done.'),
    results: field(list(operationResult, { max: TRANSACTION_OPERATIONS_MAX }), 'One for each operation done.'),
  },
  errors: [
    ...exactlyOnce,
    'duplicate_key',
    'store_full',
    'lease_not_found',
    'lease_full',
    'range_too_large',
    'answer_too_large',
    'reserved_key',
    'invalid_argument',
  ],
})

export const kvCompact = rpc({
  key: 0x0506,
  name: 'kv_compact',
  doc: 'Forgets what was superseded up to a revision. That revision can still be read, and watched from the one after it.',
  idempotent: true,
  request: { ...once, revision: field(i53<Revision>(), 'Up to which; what lies further back already is left as it is.') },
  response: { revision: revisionAfter, compactRevision: field(i53<Revision>(), 'The first revision that can still be read.') },
  errors: [...exactlyOnce, 'future_revision'],
})

export const kvKeepHistory = rpc({
  key: 0x0507,
  name: 'kv_keep_history',
  doc: 'Sets how much of the past is kept; the store compacts itself when either bound is passed.',
  idempotent: true,
  request: {
    ...once,
    revisions: field(i53(), 'At most this many revisions back from the current one, up to 50,000.'),
    bytes: field(i53(), 'At most this many bytes of superseded keys and values, up to 256 MiB.'),
  },
  response: { revision: revisionAfter, compactRevision: field(i53<Revision>(), 'The first revision that can still be read.') },
  errors: [...exactlyOnce, 'invalid_argument'],
})

const watchEvent = struct('watch event', {
  kind: field(oneOf('put', 'delete'), 'What happened to the key.'),
  entry: field(keyEntry, 'The key after it. A deleted one has version, create revision and lease 0 and no value.'),
  previous: field(optional(keyEntry), 'The key before it, when asked for and there was one.'),
})
export type WatchEventRow = ValueOf<typeof watchEvent>

export const kvWatch = stream({
  key: 0x0508,
  name: 'kv_watch',
  doc: 'Every change of the keys from a revision on, in order, without gap or repeat. The first item is a progress mark that says where it begins.',
  request: {
    selection: field(keySelection, 'Which keys.'),
    fromRevision: field(i53<Revision>(), 'The first revision wanted; 0: the one after the current.'),
    puts: field(bool(), 'Send puts.'),
    deletes: field(bool(), 'Send deletes.'),
    wantPrevious,
    progressMs: field(u32({ max: 600_000 }), 'Send a progress mark after this long without an event, in milliseconds; 0: never.'),
  },
  item: {
    throughRevision: field(i53<Revision>(), 'Everything wanted up to and including this revision has now been sent: resume after it.'),
    complete: field(bool(), 'False: the last event’s revision goes on in the next item; hand none of it on before.'),
    events: field(list(watchEvent, { max: WATCH_ITEM_EVENTS_MAX }), 'In order of revision, then key. None: a progress mark.'),
  },
  errors: ['compacted', 'slow_watcher', 'too_many_watches', 'no_leader', 'shutting_down'],
})

export const kvConversation = conversation({
  name: 'key_value',
  doc: 'The coordinator’s store. Any coordinator answers reads and watches; what changes something goes to the leader.',
  keys: 0x05,
  messages: { kvPut, kvGet, kvRange, kvDelete, kvTransaction, kvCompact, kvKeepHistory, kvWatch },
})
export { exactlyOnce, leading }
