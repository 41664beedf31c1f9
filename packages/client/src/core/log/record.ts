// A record as applications write and read it.
import type { LogRecord, RecordHeader } from '@atoll/records'
import { AtollError } from '../atoll-error.ts'
import { Coder, type Shape, text } from './codec.ts'

export interface RecordInput<K, V, H> {
  /** Records with the same key go to the same partition, in order. */
  readonly key?: K | null | undefined
  /** Null deletes the key in a compacted topic. */
  readonly value: V | null
  readonly headers?: H | undefined
  /** Default: by the key, or wherever there is room. */
  readonly partition?: number | undefined
  /** Milliseconds since the Unix epoch. Default: now. */
  readonly timestamp?: number | undefined
}

export interface Message<K, V, H> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since the Unix epoch; -1 when it has none. */
  readonly timestamp: number
  readonly key: K | null
  readonly value: V | null
  readonly headers: H
}

/** What headers are without a schema: text by name. Of several with one name the last counts. */
export type TextHeaders = Readonly<Record<string, string>>

const FIELDS: ReadonlySet<string> = new Set(['key', 'value', 'headers', 'partition', 'timestamp'])
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A value that looks like a record itself has to be sent as the value of one. */
export function isRecord(input: unknown): input is RecordInput<unknown, unknown, unknown> {
  if (typeof input !== 'object' || input === null || input instanceof Uint8Array || !('value' in input)) return false
  return Object.keys(input).every(key => FIELDS.has(key))
}

/** The three sides of a topic. */
export class Coders {
  readonly key: Coder
  readonly value: Coder
  readonly #headers: Coder

  constructor({ key, value, headers }: { key?: Shape | undefined; value?: Shape | undefined; headers?: Shape | undefined }) {
    this.key = new Coder('key', key ?? text)
    this.value = new Coder('value', value ?? text)
    this.#headers = new Coder('headers', headers ?? text)
  }

  /** Headers as they are stored. Throws or rejects with an AtollError `invalid_record`. */
  headers(given: unknown): readonly RecordHeader[] | Promise<readonly RecordHeader[]> {
    if (given === undefined) return []
    const checked = this.#headers.check(given)
    const rows = (): readonly RecordHeader[] =>
      Object.entries(given as Record<string, unknown>).map(([key, value]) => ({ key, value: headerBytes(key, value) }))
    return checked instanceof Promise ? checked.then(rows) : rows()
  }

  /** Throws or rejects with an AtollError `invalid_record`. */
  async decode<K, V, H>(topic: string, partition: number, record: LogRecord): Promise<Message<K, V, H>> {
    const { key, value } = record
    const read: Record<string, string> = {}
    for (const header of record.headers) read[header.key] = header.value === null ? '' : decoder.decode(header.value)
    return {
      topic,
      partition,
      offset: record.offset,
      timestamp: record.timestampMs,
      key: key === null ? null : ((await this.key.decode(key)) as K),
      value: value === null ? null : ((await this.value.decode(value)) as V),
      headers: (await this.#headers.check(read)) as H,
    }
  }
}

function headerBytes(key: string, value: unknown): Uint8Array {
  if (typeof value === 'string') return encoder.encode(value)
  if (value instanceof Uint8Array) return value
  throw new AtollError('invalid_record', `the headers of a record: ${key}: want text or bytes, got ${typeof value}`, {
    operation: 'log_record',
  })
}
