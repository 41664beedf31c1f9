// Compression of a batch's records: the codecs Kafka knows, by the number the batch's attributes carry. This package
// only names them; whoever can compress hands the functions in.
import { RecordsError } from './records-error.ts'

/** In the order of their numbers. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]

/** Throws a RecordsError (`unsupported_compression`, `malformed`, `too_large`). The result is at most `sizeBytesMax` long. */
export type Decompress = (codec: Exclude<Codec, 'none'>, bytes: Uint8Array, sizeBytesMax: number) => Uint8Array
/** Throws a RecordsError (`unsupported_compression`). */
export type Compress = (codec: Exclude<Codec, 'none'>, bytes: Uint8Array) => Uint8Array

/** What stands in for a codec that is not there. */
export function notSupported(codec: Codec): never {
  throw new RecordsError('unsupported_compression', `records compressed with ${codec} are not supported`)
}
