// How the members of a group share partitions, as Kafka's clients do it, and the bytes in which they speak of it: version 0 of
// Kafka's consumer protocol (apache/kafka ConsumerProtocolSubscription.json, ConsumerProtocolAssignment.json). So members of
// any make can be in one group.
import { ProtocolError } from '@atoll/protocol'

export type Assignor = 'range' | 'roundrobin'

export interface Place {
  readonly topic: string
  readonly partition: number
}

export interface Subscriber {
  readonly memberId: string
  readonly topics: readonly string[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Who gets what. `partitions`: how many each topic has; one that is not known is left out. */
export function assign(
  assignor: Assignor,
  members: readonly Subscriber[],
  partitions: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly Place[]> {
  const assigned = new Map<string, Place[]>(members.map(({ memberId }) => [memberId, []]))
  const give = (memberId: string, place: Place): void => void assigned.get(memberId)?.push(place)
  const sorted = [...members].toSorted((a, b) => compare(a.memberId, b.memberId))
  const topics = [...partitions.keys()].toSorted(compare)
  if (assignor === 'range') for (const topic of topics) shareRange(topic, partitions.get(topic) ?? 0, sorted, give)
  else shareInTurn(topics, partitions, sorted, give)
  return assigned
}

/** Neighbouring partitions of each topic to each member; the first ones get one more. */
function shareRange(topic: string, count: number, members: readonly Subscriber[], give: (memberId: string, place: Place) => void): void {
  const takers = members.filter(({ topics }) => topics.includes(topic))
  if (takers.length === 0) return
  let next = 0
  for (const [index, { memberId }] of takers.entries()) {
    const share = Math.floor(count / takers.length) + (index < count % takers.length ? 1 : 0)
    for (let taken = 0; taken < share; taken++) give(memberId, { topic, partition: next++ })
  }
}

/** All partitions of all topics, one to each member in turn that wants it. */
function shareInTurn(
  topics: readonly string[],
  partitions: ReadonlyMap<string, number>,
  members: readonly Subscriber[],
  give: (memberId: string, place: Place) => void,
): void {
  let turn = 0
  for (const topic of topics)
    for (let partition = 0; partition < (partitions.get(topic) ?? 0); partition++) {
      const offset = members.findIndex((_, step) => members[(turn + step) % members.length]?.topics.includes(topic))
      if (offset < 0) break
      const taker = (turn + offset) % members.length
      give(members[taker]?.memberId ?? '', { topic, partition })
      turn = taker + 1
    }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What a member tells the assignor: the topics it wants. */
export function encodeSubscription(topics: readonly string[]): Uint8Array {
  const writer = new Writer()
  writer.i16(0)
  writer.i32(topics.length)
  for (const topic of topics) writer.text(topic)
  writer.i32(-1) // no data of the user's
  return writer.bytes()
}

/** Later versions begin alike; what follows is passed over. */
export function decodeSubscription(bytes: Uint8Array): readonly string[] {
  const reader = new Reader(bytes)
  reader.i16()
  return reader.list(() => reader.text())
}

export function encodeAssignment(places: readonly Place[]): Uint8Array {
  const byTopic = new Map<string, Place[]>()
  for (const place of places) byTopic.set(place.topic, [...(byTopic.get(place.topic) ?? []), place])
  const writer = new Writer()
  writer.i16(0)
  writer.i32(byTopic.size)
  for (const [topic, rows] of byTopic) {
    writer.text(topic)
    writer.i32(rows.length)
    for (const { partition } of rows) writer.i32(partition)
  }
  writer.i32(-1)
  return writer.bytes()
}

/** Nothing at all is nothing assigned. */
export function decodeAssignment(bytes: Uint8Array): readonly Place[] {
  if (bytes.length === 0) return []
  const reader = new Reader(bytes)
  reader.i16()
  return reader
    .list(() => {
      const topic = reader.text()
      return reader.list(() => ({ topic, partition: reader.i32() }))
    })
    .flat()
}

class Writer {
  readonly #bytes: number[] = []

  i16(value: number): void {
    this.#bytes.push((value >> 8) & 0xff, value & 0xff)
  }

  i32(value: number): void {
    this.i16(value >> 16)
    this.i16(value)
  }

  text(value: string): void {
    const utf8 = encoder.encode(value)
    this.i16(utf8.length)
    for (const byte of utf8) this.#bytes.push(byte)
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  i16(): number {
    return this.#view.getInt16(this.#take(2))
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4))
  }

  text(): string {
    const length = this.i16()
    const start = this.#take(length)
    return decoder.decode(this.#bytes.subarray(start, start + length))
  }

  list<T>(read: () => T): T[] {
    const count = this.i32()
    // Each element takes two bytes at least.
    if (count < 0 || count * 2 > this.#bytes.length - this.#at) throw malformed()
    return Array.from({ length: count }, read)
  }

  #take(length: number): number {
    const start = this.#at
    if (length < 0 || start + length > this.#bytes.length) throw malformed()
    this.#at += length
    return start
  }
}

const malformed = (): ProtocolError => new ProtocolError('malformed_message', 'the words of a member are not in Kafka’s form')
