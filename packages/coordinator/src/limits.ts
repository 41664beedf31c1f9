// Bounds of the coordinator around its core that are not for operators.
import { assert } from '@atoll/base'
import { FRAME_BYTES_MAX, KiB, LEASE_TTL_MS_MIN, MiB, RAFT_CHUNK_BYTES_MAX, RAFT_ENTRIES_BYTES_MAX } from '@atoll/protocol'
import { BATCH_BYTES_MAX, defaultSettings, ENTRY_OVERHEAD_BYTES } from '@atoll/raft'
import { BATCH_HEADER_BYTES } from '@atoll/records'
import { COMMAND_BYTES_MAX } from './core/index.ts'

/** Newest batches of the Raft log kept ready to be sent and applied, by what Raft counts of them. */
export const HOT_BATCH_BYTES_MAX = 16 * MiB
/** Read from the disk at once for a peer that is behind, or to be applied. */
export const LOAD_BYTES = MiB
/** Runs of batches read from the disk that are kept: one for each peer that is behind, and one for applying. */
export const LOADED_RUNS_MAX = 8
/** Between two tries of a write that found no room, in milliseconds. */
export const DISK_FULL_RETRY_MS = 250
/** Applying goes on for so many entries, then others have their turn. */
export const APPLY_SLICE_ENTRIES = 256
/** Proposals and reads not yet answered; one more is refused. */
export const WAITING_MAX = 16_384
/** Bytes of proposals gathered in one turn beyond which a batch is closed. */
export const BATCH_BYTES_WANTED = 256 * KiB
/** Batches proposed and not yet applied; then the next one waits and grows, up to its bytes. */
export const BATCHES_UNDER_WAY_MAX = 2
/** Messages that wait while a connection is made; more push out the oldest, which Raft sends again. */
export const LINK_WAITING_MAX = 64
/** For a connection between coordinators, in milliseconds. */
export const LINK_CALL_TIMEOUT_MS = 500
/** Between two tries to connect, in milliseconds. */
export const LINK_RETRY_MS = 50
/** Between two rounds of looking for the other founders, in milliseconds. */
export const FOUNDING_RETRY_MS = 50
/** Between two questions of a coordinator that wants to be taken in, in milliseconds; after a refusal that a person has to see to. */
export const JOIN_RETRY_MS = 100
export const JOIN_REFUSED_RETRY_MS = 2_000
/** For its question to one coordinator, in milliseconds: each of what the leader does for it is bounded too, and asked for again. */
export const JOIN_ASK_TIMEOUT_MS = 5_000
export const MEMBERSHIP_STEP_TIMEOUT_MS = 2_000
/** A disk's identity, in random bytes. */
export const DISK_ID_BYTES = 16
/** How long an ordered stop waits for the leadership to be handed over, in milliseconds. */
export const HAND_OVER_MS = 1_000
/** The longest that a request is carried on, whatever its caller says, in milliseconds. */
export const ASKED_MS_MAX = 600_000
/** Without a leader for so long, streams of changes end, in milliseconds. */
export const LEADERLESS_MS_MAX = 5_000
/** Streams woken before others have their turn; the item of each takes up to a fraction of a millisecond. */
export const RINGS_PER_TURN = 32
/** Observers of elections that one node serves. */
export const OBSERVERS_MAX = 4_096
/** Requests for locks and offices that are held open. */
export const CONTEST_WAITERS_MAX = 16_384
/** Proposing that somebody leaves a queue who gave up waiting takes at most this long, in milliseconds. */
export const LEAVE_MS_MAX = 5_000
/** Between two looks at the leases, in milliseconds: how late one may end, and how finely a pause is noticed. */
export const LEASE_LOOK_MS = 50
/** A look that comes later than this, in milliseconds, says that the process stood still. */
export const LEASE_LATE_MS_MAX = 20
/** Proposing that leases end takes at most this long, in milliseconds. */
export const EXPIRY_MS_MAX = 5_000

/** Between two tries of the controller after one that came to nothing, in milliseconds. */
export const CONTROLLER_RETRY_MS = 250
/** A proposal of the controller takes at most this long, in milliseconds. */
export const CONTROLLER_PROPOSAL_MS_MAX = 5_000
/** How long the controller tries to connect to who is said to be gone, in milliseconds. */
export const EXIT_PROBE_MS = 500
/** How long internal topics wait for as many brokers as are planned, in milliseconds. */
export const INTERNAL_TOPICS_PATIENCE_MS = 5_000
/** Leadership goes back to preferred leaders once nothing else happened for so long, in milliseconds. */
export const BALANCE_AFTER_MS = 10_000
/** Keys that the controller reads in one step when it begins. */
export const VIEW_SLICE_KEYS = 500
/** Partitions that it looks at in one step. */
export const PARTITIONS_LOOKED_AT_MAX = 1_000
/** How long a refused connection speaks for the absence of a process, in milliseconds. */
export const EXIT_EVIDENCE_MS = 5_000
/** Witnesses of one exit that are remembered. */
export const EXIT_WITNESSES_MAX = 8

/** What an entry takes as a record beside its command, and a batch beside its entries. */
export const RECORD_OVERHEAD_BYTES = 40

// A batch of one entry is the worst: Raft counts ENTRY_OVERHEAD_BYTES, the disk and the wire take a header and a record.
const worst = (BATCH_HEADER_BYTES + RECORD_OVERHEAD_BYTES) / ENTRY_OVERHEAD_BYTES
assert(RAFT_ENTRIES_BYTES_MAX >= worst * defaultSettings.appendBytesMax, 'what one message may hold fits its attachment')
assert(RAFT_ENTRIES_BYTES_MAX >= 2 * BATCH_BYTES_MAX, 'the largest batch fits its attachment')
assert(BATCH_BYTES_MAX >= COMMAND_BYTES_MAX + ENTRY_OVERHEAD_BYTES, 'the largest command fits a batch')
assert(LEASE_LOOK_MS < LEASE_TTL_MS_MIN, 'a lease is looked at within its shortest term')
assert(RAFT_CHUNK_BYTES_MAX >= defaultSettings.snapshotChunkBytes, 'a part of a snapshot fits its attachment')
assert(FRAME_BYTES_MAX > RAFT_ENTRIES_BYTES_MAX + MiB, 'a frame holds what an append may')

/** Applied entries after which the state is written down, and the log before it discarded. */
export const SNAPSHOT_ENTRIES = 20_000
/** How many of those are kept behind it, so that a peer that was away for a moment does not need the snapshot. */
export const KEEP_SHARE = 0.25
