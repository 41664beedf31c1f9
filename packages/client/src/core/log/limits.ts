// Bounds of the log’s client that are not for its users.
import { assert } from '@atoll/base'
import { KiB, LOG_BATCH_BYTES_MAX, LOG_FETCH_BYTES_MAX, MiB } from '@atoll/protocol'

/** A record is acknowledged within this or fails, unless its producer says otherwise, in milliseconds. */
export const SEND_TIMEOUT_MS = 30_000
/** Records of a producer that wait for their turn; one more is refused. */
export const SENDS_WAITING_MAX = 65_536
/** Bytes of records that a producer holds before senders have to wait, unless it says otherwise. */
export const BUFFER_BYTES = 32 * MiB
/** A batch is sent when it is this long, unless its producer says otherwise, in bytes. */
export const BATCH_BYTES = 256 * KiB
/** Largest record, in bytes: with its batch it has to fit what a topic takes by default. */
export const RECORD_BYTES_MAX = LOG_BATCH_BYTES_MAX
/** Batches of one partition under way at once: of so many a broker remembers what became of them (KIP-98). */
export const BATCHES_IN_FLIGHT = 5
/** One attempt to append, in milliseconds: a broker that is silent for longer is asked once more. */
export const PRODUCE_ATTEMPT_MS = 10_000
/** Epochs that a producer may begin in one partition (an i16, as in Kafka). */
export const PRODUCER_EPOCH_MAX = 32_767
/** New epochs for the sake of one batch; after that it fails. */
export const EPOCHS_PER_BATCH = 3

/** Between two tries of something that was refused for the moment: the first and the longest pause, in milliseconds; jittered by half. */
export const LOG_RETRY_MS_MIN = 20
export const LOG_RETRY_MS_MAX = 500
/** A connection to a broker has to be there within this, in milliseconds. */
export const BROKER_CONNECT_MS = 2_000
/** Short questions to a broker are answered within this, in milliseconds. */
export const BROKER_CALL_MS = 5_000
/** Where brokers are is asked at most this often, in milliseconds. */
export const BROKERS_ASKED_MS = 250

/** How long a fetch may be held while there is nothing to read, in milliseconds. */
export const FETCH_WAIT_MS = 500
/** A held fetch is answered within this, or its broker is taken for silent, in milliseconds. */
export const FETCH_ATTEMPT_MS = 5_000
/** Fetches under way to one broker: partitions that were emptied do not wait for those that are not. */
export const FETCHES_PER_BROKER = 4
/** Bytes that a consumer fetches ahead, unless it says otherwise. */
export const PREFETCH_BYTES = 16 * MiB
/** Bytes of one partition in one fetch. */
export const PARTITION_FETCH_BYTES = MiB
/** A consumer that could read nothing from a partition for so long fails, unless it says otherwise, in milliseconds. */
export const CONSUMER_STALL_MS = 60_000

/** A member of a group that is silent for so long is out, unless it says otherwise, in milliseconds. */
export const MEMBER_SESSION_MS = 10_000
/** How long a member may take to join the next round, in milliseconds. */
export const REBALANCE_MS = 30_000
/** What was processed is committed this often, in milliseconds. */
export const COMMIT_INTERVAL_MS = 1_000
/** A member that asks for no record for so long is stuck, unless it says otherwise, in milliseconds. */
export const POLL_MS_MAX = 300_000

assert(FETCH_WAIT_MS < FETCH_ATTEMPT_MS, 'a held fetch is answered before its broker is doubted')
assert(PARTITION_FETCH_BYTES <= LOG_FETCH_BYTES_MAX, 'a fetch has room for one partition')
assert(BATCH_BYTES <= LOG_BATCH_BYTES_MAX, 'a batch fits a request')
assert(PRODUCE_ATTEMPT_MS < SEND_TIMEOUT_MS, 'there is time for a second try')
