// Rule CL2: every file of ours says what it is and in which format, and whether it is whole.

import type { LeaderEpoch, Offset } from '@atoll/records'
import { crc32c } from '@node-rs/crc32'
import { expect, it } from 'vitest'
import type { CommitLogError } from './commit-log-error.ts'
import { decodeState, encodeState, type LogState } from './log-state.ts'
import { decodeOwn, encodeOwn } from './own-format.ts'

const state: LogState = {
  logStart: 7 as Offset,
  owedEnd: undefined,
  epochs: [
    { epoch: 1 as LeaderEpoch, start: 7 as Offset },
    { epoch: 3 as LeaderEpoch, start: (2 ** 40) as Offset },
  ],
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'none'
  } catch (error) {
    return (error as CommitLogError).code
  }
}

it('[CL2] gives back what was written', () => {
  for (const owedEnd of [undefined, 12 as Offset]) {
    const bytes = encodeState({ ...state, owedEnd }, crc32c)
    expect(Buffer.from(bytes.subarray(0, 8)).toString('latin1')).toBe('ATOL\0\x01\0\x01')
    expect(decodeState(bytes, 'state', crc32c)).toEqual({ ...state, owedEnd })
  }
})

it('[CL2] finds every flipped bit and every cut, and takes none of them for a newer format', () => {
  const bytes = encodeState(state, crc32c)
  for (let place = 0; place < bytes.length; place++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = bytes.slice()
      damaged[place]! ^= 1 << bit
      expect(
        codeOf(() => decodeState(damaged, 'state', crc32c)),
        `byte ${place}`,
      ).toBe('corrupt')
    }
    expect(codeOf(() => decodeState(bytes.subarray(0, place), 'state', crc32c))).toBe('corrupt')
  }
})

it('[CL2] tells a newer format from damage', () => {
  const bytes = encodeOwn('snapshot', new Uint8Array(9), crc32c)
  const fields = new DataView(bytes.buffer)
  fields.setUint16(6, 2)
  fields.setUint32(8, crc32c(bytes.subarray(0, 8)))
  expect(codeOf(() => decodeOwn('snapshot', bytes, 'snapshot', crc32c))).toBe('newer_format')
  expect(codeOf(() => decodeOwn('logState', encodeOwn('snapshot', new Uint8Array(9), crc32c), 'x', crc32c))).toBe('corrupt')
})
