// How groups and committed offsets stand in `__consumer_offsets`: Kafka's own records (apache/kafka,
// group-coordinator/src/main/resources/common/message), so that its tools read them. Keys of offsets are version 1, keys of
// groups version 2, values version 3. The topic is compacted: the last record of a key counts, and one without value ends it.
import { field, struct } from '../kafka/fields.ts'
import { array, bytes, int32, int64, nullable, string } from '../kafka/kinds.ts'
import { WireError } from '../kafka/wire-error.ts'
import { WireReader } from '../kafka/wire-reader.ts'
import { WireWriter } from '../kafka/wire-writer.ts'

const OFFSET_KEY_VERSION = 1
const GROUP_KEY_VERSION = 2
const VALUE_VERSION = 3

const offsetKey = struct({
  groupId: field(string, 'The group.'),
  topic: field(string, 'The topic.'),
  partition: field(int32, 'The partition.'),
}).coder(OFFSET_KEY_VERSION, false)

const groupKey = struct({ groupId: field(string, 'The group.') }).coder(GROUP_KEY_VERSION, false)

const offsetValue = struct({
  offset: field(int64, 'Next offset to consume.'),
  leaderEpoch: field(int32, 'The epoch of the record before it; -1 is unknown.'),
  metadata: field(string, 'The client’s own words.'),
  commitTimestamp: field(int64, 'Wall time of the commit, in milliseconds.'),
}).coder(VALUE_VERSION, false)

const groupValue = struct({
  protocolType: field(string, 'What the group is for.'),
  generation: field(int32, 'The round.'),
  protocol: field(nullable(string), 'The assignor chosen.'),
  leader: field(nullable(string), 'The member that assigned.'),
  currentStateTimestamp: field(int64, 'Wall time since which it is so, in milliseconds.'),
  members: field(
    array(
      struct({
        memberId: field(string, 'The member.'),
        groupInstanceId: field(nullable(string), 'Its name, if it is static.'),
        clientId: field(string, 'The client’s name.'),
        clientHost: field(string, 'Where it is.'),
        rebalanceTimeout: field(int32, 'In milliseconds.'),
        sessionTimeout: field(int32, 'In milliseconds.'),
        subscription: field(bytes, 'What it told the assignor.'),
        assignment: field(bytes, 'What it got.'),
      }),
    ),
    'All members.',
  ),
}).coder(VALUE_VERSION, false)

export interface StoredMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeout: number
  readonly sessionTimeout: number
  readonly subscription: Uint8Array
  readonly assignment: Uint8Array
}
export interface StoredGroup {
  readonly protocolType: string
  readonly generation: number
  readonly protocol: string | null
  readonly leader: string | null
  readonly currentStateTimestamp: number
  readonly members: readonly StoredMember[]
}
export interface StoredOffset {
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestamp: number
}

/** One record; without a value it ends what its key stands for. */
export interface GroupRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

export type ReadRecord =
  | {
      readonly kind: 'offset'
      readonly groupId: string
      readonly topic: string
      readonly partition: number
      readonly value: StoredOffset | undefined
    }
  | { readonly kind: 'group'; readonly groupId: string; readonly value: StoredGroup | undefined }

export function offsetRecord(groupId: string, topic: string, partition: number, value: StoredOffset | undefined): GroupRecord {
  return {
    key: written(OFFSET_KEY_VERSION, writer => offsetKey.write(writer, { groupId, topic, partition })),
    value: value && written(VALUE_VERSION, writer => offsetValue.write(writer, value)),
  }
}

export function groupRecord(groupId: string, value: StoredGroup | undefined): GroupRecord {
  return {
    key: written(GROUP_KEY_VERSION, writer => groupKey.write(writer, { groupId })),
    value: value && written(VALUE_VERSION, writer => groupValue.write(writer, value)),
  }
}

/** Undefined for a record of a kind that this build does not know. Throws a WireError for one that is damaged. */
export function readGroupRecord({ key, value }: GroupRecord): ReadRecord | undefined {
  const keyReader = new WireReader(key)
  const version = keyReader.int16()
  if (version === GROUP_KEY_VERSION) {
    const { groupId } = groupKey.read(keyReader)
    return { kind: 'group', groupId, value: value && valueOf(value, reader => groupValue.read(reader)) }
  }
  if (version !== OFFSET_KEY_VERSION) return undefined
  return { kind: 'offset', ...offsetKey.read(keyReader), value: value && valueOf(value, reader => offsetValue.read(reader)) }
}

function valueOf<T>(bytes: Uint8Array, read: (reader: WireReader) => T): T {
  const reader = new WireReader(bytes)
  const version = reader.int16()
  if (version !== VALUE_VERSION) throw new WireError('malformed', `a group record of version ${version}`)
  return read(reader)
}

/** `version`, then what `write` writes. */
function written(version: number, write: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter()
  writer.begin()
  writer.int16(version)
  write(writer)
  const [piece] = writer.finish()
  // Without the length that stands in front of messages.
  return piece === undefined ? new Uint8Array(0) : piece.slice(4)
}

/** Where a group’s state is: Kafka’s rule, Java’s hash of the name modulo the partitions. */
export function partitionOfGroup(groupId: string, partitions: number): number {
  let hash = 0
  for (let i = 0; i < groupId.length; i++) hash = (Math.imul(31, hash) + groupId.charCodeAt(i)) | 0
  return (hash & 0x7fff_ffff) % partitions
}
