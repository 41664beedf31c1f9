// Raft's batches as bytes: one RecordBatch v2 each, whose offset is the index and whose leader epoch the term. Both are
// repeated in each record, because the checksum of a batch leaves its header's out. The bytes are made once, by the leader,
// and are then stored and sent as they are.
//   record value: format u8 = 1, kind u8, term u64, index u64, then by kind: nothing | the command | a configuration
//   configuration: voters u8, learners u8, then for each: name length u8, name, disk length u8, disk; ASCII
import { assert } from '@atoll/base'
import { type Batch, type Configuration, type Entry, type EntryPayload, logIndex, type Member, makeBatch, term } from '@atoll/raft'
import { type BatchHeader, type Crc32c, checkBatch, decodeRecords, encodeBatch, leaderEpoch, offset, RecordsError } from '@atoll/records'

const FORMAT = 1
const HEAD_BYTES = 18
const kinds = ['empty', 'command', 'configuration'] as const satisfies readonly EntryPayload['kind'][]
/** Terms are 31 bits on the disk: one election a second for 68 years. */
const TERM_MAX = 2 ** 31 - 1

export class BatchCodec {
  readonly #crc32c: Crc32c
  /** The bytes of batches that are still in use. */
  readonly #bytes = new WeakMap<Batch, Uint8Array>()

  constructor(crc32c: Crc32c) {
    this.#crc32c = crc32c
  }

  encode(batch: Batch): Uint8Array {
    const made = this.#bytes.get(batch)
    if (made !== undefined) return made
    assert(batch.term <= TERM_MAX, 'a term has 31 bits')
    const bytes = encodeBatch(
      encodeEntries(batch.entries).map(value => ({ timestampMs: 0, value })),
      { crc32c: this.#crc32c, baseOffset: offset(batch.firstIndex), leaderEpoch: leaderEpoch(batch.term) },
    )
    this.#bytes.set(batch, bytes)
    return bytes
  }

  /** Several batches, one behind the other. */
  encodeAll(batches: readonly Batch[]): Uint8Array {
    return joined(batches.map(batch => this.encode(batch)))
  }

  /** Throws a RecordsError for anything but whole batches that this code made. Commands are views of `bytes`. */
  decodeAll(bytes: Uint8Array): Batch[] {
    const batches: Batch[] = []
    for (let start = 0; start < bytes.length; ) {
      const header = checkBatch(bytes, start, this.#crc32c)
      const own = bytes.subarray(start, start + header.sizeBytes)
      const batch = decodeBatch(own, header)
      this.#bytes.set(batch, own)
      batches.push(batch)
      start += header.sizeBytes
    }
    return batches
  }
}

function decodeBatch(bytes: Uint8Array, { baseOffset, leaderEpoch: epoch }: BatchHeader): Batch {
  if (epoch < 1 || baseOffset < 1) throw new RecordsError('malformed', `a Raft batch at offset ${baseOffset} of epoch ${epoch}`)
  const payloads = decodeRecords(bytes).map(({ value, offset: at }) => decodeEntry(value, epoch, at))
  if (payloads.length === 0) throw new RecordsError('malformed', 'a Raft batch without an entry')
  return makeBatch(term(epoch), logIndex(baseOffset), payloads)
}

/** All of them in one piece of memory: a hundred small ones cost far more. */
function encodeEntries(entries: readonly Entry[]): Uint8Array[] {
  const rests = entries.map(({ payload }) => restOf(payload))
  const all = new Uint8Array(rests.reduce((sum, rest) => sum + HEAD_BYTES + rest.length, 0))
  let at = 0
  return entries.map(({ term: inTerm, index, payload }, place) => {
    const rest = rests[place] as Uint8Array
    all[at] = FORMAT
    all[at + 1] = kinds.indexOf(payload.kind)
    setUint64(all, at + 2, inTerm)
    setUint64(all, at + 10, index)
    all.set(rest, at + HEAD_BYTES)
    const start = at
    at += HEAD_BYTES + rest.length
    return all.subarray(start, at)
  })
}

function restOf(payload: EntryPayload): Uint8Array {
  return payload.kind === 'command' ? payload.bytes : payload.kind === 'empty' ? NOTHING : encodeConfiguration(payload.configuration)
}

/** Of safe integers, without the detour over BigInt. */
function setUint64(bytes: Uint8Array, at: number, value: number): void {
  setUint32(bytes, at, Math.floor(value / 2 ** 32))
  setUint32(bytes, at + 4, value >>> 0)
}

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Beyond the safe integers it is not exact, and equals no term or index. */
function getUint64(bytes: Uint8Array, at: number): number {
  return getUint32(bytes, at) * 2 ** 32 + getUint32(bytes, at + 4)
}

function getUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  )
}

function decodeEntry(value: Uint8Array | null, epoch: number, at: number): EntryPayload {
  if (value === null || value.length < HEAD_BYTES || value[0] !== FORMAT) throw new RecordsError('malformed', `no Raft entry at ${at}`)
  const inTerm = getUint64(value, 2)
  const index = getUint64(value, 10)
  if (inTerm !== epoch || index !== at)
    throw new RecordsError('malformed', `the entry of index ${index}, term ${inTerm} stands at ${at} of term ${epoch}`)
  const rest = value.subarray(HEAD_BYTES)
  switch (kinds[value[1] as number]) {
    case 'empty':
      return { kind: 'empty' }
    case 'command':
      return { kind: 'command', bytes: rest }
    case 'configuration':
      return { kind: 'configuration', configuration: decodeConfiguration(rest) }
    default:
      throw new RecordsError('malformed', `an entry of kind ${value[1]} at ${at}`)
  }
}

export function encodeConfiguration({ voters, learners }: Configuration): Uint8Array {
  const text = new TextEncoder()
  const parts = [Uint8Array.of(voters.length, learners.length)]
  for (const { node, disk } of [...voters, ...learners])
    for (const name of [node, disk]) {
      const bytes = text.encode(name)
      parts.push(Uint8Array.of(bytes.length), bytes)
    }
  return joined(parts)
}

/** Throws a RecordsError when `bytes` are not exactly one configuration. */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const text = new TextDecoder()
  let at = 2
  const name = (): string => {
    const end = at + 1 + (bytes[at] ?? 0)
    const found = text.decode(bytes.subarray(at + 1, end))
    at = end
    return found
  }
  const members = (count: number): Member[] =>
    Array.from({ length: count }, () => ({ node: name() as Member['node'], disk: name() as Member['disk'] }))
  const voters = members(bytes[0] ?? 0)
  const learners = members(bytes[1] ?? 0)
  if (at !== bytes.length) throw new RecordsError('malformed', 'not a configuration')
  return { voters, learners }
}

/** One piece of many; a single one as it is. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  if (parts.length === 1 && first !== undefined) return first
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

const NOTHING = new Uint8Array(0)
