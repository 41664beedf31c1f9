// Compression out of Node's zlib module, which whoever may import it hands in: the port on Node.js and the simulated one are
// the same code.
import { CompressionError, type Compute } from './ports/compute.ts'

interface DecompressOptions {
  readonly maxOutputLength: number
}
/** What is used of `node:zlib`. Node below 22.15 has no zstd. */
export interface ZlibModule {
  gzipSync(bytes: Uint8Array): Uint8Array
  gunzipSync(bytes: Uint8Array, options: DecompressOptions): Uint8Array
  readonly zstdCompressSync?: (bytes: Uint8Array) => Uint8Array
  readonly zstdDecompressSync?: (bytes: Uint8Array, options: DecompressOptions) => Uint8Array
}

export function zlibCompression(zlib: ZlibModule): Pick<Compute, 'compress' | 'decompress'> {
  const { zstdCompressSync = noZstd, zstdDecompressSync = noZstd } = zlib
  return {
    compress: (codec, bytes) => plain(codec === 'gzip' ? zlib.gzipSync(bytes) : zstdCompressSync(bytes)),
    decompress(codec, bytes, sizeBytesMax) {
      // zlib takes nothing at all for a stream that has only just begun.
      if (bytes.length === 0) throw new CompressionError('malformed', 'no bytes')
      const options = { maxOutputLength: sizeBytesMax }
      try {
        return plain(codec === 'gzip' ? zlib.gunzipSync(bytes, options) : zstdDecompressSync(bytes, options))
      } catch (error) {
        throw error instanceof CompressionError ? error : asCompressionError(error, sizeBytesMax)
      }
    },
  }
}

function noZstd(): never {
  throw new CompressionError('unsupported', 'this Node.js has no zstd')
}

function asCompressionError(error: unknown, sizeBytesMax: number): CompressionError {
  const isTooLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
  if (isTooLarge) return new CompressionError('too_large', `more than ${sizeBytesMax} bytes when decompressed`)
  return new CompressionError('malformed', error instanceof Error ? error.message : String(error))
}

/** Node answers Buffers, whose `slice` does not copy. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length)
}
