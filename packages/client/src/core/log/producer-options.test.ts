// What a producer may be told: what holds otherwise, and what is refused.
import { CompressionError } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { type ProducerOptions, resolveProducerOptions } from './producer-options.ts'

/** As Node 20 has it. */
const compression = {
  compress: (codec: string, bytes: Uint8Array) => {
    if (codec === 'zstd') throw new CompressionError('unsupported', 'this Node.js has no zstd')
    return bytes
  },
  decompress: (_codec: string, bytes: Uint8Array) => bytes,
}

describe('the options of a producer', () => {
  it('[SL7] name a codec that is there, or are refused at once', () => {
    for (const codec of ['none', 'gzip', 'snappy', 'lz4'] as const)
      expect(resolveProducerOptions({ compression: codec }, { compression })).toMatchObject({
        compression: codec,
        acks: 'all',
        idempotent: true,
      })
    expect(() => resolveProducerOptions({ compression: 'zstd' }, { compression })).toThrow(
      expect.objectContaining({ code: 'unsupported_compression', outcome: 'definite' }),
    )
  })

  it('[SL3] number batches wherever all acknowledge', () => {
    expect(resolveProducerOptions({ acks: 'leader' }, { compression }).idempotent).toBe(false)
    expect(() => resolveProducerOptions({ acks: 'leader', idempotent: true }, { compression })).toThrow('acks')
  })

  it.each<ProducerOptions>([
    { lingerMs: -1 },
    { lingerMs: 40_000 },
    { batchBytes: 0 },
    { batchBytes: 2 ** 30 },
    { bufferBytes: 0 },
    { timeoutMs: 0 },
  ])('[SL4] are refused when they make no sense: %o', options => {
    expect(() => resolveProducerOptions(options, { compression })).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })
})
