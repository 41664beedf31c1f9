// A bounded share of the fuzzing that `npm run fuzz` does for as long as one likes.
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { describeFailure, ProtocolFuzzer } from './protocol-fuzzer.ts'

const INPUTS = 20_000
const SLOWEST_MS = 500

describe('hostile bytes', () => {
  it.each([1, 2, 3])('[FZ1] do no harm (seed %i)', async seed => {
    const fuzzer = new ProtocolFuzzer(seed, { ...(await createSimHashes()), secureBytes: length => new Uint8Array(length) })
    const { counts } = fuzzer
    while (counts.inputs < INPUTS) {
      try {
        await fuzzer.step()
      } catch (error) {
        throw describeFailure(error, seed, counts.inputs)
      }
    }
    expect(counts.slowestMs).toBeLessThan(SLOWEST_MS)
    // It reaches what lies behind the checksum and behind the hello.
    expect(counts.frames).toBeGreaterThan(INPUTS / 10)
    expect(counts.introduced).toBeGreaterThan(INPUTS / 20)
    expect(counts.survived).toBeGreaterThan(INPUTS / 100)
  })
})
