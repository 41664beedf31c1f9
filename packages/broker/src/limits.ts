// Bounds of the broker that are not for operators, and are of none of its parts alone.
import { assert } from '@atoll/base'

/** After the coordinators could not be followed it is tried again after this, in milliseconds. */
export const METADATA_RETRY_MS = 200
/** A connection to another broker has to be there within this, in milliseconds. */
export const LINK_CONNECT_MS = 1_000
/** A change that the controller is asked for is given up after this; who wants it asks again. In milliseconds. */
export const CONTROLLER_CALL_MS = 2_000
/** After a refusal the controller is asked again after this, in milliseconds. */
export const CONTROLLER_RETRY_MS = 200
/** Logs opened at once. */
export const OPENING_MAX = 16
/** A log that could not be opened is tried again after this, in milliseconds. */
export const OPEN_RETRY_MS = 2_000
/** Whoever asks a leader whose copy is not open yet waits so long for it, in milliseconds. */
export const LEADS_SOON_MS = 1_000
/** What leadership is left gets this long to move when the broker stops, in milliseconds. */
export const HANDOVER_MS = 3_000
/** How often it is looked whether that is done, in milliseconds. */
export const HANDOVER_LOOK_MS = 20
/** Between two looks for what is old enough to be dropped, in milliseconds. */
export const RETENTION_LOOK_MS = 30_000
/** What was asked of Kafka's listener before it closes gets this long to be answered, in milliseconds. */
export const KAFKA_GRACE_MS = 1_000
/** A topic that was created or deleted is known here within this, as a rule, in milliseconds. */
export const TOPIC_KNOWN_MS = 5_000
/** A client that asks before this broker knows anything waits so long for it, in milliseconds. */
export const METADATA_WAIT_MS = 3_000
/** How long a producer may be made to wait for the other replicas, in milliseconds. */
export const PRODUCE_WAIT_MS_MAX = 120_000
/** How long an answer to a fetch may be held back, in milliseconds. */
export const FETCH_WAIT_MS_MAX = 60_000
/** Records in one answer to a fetch, in bytes; one batch may exceed it. */
export const FETCH_BYTES_MAX = 55 * 1_024 * 1_024
/** What the controller is asked about topics, in milliseconds. */
export const TOPIC_CALL_MS = 15_000
/** Partitions and replicas of a topic whose creator leaves that to the broker. */
export const PARTITIONS_DEFAULT = 1
export const REPLICAS_DEFAULT = 3
/** A native client's request that names no deadline is given up after this, in milliseconds. */
export const LOG_CALL_MS = 60_000

assert(CONTROLLER_CALL_MS > CONTROLLER_RETRY_MS, 'a call outlives a pause between two')
