// What a producer may be told, and what holds when it is not.
import { CompressionError } from '@atoll/base'
import { LOG_BATCH_BYTES_MAX } from '@atoll/protocol'
import type { Codec as Compression } from '@atoll/records'
import { AtollError } from '../atoll-error.ts'
import { BATCH_BYTES, BUFFER_BYTES, SEND_TIMEOUT_MS } from './limits.ts'
import type { LogParts } from './log-parts.ts'
import type { Partitioner, Spreading } from './partitioner.ts'

export interface ProducerOptions {
  /** What an acknowledgement means. `all`, the default: every in-sync replica has it on disk. `leader`: the leader has. `none`: nothing. */
  readonly acks?: 'all' | 'leader' | 'none' | undefined
  /** Each record is in the log once, however often it is sent, and in order. Default true with `acks` all; otherwise false. */
  readonly idempotent?: boolean | undefined
  /** How batches are compressed. Default `none`. */
  readonly compression?: Compression | undefined
  /** How long a batch waits for more, in milliseconds. Default 0: what one turn of the event loop brings goes together. */
  readonly lingerMs?: number | undefined
  /** A batch is sent when it is this long, in bytes. Default 256 KiB. */
  readonly batchBytes?: number | undefined
  /** Bytes held before senders wait. Default 32 MiB. */
  readonly bufferBytes?: number | undefined
  /** Where records without a partition and a key go, or a function that chooses for all. Default `sticky`. */
  readonly partitioner?: Spreading | Partitioner | undefined
  /** A record is acknowledged within this or fails, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined
}

export interface ResolvedProducerOptions {
  readonly acks: 'all' | 'leader' | 'none'
  readonly idempotent: boolean
  readonly compression: Compression
  readonly lingerMs: number
  readonly batchBytes: number
  readonly bufferBytes: number
  readonly partitioner: Spreading | Partitioner
  readonly timeoutMs: number
}

/** Throws an AtollError. */
export function resolveProducerOptions(options: ProducerOptions, { compression }: Pick<LogParts, 'compression'>): ResolvedProducerOptions {
  const acks = options.acks ?? 'all'
  const resolved: ResolvedProducerOptions = {
    acks,
    idempotent: options.idempotent ?? acks === 'all',
    compression: options.compression ?? 'none',
    lingerMs: options.lingerMs ?? 0,
    batchBytes: options.batchBytes ?? BATCH_BYTES,
    bufferBytes: options.bufferBytes ?? BUFFER_BYTES,
    partitioner: options.partitioner ?? 'sticky',
    timeoutMs: options.timeoutMs ?? SEND_TIMEOUT_MS,
  }
  const { lingerMs, batchBytes, bufferBytes, timeoutMs } = resolved
  const refuse = (why: string): never => {
    throw new AtollError('invalid_argument', `producer: ${why}`, { operation: 'log_produce' })
  }
  if (resolved.idempotent && acks !== 'all') refuse(`idempotent: true wants acks: 'all', got '${acks}'`)
  if (!(lingerMs >= 0 && lingerMs < timeoutMs)) refuse(`lingerMs: want 0 or more, and less than timeoutMs, got ${lingerMs}`)
  if (!(batchBytes > 0 && batchBytes <= LOG_BATCH_BYTES_MAX)) refuse(`batchBytes: want 1 to ${LOG_BATCH_BYTES_MAX}, got ${batchBytes}`)
  if (!(bufferBytes > 0)) refuse(`bufferBytes: want more than 0, got ${bufferBytes}`)
  if (!(timeoutMs > 0)) refuse(`timeoutMs: want more than 0, got ${timeoutMs}`)
  tryCodec(resolved.compression, compression)
  return resolved
}

/** Whether the codec is there shows now, and not with the first record. */
function tryCodec(codec: Compression, { compress }: LogParts['compression']): void {
  if (codec === 'none') return
  // LZ4 and Snappy are code of ours, and there before WebAssembly is.
  if (codec !== 'gzip' && codec !== 'zstd') return
  try {
    compress(codec, new Uint8Array(1))
  } catch (error) {
    if (!(error instanceof CompressionError)) throw error
    throw new AtollError('unsupported_compression', `producer: ${codec}: ${error.message}`, { operation: 'log_produce', cause: error })
  }
}
