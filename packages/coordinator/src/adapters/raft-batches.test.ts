// Raft's batches as bytes: what goes in comes out, and nothing else does.
import { nodeId } from '@atoll/base'
import { type DiskId, logIndex, makeBatch, term } from '@atoll/raft'
import { RecordsError } from '@atoll/records'
import { createSimHashes } from '@atoll/sim-ports'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BatchCodec } from './raft-batches.ts'

const { crc32c } = await createSimHashes()
const codec = () => new BatchCodec((bytes, before) => crc32c(bytes, before))
const member = (name: string) => ({ node: nodeId(name), disk: `${name}-disk` as DiskId })
const configuration = { voters: [member('a'), member('b')], learners: [member('c')] }

const payload = fc.oneof(
  fc.constant({ kind: 'empty' as const }),
  fc.constant({ kind: 'configuration' as const, configuration }),
  fc.uint8Array({ maxLength: 300 }).map(bytes => ({ kind: 'command' as const, bytes })),
)

describe('the bytes of Raft’s batches', () => {
  it('[CO7] come back as the batches they were, however many stand behind each other', () => {
    fc.assert(
      fc.property(fc.array(fc.array(payload, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }), groups => {
        let next = 1
        const batches = groups.map((payloads, place) => {
          const batch = makeBatch(term(place + 1), logIndex(next), payloads)
          next += payloads.length
          return batch
        })
        expect(codec().decodeAll(codec().encodeAll(batches))).toEqual(batches)
      }),
      { seed: 7, numRuns: 200 },
    )
  })

  it('[CO7] are refused when any of them is another, the place of the batch included', () => {
    const batch = makeBatch(term(3), logIndex(40), [{ kind: 'command', bytes: Uint8Array.of(1, 2, 3) }, { kind: 'empty' }])
    const bytes = codec().encode(batch)
    for (let at = 0; at < bytes.length; at++) {
      const damaged = new Uint8Array(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      expect(() => codec().decodeAll(damaged), `byte ${at}`).toThrow(RecordsError)
    }
  })
})
