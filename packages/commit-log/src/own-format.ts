// How every file of ours begins: four letters, what it is, the version of its format, and checksums. Segments and indexes
// are Kafka's and have nothing of the kind; the state file beside them speaks for the whole directory.
//   magic 'ATOL' @0, kind u16 @4, format version u16 @6, crc32c u32 @8 of what precedes it: these never change.
//   body length u32 @12, crc32c u32 @16 of the body, body @20: so it is in version 1.
// The first checksum is what makes a file of a later version, which is refused untouched, differ from a damaged one.
import type { Crc32c } from '@atoll/records'
import { CommitLogError } from './commit-log-error.ts'

export const kinds = { logState: 1, durableEnds: 2, snapshot: 3, hardState: 4, diskIdentity: 5, standing: 6, producers: 7 } as const
export type Kind = keyof typeof kinds

/** What this program writes, and the newest it reads. */
export const FORMAT_VERSION = 1
export const OWN_HEADER_BYTES = 20
const MAGIC = 0x41544f4c

export function encodeOwn(kind: Kind, body: Uint8Array, crc32c: Crc32c): Uint8Array {
  const bytes = new Uint8Array(OWN_HEADER_BYTES + body.length)
  const fields = new DataView(bytes.buffer)
  fields.setUint32(0, MAGIC)
  fields.setUint16(4, kinds[kind])
  fields.setUint16(6, FORMAT_VERSION)
  fields.setUint32(8, crc32c(bytes.subarray(0, 8)))
  fields.setUint32(12, body.length)
  fields.setUint32(16, crc32c(body))
  bytes.set(body, OWN_HEADER_BYTES)
  return bytes
}

/** True when something of ours may begin at `start`: enough to look closer. */
export function beginsOwn(bytes: Uint8Array, start: number): boolean {
  return bytes.length - start >= OWN_HEADER_BYTES && new DataView(bytes.buffer, bytes.byteOffset + start).getUint32(0) === MAGIC
}

/** The body. Throws a CommitLogError: `newer_format`, or `corrupt` for anything else that is not what was written. */
export function decodeOwn(kind: Kind, bytes: Uint8Array, path: string, crc32c: Crc32c): Uint8Array {
  const corrupt = (why: string): never => {
    throw new CommitLogError('corrupt', `${path}: ${why}`)
  }
  if (!beginsOwn(bytes, 0)) corrupt('not a file of ours')
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (fields.getUint32(8) !== crc32c(bytes.subarray(0, 8))) corrupt('wrong checksum of the header')
  if (fields.getUint16(4) !== kinds[kind]) corrupt(`not a file of kind ${kind}`)
  const version = fields.getUint16(6)
  if (version > FORMAT_VERSION)
    throw new CommitLogError('newer_format', `${path}: format ${version}, this program knows up to ${FORMAT_VERSION}`)
  const length = fields.getUint32(12)
  if (OWN_HEADER_BYTES + length > bytes.length) corrupt('cut short')
  const body = bytes.subarray(OWN_HEADER_BYTES, OWN_HEADER_BYTES + length)
  if (fields.getUint32(16) !== crc32c(body)) corrupt('wrong checksum')
  return body
}
