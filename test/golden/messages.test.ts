// The bytes of every message are what they were.
import { readFileSync } from 'node:fs'
import { FrameCodec } from '@atoll/protocol'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { goldenFile, goldenText } from './messages.ts'

describe('the bytes on the wire', () => {
  it('[FL5] are those of the golden file (if they may change: npx cluster --run golden)', async () => {
    expect((await goldenText()).split('\n')).toEqual(readFileSync(goldenFile, 'utf8').split('\n'))
  })

  it('[FL5] are the same whenever they are made', async () => {
    expect(await goldenText()).toBe(await goldenText())
  })

  it('[FL5] of the file itself are frames with right checksums', async () => {
    const codec = new FrameCodec({ ...(await createSimHashes()), secureBytes: length => new Uint8Array(length) })
    const samples = readFileSync(goldenFile, 'utf8')
      .trimEnd()
      .split(/\n(?! )/)
    expect(samples.length).toBeGreaterThan(50)
    for (const sample of samples) {
      const [title, ...rows] = sample.split('\n')
      const bytes = new Uint8Array(Buffer.from(rows.map(row => row.trim().split('  ')[1]).join(''), 'hex'))
      expect([title, codec.decode(bytes, 0, bytes.byteLength).bytes]).toEqual([title, bytes.byteLength])
    }
  })
})
