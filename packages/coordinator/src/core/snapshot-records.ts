// The format of snapshots: u32 length (big-endian) | msgpack array [number, fields…], again and again. The first record is
// the header, which names the format; the last says how many came before it. Checksums are the business of whoever stores it.
import {
  bool,
  bytes,
  COMMAND_ANSWER_BYTES_MAX,
  CONTEST_NAME_BYTES_MAX,
  CONTEST_VALUE_BYTES_MAX,
  field,
  i53,
  keyText,
  type LeaseId,
  MiB,
  oneOf,
  type Revision,
  storeKey,
  str,
  u16,
  u32,
  VALUE_BYTES_MAX,
} from '@atoll/protocol'

/** Raised when records change; a later one is refused, an earlier one read. */
export const SNAPSHOT_VERSION = 1
/** Largest record, in bytes: an answer with its entries, and as much again for their other fields. */
export const RECORD_BYTES_MAX = 2 * COMMAND_ANSWER_BYTES_MAX + MiB
/** The token of a contestant that only waits. */
export const NO_HOLDER = 0 as Revision

const lease = field(i53<LeaseId>(), 'The lease.')

/** Append, never renumber. */
export const recordTable = {
  header: {
    number: 1,
    fields: {
      format: field(u16(), 'The version of this format.'),
      appliedIndex: field(i53(), 'The last entry of the log that is included.'),
      digestA: field(u32(), 'Digest of all that was applied, first lane.'),
      digestB: field(u32(), 'Second lane.'),
      revision: field(i53<Revision>(), 'Of the store.'),
      compactRevision: field(i53<Revision>(), 'The first that can be read.'),
      historyRevisions: field(i53(), 'How far back the store keeps, in revisions.'),
      historyBytes: field(i53(), 'And in bytes.'),
    },
  },
  lease: { number: 2, fields: { lease, ttlMs: field(u32(), 'Its term, in milliseconds.'), session: field(bool(), 'It is a session.') } },
  version: {
    number: 3,
    fields: {
      key: field(storeKey(), 'The key; all its versions follow one another, oldest first, and keys are in order.'),
      createRevision: field(i53<Revision>(), '0 for a deletion.'),
      modRevision: field(i53<Revision>(), 'The revision that made it.'),
      version: field(i53(), 'Writes since the key was created; 0 for a deletion.'),
      value: field(bytes({ max: VALUE_BYTES_MAX }), 'The value.'),
      lease,
    },
  },
  contestant: {
    number: 4,
    fields: {
      kind: field(oneOf('lock', 'election'), 'For what.'),
      name: field(keyText({ min: 1, max: CONTEST_NAME_BYTES_MAX }), 'Its name; the holder comes first, then who waits, in order.'),
      lease,
      token: field(i53<Revision>(), 'Of the holder; 0 for one that waits.'),
      value: field(bytes({ max: CONTEST_VALUE_BYTES_MAX }), 'What it says of itself.'),
    },
  },
  session: { number: 5, fields: { session: lease, answeredBelow: field(i53(), 'Answers of lower sequences are forgotten.') } },
  answer: {
    number: 6,
    fields: {
      session: lease,
      sequence: field(i53(), 'Of the request.'),
      command: field(u16(), 'The number of the command; 0 when it was refused.'),
      body: field(bytes({ max: 2 * COMMAND_ANSWER_BYTES_MAX }), 'The answer, as a msgpack array [version, fields…].'),
      code: field(str({ max: 64 }), 'The error, when it was refused.'),
      message: field(str({ max: 4_096 }), 'Its sentence.'),
    },
  },
  end: { number: 7, fields: { records: field(i53(), 'How many records came before this one.') } },
} as const
