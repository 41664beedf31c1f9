// Rights that end: sessions, leases, locks and elections. A lease ends unless its owner keeps it alive; with it end the
// keys, the locks, the candidacies and the registration that hang on it, in one revision. A lock's or an election's token
// is the revision that granted it, so it only ever grows: whatever is protected refuses a smaller one (Burrows 2006
// section 2.4; Kleppmann 2016, "fencing tokens").
import { bool, bytes, i53, list, optional, str, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { KiB } from '../limits.ts'
import { conversation, rpc, stream } from '../table.ts'
import { consistency, keyText, type LeaseId, once, type Revision, revisionAfter, revisionRead } from './keys.ts'
import { exactlyOnce, leading } from './kv.ts'

/** Shortest and longest term of a lease, in milliseconds: a tenth of a second and a day. */
export const LEASE_TTL_MS_MIN = 100
export const LEASE_TTL_MS_MAX = 86_400_000
/** Leases kept alive by one request. */
export const LEASES_PER_KEEP_ALIVE_MAX = 1_024
/** Longest name of a lock or an election, in bytes of UTF-8: with its prefix it makes a key. */
export const CONTEST_NAME_BYTES_MAX = 512
/** Names of locks or elections in one answer. */
export const CONTEST_NAMES_MAX = 1_000
/** Longest value that a leader proclaims, or a lock’s owner says of itself, in bytes. */
export const CONTEST_VALUE_BYTES_MAX = KiB

const ttlMs = field(u32({ max: LEASE_TTL_MS_MAX }), 'How long it lasts after each sign of life, in milliseconds, 100 or more.')
const contestName = field(keyText({ min: 1, max: CONTEST_NAME_BYTES_MAX }), 'Its name.')
const byLease = field(i53<LeaseId>(), 'The lease on whose behalf this is asked; it stands once in each queue.')
const contestValue = (doc: string) => field(bytes({ max: CONTEST_VALUE_BYTES_MAX }), doc)

export const sessionOpen = rpc({
  key: 0x0520,
  name: 'session_open',
  doc: 'Opens a session: a lease that also remembers answers, so that retried requests take effect once.',
  source: 'Raft dissertation section 6.3',
  idempotent: true,
  request: { ttlMs },
  response: { session: field(i53<LeaseId>(), 'The session; it can be used wherever a lease is asked for.') },
  errors: [...leading, 'too_many_sessions', 'too_many_leases', 'invalid_argument'],
})

export const leaseGrant = rpc({
  key: 0x0521,
  name: 'lease_grant',
  doc: 'Grants a lease.',
  idempotent: true,
  request: { ...once, ttlMs },
  response: { lease: field(i53<LeaseId>(), 'The lease.') },
  errors: [...exactlyOnce, 'too_many_leases', 'invalid_argument'],
})

export const leaseKeepAlive = rpc({
  key: 0x0522,
  name: 'lease_keep_alive',
  doc: 'Begins a new term of leases. The caller counts it from when it sent the request. A new leader begins one for every lease.',
  idempotent: true,
  request: { leases: field(list(i53<LeaseId>(), { max: LEASES_PER_KEEP_ALIVE_MAX }), 'Which leases.') },
  response: {
    ttlMs: field(list(u32(), { max: LEASES_PER_KEEP_ALIVE_MAX }), 'The term of each, in milliseconds; 0: there is no such lease.'),
  },
  errors: leading,
})

export const leaseRevoke = rpc({
  key: 0x0523,
  name: 'lease_revoke',
  doc: 'Ends a lease or a session now, with all that hangs on it.',
  idempotent: true,
  request: { ...once, lease: field(i53<LeaseId>(), 'The lease.') },
  response: { revision: revisionAfter },
  errors: [...exactlyOnce, 'lease_not_found'],
})

export const leaseRead = rpc({
  key: 0x0524,
  name: 'lease_read',
  doc: 'What is known of a lease.',
  idempotent: true,
  request: { lease: field(i53<LeaseId>(), 'The lease.') },
  response: {
    ttlMs: field(u32(), 'Its term, in milliseconds.'),
    remainingMs: field(u32(), 'What is left of it, in milliseconds.'),
    keys: field(u32(), 'Keys that end with it.'),
    session: field(bool(), 'It is a session.'),
  },
  errors: [...leading, 'lease_not_found'],
})

/** Where a lease stands in a queue. */
const standing = {
  revision: revisionAfter,
  held: field(bool(), 'It has what it asked for.'),
  token: field(i53<Revision>(), 'The fencing token, when held: greater than every one given before under this name. Else 0.'),
  ahead: field(u32(), 'How many are before it, when it waits.'),
}

const contestErrors = [...exactlyOnce, 'lease_not_found', 'too_many_waiters', 'not_holder'] as const

export const lockAcquire = rpc({
  key: 0x0526,
  name: 'lock_acquire',
  doc: 'Asks for a lock. Answered when it is held, or at once with `wait` false. Whoever gives up waiting leaves the queue; a retry of that is `not_holder`.',
  idempotent: true,
  request: {
    ...once,
    name: contestName,
    lease: byLease,
    owner: contestValue('What the holder says of itself: the value of the key `$atoll/lock/<name>`.'),
    wait: field(bool(), 'Stand in the queue when somebody else holds it.'),
  },
  response: standing,
  errors: contestErrors,
})

export const lockRelease = rpc({
  key: 0x0527,
  name: 'lock_release',
  doc: 'Releases a lock, or leaves its queue.',
  idempotent: true,
  request: { ...once, name: contestName, lease: byLease },
  response: { revision: revisionAfter },
  errors: [...exactlyOnce, 'not_holder'],
})

const holder = struct('holder', {
  lease: field(i53<LeaseId>(), 'Its lease.'),
  token: field(i53<Revision>(), 'Its fencing token.'),
  value: contestValue('What it says of itself, or proclaims.'),
})
const held = {
  revision: revisionRead,
  holder: field(optional(holder), 'Who holds it.'),
  waiting: field(u32(), 'How many wait.'),
}

export const lockRead = rpc({
  key: 0x0528,
  name: 'lock_read',
  doc: 'Who holds a lock.',
  idempotent: true,
  request: { name: contestName, consistency },
  response: held,
  errors: leading,
})

export const electionCampaign = rpc({
  key: 0x0529,
  name: 'election_campaign',
  doc: 'Stands for election. Answered when elected. Whoever gives up waiting leaves the queue; a retry of that is `not_holder`.',
  idempotent: true,
  request: { ...once, name: contestName, lease: byLease, value: contestValue('What it proclaims when elected.') },
  response: standing,
  errors: contestErrors,
})

export const electionProclaim = rpc({
  key: 0x052a,
  name: 'election_proclaim',
  doc: 'The leader says something else of itself, without a new election.',
  idempotent: true,
  request: {
    ...once,
    name: contestName,
    lease: byLease,
    token: field(i53<Revision>(), 'Of its election: a leader that was deposed in between is refused.'),
    value: contestValue('What it proclaims.'),
  },
  response: { revision: revisionAfter },
  errors: [...exactlyOnce, 'not_holder'],
})

export const electionResign = rpc({
  key: 0x052b,
  name: 'election_resign',
  doc: 'Gives the office up, or leaves the queue.',
  idempotent: true,
  request: { ...once, name: contestName, lease: byLease },
  response: { revision: revisionAfter },
  errors: [...exactlyOnce, 'not_holder'],
})

export const electionRead = rpc({
  key: 0x052c,
  name: 'election_read',
  doc: 'Who is elected.',
  idempotent: true,
  request: { name: contestName, consistency },
  response: held,
  errors: leading,
})

export const electionObserve = stream({
  key: 0x052d,
  name: 'election_observe',
  doc: 'Who is elected, now and after each change. Later ones may stand for several changes; none ever goes back.',
  request: { name: contestName },
  item: held,
  errors: [...leading, 'too_many_watches'],
})

export const contestList = rpc({
  key: 0x052e,
  name: 'contest_list',
  doc: 'The locks or elections that somebody holds, by name.',
  idempotent: true,
  request: {
    elections: field(bool(), 'True for elections, false for locks.'),
    after: field(str({ max: CONTEST_NAME_BYTES_MAX }), 'Only names after this one; empty: from the first.'),
  },
  response: {
    names: field(
      list(keyText({ min: 1, max: CONTEST_NAME_BYTES_MAX }), { max: CONTEST_NAMES_MAX }),
      'The next names; none when there are no more.',
    ),
  },
  errors: leading,
})
export type ContestHolder = ValueOf<typeof holder>

export const rightsConversation = conversation({
  name: 'rights',
  doc: 'Sessions, leases, locks and elections: what a client may have for as long as it lives.',
  keys: 0x05,
  messages: {
    sessionOpen,
    leaseGrant,
    leaseKeepAlive,
    leaseRevoke,
    leaseRead,
    lockAcquire,
    lockRelease,
    lockRead,
    electionCampaign,
    electionProclaim,
    electionResign,
    electionRead,
    electionObserve,
    contestList,
  },
})
