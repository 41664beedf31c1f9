// Cutting a stream into frames: any chunks give the same frames, and a consumer that says stop loses nothing.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from './errors.ts'
import { fakeCompute } from './fakes.ts'
import { type Frame, FrameCodec, flag } from './frame.ts'
import { FrameReader } from './frame-reader.ts'

const codec = new FrameCodec(fakeCompute)
const FRAME_BYTES_MAX = 2_000

function streamOf(bodies: readonly (readonly unknown[])[]): Uint8Array {
  return Uint8Array.from(
    bodies.flatMap((body, i) => {
      const attachment = new Uint8Array(i % 3).fill(i)
      return [...codec.encodeHead(flag.request, i, i, body, attachment), ...attachment]
    }),
  )
}

/** `stream` in chunks of the given sizes, round and round. Fresh copies: the reader may overwrite them. */
function* chunksOf(stream: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < stream.byteLength; i++) {
    const size = sizes[i % sizes.length] as number
    yield stream.slice(at, at + size)
    at += size
  }
}

const seen = (frame: Frame): unknown => [frame.correlationId, frame.body, [...frame.attachment], frame.bytes]

function framesOf(stream: Uint8Array, sizes: readonly number[], wantsMore: () => boolean = () => true): unknown[] {
  const frames: unknown[] = []
  const reader = new FrameReader(codec, FRAME_BYTES_MAX, frame => {
    frames.push(seen(frame))
    return wantsMore()
  })
  for (const chunk of chunksOf(stream, sizes)) reader.push(chunk)
  for (let before = -1; before !== frames.length; ) {
    before = frames.length
    reader.resume()
  }
  expect(reader.bufferedBytes).toBe(0)
  return frames
}

const bodies = fc.array(fc.array(fc.oneof(fc.integer(), fc.string({ maxLength: 200 })), { maxLength: 4 }), { minLength: 1, maxLength: 12 })
const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 25 }), fc.integer({ min: 1, max: 700 })), { minLength: 1, maxLength: 6 })

describe('a stream of frames', () => {
  it('[FR3] gives the same frames however it is cut', () => {
    fc.assert(
      fc.property(bodies, sizes, (sent, cut) => {
        const stream = streamOf(sent)
        const whole = framesOf(stream, [stream.byteLength])
        expect(whole).toHaveLength(sent.length)
        expect(framesOf(stream, cut)).toEqual(whole)
        expect(framesOf(stream, [1])).toEqual(whole)
      }),
      { seed: 1, numRuns: 200 },
    )
  })

  it('[FR8] waits where its consumer says stop, and goes on from there', () => {
    fc.assert(
      fc.property(bodies, sizes, fc.array(fc.boolean(), { minLength: 1 }), (sent, cut, answers) => {
        const stream = streamOf(sent)
        let asked = 0
        expect(framesOf(stream, cut, () => answers[asked++ % answers.length] as boolean)).toEqual(framesOf(stream, [stream.byteLength]))
      }),
      { seed: 2, numRuns: 200 },
    )
  })

  it('[FR8] may be resumed from inside its consumer', () => {
    const frames: number[] = []
    const reader = new FrameReader(codec, FRAME_BYTES_MAX, frame => {
      frames.push(frame.correlationId)
      reader.resume()
      return frames.length % 2 === 0
    })
    reader.push(streamOf([[], [], [], []]))
    expect(frames).toEqual([0])
    reader.resume()
    expect(frames).toEqual([0, 1, 2])
    reader.resume()
    expect(frames).toEqual([0, 1, 2, 3])
  })

  it('[FR2] refuses a length before it allocates for it, wherever the chunks are cut', () => {
    for (const size of [1, 2, 3, 4, 100]) {
      const reader = new FrameReader(codec, FRAME_BYTES_MAX, () => true)
      const lie = Uint8Array.from([0x7f, 0xff, 0xff, 0xff, 1, 1])
      expect(() => {
        for (const chunk of chunksOf(lie, [size])) reader.push(chunk)
      }).toThrow(ProtocolError)
      expect(reader.bufferedBytes).toBeLessThanOrEqual(4)
    }
  })

  it('[FR2] takes larger frames once its bound is raised, those that wait included', () => {
    const frames: number[] = []
    const reader = new FrameReader(codec, 200, frame => {
      frames.push(frame.bytes)
      return frames.length > 1
    })
    reader.push(streamOf([[1], ['x'.repeat(1_000)]]))
    expect(frames).toHaveLength(1)
    reader.frameBytesMax = FRAME_BYTES_MAX
    reader.resume()
    expect(frames).toHaveLength(2)
  })

  it('[FR4] ends in a typed error or in silence when a byte is changed or the rest is missing', () => {
    fc.assert(
      fc.property(bodies, sizes, fc.nat(), fc.integer({ min: 1, max: 255 }), (sent, cut, where, change) => {
        const stream = streamOf(sent)
        const at = where % stream.byteLength
        const mutated = stream.with(at, (stream[at] as number) ^ change)
        const frames: unknown[] = []
        const reader = new FrameReader(codec, FRAME_BYTES_MAX, frame => frames.push(seen(frame)) > 0)
        try {
          for (const chunk of chunksOf(mutated, cut)) reader.push(chunk)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
        // Whatever was delivered was sent just so: the frame that was hit is not among it.
        expect(framesOf(stream, [stream.byteLength]).slice(0, frames.length)).toEqual(frames)
        expect(frames.length).toBeLessThan(sent.length)
      }),
      { seed: 3, numRuns: 300 },
    )
  })
})
