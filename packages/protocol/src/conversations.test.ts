// Every message of every conversation, through frames and back.
import fc from 'fast-check'
import { Packr } from 'msgpackr/pack'
import { describe, expect, it } from 'vitest'
import { conversations } from './conversations.ts'
import { ProtocolError } from './errors.ts'
import { fakeCompute } from './fakes.ts'
import { FrameCodec, flag, NO_ATTACHMENT } from './frame.ts'
import { PROTOCOL_VERSION_MAX } from './handshake.ts'
import { HEADER_BYTES, NESTING_DEPTH_MAX } from './limits.ts'
import { protocolPage } from './page.ts'
import { codecsOf } from './table.ts'

const frames = new FrameCodec(fakeCompute)
const packr = new Packr({ useRecords: false })
const messages = conversations.flatMap(one => Object.values(one.messages))
const codecs = messages.flatMap(message =>
  codecsOf(message).map(([part, codec]) => [`${message.name} ${part}`, message.key, codec] as const),
)

describe('every message', () => {
  it('has a key and a name of its own', () => {
    expect(new Set(messages.map(message => message.key)).size).toBe(messages.length)
    expect(new Set(messages.map(message => message.name)).size).toBe(messages.length)
  })

  it.each(codecs)('[FL1] %s: any legal value comes back, and msgpackr reads the same', (_, key, codec) => {
    fc.assert(
      fc.property(fc.nat(), seed => {
        const value = codec.sample(seed)
        const wire = codec.toWire(value, PROTOCOL_VERSION_MAX, [])
        const bytes = new Uint8Array(frames.encodeHead(flag.oneWay, key, 0, wire, NO_ATTACHMENT))
        const { body } = frames.decode(bytes, 0, bytes.byteLength)
        expect(codec.fromWire(body, 0, PROTOCOL_VERSION_MAX)).toEqual(value)
        expect(packr.unpack(bytes.slice(HEADER_BYTES))).toEqual(body)
      }),
      { seed: 1, numRuns: 60 },
    )
  })

  it.each(codecs)(
    '[FL2] %s: a body with one value replaced is read or refused as malformed, and what was read can be sent on',
    (_, __, codec) => {
      const junk = fc.oneof(
        fc.constant(null),
        fc.integer(),
        fc.double(),
        fc.string({ unit: 'binary' }),
        fc.boolean(),
        fc.constant([]),
        fc.uint8Array(),
      )
      fc.assert(
        fc.property(fc.nat(), fc.nat(), junk, (seed, where, value) => {
          const wire = codec.toWire(codec.sample(seed), PROTOCOL_VERSION_MAX, [])
          replaceOne(wire, where, value)
          let read: object
          try {
            read = codec.fromWire(wire, 0, PROTOCOL_VERSION_MAX)
          } catch (error) {
            expect(error).toMatchObject({ code: 'malformed_message' })
            return
          }
          codec.toWire(read, PROTOCOL_VERSION_MAX, [])
        }),
        { seed: 2, numRuns: 100 },
      )
    },
  )

  it.each(codecs)('[FL4] %s stays within what a peer reads', (_, __, codec) => {
    expect(codec.depth).toBeLessThanOrEqual(NESTING_DEPTH_MAX)
    expect(() => codec.toWire({}, PROTOCOL_VERSION_MAX, [])).toSatisfy(throwsOnlyTyped)
  })

  it('stands on the protocol page', () => {
    const page = protocolPage()
    for (const message of messages) expect(page).toContain(`\`${message.name}\` (0x${message.key.toString(16).padStart(4, '0')})`)
  })
})

/** Puts `value` somewhere into `wire`, at any depth. */
function replaceOne(wire: unknown[], where: number, value: unknown): void {
  if (wire.length === 0) return
  const at = where % wire.length
  const here = wire[at]
  if (Array.isArray(here) && here.length > 0 && where % 3 > 0) replaceOne(here, where >>> 2, value)
  else wire[at] = value
}

function throwsOnlyTyped(act: () => unknown): boolean {
  try {
    act()
    return true
  } catch (error) {
    return error instanceof ProtocolError
  }
}
