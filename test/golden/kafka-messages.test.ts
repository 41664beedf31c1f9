// A message of each kind in each version, whose bytes Kafka's Java clients read and wrote alike (kafka-clients 4.1.0, and
// 3.9.0 for versions that 4.1 no longer has): they stay what they are. Every line: message, part, version, body.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { apis } from '../../packages/broker/src/kafka/apis.ts'
import { WireReader } from '../../packages/broker/src/kafka/wire-reader.ts'
import { WireWriter } from '../../packages/broker/src/kafka/wire-writer.ts'

const lines = readFileSync(join(import.meta.dirname, 'kafka-messages.txt'), 'utf8')
  .trimEnd()
  .split('\n')
const rows = lines.map(line => line.split(' ') as [string, 'request' | 'response', string, string?])

describe('the bytes of Kafka’s protocol', () => {
  it.each(Object.values(apis))('[KC17] are Kafka’s own: $name', one => {
    const own = rows.filter(([name]) => name === one.name)
    expect(own.length).toBe(2 * (one.to - one.from + 1))
    for (const [, part, version, digits = ''] of own) {
      const value = one[part].read(new WireReader(new Uint8Array(Buffer.from(digits, 'hex'))), Number(version))
      const writer = new WireWriter()
      writer.begin()
      one[part].write(writer, Number(version), value as never)
      expect(Buffer.concat(writer.finish()).subarray(4).toString('hex')).toBe(digits)
    }
  })
})
