// Compression of a batch's records: the codecs Kafka knows, by the number the batch's attributes carry. LZ4 and Snappy are
// code of this package; gzip and zstd are the machine's, and come by the Compute port.
import { CompressionError, type Compute } from '@atoll/base'
import { decodeLz4, encodeLz4 } from './lz4-frame.ts'
import { RecordsError } from './records-error.ts'
import { decodeSnappy, encodeSnappy } from './snappy.ts'

/** In the order of their numbers. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]
type Compressing = Exclude<Codec, 'none'>

/** Throws a RecordsError (`unsupported_compression`, `malformed`, `too_large`). The result is at most `sizeBytesMax` long. */
export type Decompress = (codec: Compressing, bytes: Uint8Array, sizeBytesMax: number) => Uint8Array
/** Throws a RecordsError (`unsupported_compression`). */
export type Compress = (codec: Compressing, bytes: Uint8Array) => Uint8Array

/** All of Kafka's codecs, both ways. */
export function createCompression(compute: Pick<Compute, 'compress' | 'decompress' | 'xxhash32'>): {
  readonly compress: Compress
  readonly decompress: Decompress
} {
  const xxhash32: Compute['xxhash32'] = (bytes, start, end) => compute.xxhash32(bytes, start, end)
  return {
    compress(codec, bytes) {
      if (codec === 'lz4') return encodeLz4(bytes, xxhash32)
      return codec === 'snappy' ? encodeSnappy(bytes) : compute.compress(codec, bytes)
    },
    decompress(codec, bytes, sizeBytesMax) {
      if (codec === 'lz4') return decodeLz4(bytes, sizeBytesMax, xxhash32)
      if (codec === 'snappy') return decodeSnappy(bytes, sizeBytesMax)
      try {
        return compute.decompress(codec, bytes, sizeBytesMax)
      } catch (error) {
        if (!(error instanceof CompressionError)) throw error
        throw new RecordsError(error.code === 'unsupported' ? 'unsupported_compression' : error.code, `${codec}: ${error.message}`)
      }
    },
  }
}

/** What stands in for a codec that is not there. */
export function notSupported(codec: Codec): never {
  throw new RecordsError('unsupported_compression', `records compressed with ${codec} are not supported`)
}
