// A channel against a connection that the test plays: what is written when, who is cut, and which timers remain.
import { describe, expect, it } from 'vitest'
import { Channel } from './channel.ts'
import type { ProtocolError } from './errors.ts'
import { FakeClock, FakeConnection, fakeCompute } from './fakes.ts'
import { type Frame, FrameCodec, flag, NO_ATTACHMENT } from './frame.ts'
import {
  ATTACHMENT_COPY_BYTES_MAX,
  DRAIN_TIMEOUT_MS,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MAX_BEFORE_HELLO,
  FRAME_TIMEOUT_MS,
  LINGER_MS,
  OUTBOX_BLOCK_BYTES_MIN,
  QUEUED_BYTES_HIGH,
  QUEUED_BYTES_MAX,
} from './limits.ts'

const codec = new FrameCodec(fakeCompute)
const NOTE = 0x7f01

function setUp({ onFrame = () => true }: { onFrame?: (frame: Frame) => boolean } = {}) {
  const clock = new FakeClock()
  const connection = new FakeConnection()
  const events: string[] = []
  const frames: Frame[] = []
  let error: ProtocolError | undefined
  const handlers = {
    onFrame(frame: Frame) {
      frames.push(frame)
      return onFrame(frame)
    },
    onDrain: () => void events.push('drain'),
    onClosed(closed: ProtocolError) {
      error = closed
      events.push(`closed ${closed.code}`)
    },
  }
  const channel = new Channel({ connection, clock, codec, handlers, onGone: () => void events.push('gone') })
  channel.handOver(handlers, undefined, { frameBytesMax: FRAME_BYTES_MAX, peerFrameBytesMax: FRAME_BYTES_MAX })
  return { clock, connection, channel, events, frames, error: () => error }
}

const note = (text: string): Uint8Array => new Uint8Array(codec.encodeHead(flag.oneWay, NOTE, 0, [text], NO_ATTACHMENT))

describe('a channel', () => {
  it('[BP1] writes the frames of one turn together', () => {
    const { clock, connection, channel } = setUp()
    for (let i = 0; i < 100; i++) channel.send(flag.oneWay, NOTE, 0, [`note ${i}`])
    clock.endTurn()
    // The first block is small; a connection that says more gets larger ones.
    expect(connection.written.length).toBeLessThanOrEqual(3)
    connection.written.length = 0
    for (let i = 0; i < 100; i++) channel.send(flag.oneWay, NOTE, 0, [`note ${i}`])
    clock.endTurn()
    expect(connection.written.length).toBeLessThanOrEqual(2)
  })

  it('[BP1] writes answers that are made at once before the turn ends', () => {
    const { connection, channel } = setUp({
      onFrame() {
        channel.send(flag.response, NOTE, 1, [])
        return true
      },
    })
    connection.receive(note('a'))
    expect(connection.written).toHaveLength(1)
  })

  it('[BP1] keeps the order of small frames and large attachments, which it does not copy', () => {
    const { clock, connection, channel } = setUp()
    const attachment = new Uint8Array(ATTACHMENT_COPY_BYTES_MAX + 1).fill(7)
    channel.send(flag.oneWay, NOTE, 0, ['before'])
    channel.send(flag.response, NOTE, 1, [], attachment)
    channel.send(flag.oneWay, NOTE, 0, ['after'])
    clock.endTurn()
    expect(connection.written[1]).toBe(attachment)
    const other = setUp()
    for (const bytes of connection.written) other.connection.receive(bytes.slice())
    expect(other.frames.map(frame => [frame.body[0], frame.attachment.byteLength])).toEqual([
      ['before', 0],
      [undefined, attachment.byteLength],
      ['after', 0],
    ])
  })

  it('[BP1] holds little for a connection on which little is said', () => {
    const { clock, connection, channel } = setUp()
    for (let i = 0; i < 200; i++) {
      channel.send(flag.oneWay, NOTE, 0, ['a sign of life'])
      clock.endTurn()
    }
    for (const bytes of connection.written) expect(bytes.buffer.byteLength).toBeLessThanOrEqual(OUTBOX_BLOCK_BYTES_MIN)
  })

  it('[BP6] cuts a peer that takes nothing of what is queued, and not one that takes a little', () => {
    const { clock, connection, channel, events } = setUp()
    connection.highWaterBytes = 1
    channel.send(flag.oneWay, NOTE, 0, ['x'.repeat(1_000)])
    clock.endTurn()
    for (let i = 0; i < 5; i++) {
      clock.advance(DRAIN_TIMEOUT_MS - 1)
      connection.unsentBytes -= 1
    }
    expect(events).toEqual([])
    clock.advance(2 * DRAIN_TIMEOUT_MS)
    expect(events).toEqual(['closed slow_peer'])
    expect(connection.destroyed).toBe(true)
  })

  it('[BP8] has one timer however often it is blocked, and none once it is over', () => {
    const { clock, connection, channel } = setUp()
    connection.highWaterBytes = 1
    for (let i = 0; i < 100; i++) {
      channel.send(flag.oneWay, NOTE, 0, ['x'])
      clock.endTurn()
      connection.take(1_000)
      expect(clock.timerCount).toBe(1)
    }
    clock.advance(DRAIN_TIMEOUT_MS)
    expect(clock.timerCount).toBe(0)
    channel.send(flag.oneWay, NOTE, 0, ['x'])
    clock.endTurn()
    expect(clock.timerCount).toBe(1)
    connection.close()
    expect(clock.timerCount).toBe(0)
  })

  it('[BP3] has no room past its bound until it drains, and is full past the next', () => {
    const { clock, connection, channel, events } = setUp()
    connection.highWaterBytes = 65_536
    const big = new Uint8Array(1024 * 1024)
    while (channel.queuedBytes < QUEUED_BYTES_HIGH) {
      expect(channel.hasRoom).toBe(true)
      channel.send(flag.response, NOTE, 1, [], big)
    }
    expect([channel.hasRoom, channel.full]).toEqual([false, false])
    while (channel.queuedBytes <= QUEUED_BYTES_MAX) channel.send(flag.response, NOTE, 1, [], big)
    expect(channel.full).toBe(true)
    clock.endTurn()
    connection.take(Number.POSITIVE_INFINITY)
    expect(events).toEqual(['drain'])
    expect([channel.hasRoom, channel.full]).toEqual([true, false])
  })

  it('[BP2] stops reading while its user says so', () => {
    let wants = false
    const { connection, channel, frames } = setUp({ onFrame: () => wants })
    connection.receive(Uint8Array.from([...note('a'), ...note('b'), ...note('c')]))
    expect(frames).toHaveLength(1)
    expect(connection.reading).toBe(false)
    // What the port had already read arrives all the same, and waits.
    connection.receive(note('d'))
    wants = true
    channel.readOn()
    expect(frames.map(frame => frame.body[0])).toEqual(['a', 'b', 'c', 'd'])
    expect(connection.reading).toBe(true)
  })

  it('[BP9] leaves the rest of a burst to the next turn once it took long enough', () => {
    const { clock, connection, channel, frames } = setUp({
      onFrame() {
        clock.advance(1)
        return true
      },
    })
    const burst = Array.from({ length: 100 }, (_, i) => note(String(i)))
    connection.receive(Uint8Array.from(burst.flatMap(bytes => [...bytes])))
    expect(frames).toHaveLength(32)
    expect(connection.reading).toBe(false)
    while (frames.length < 100) clock.endTurn()
    expect(frames.map(frame => frame.body[0])).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
    expect(connection.reading).toBe(true)
    expect(channel.closed).toBe(false)
  })

  it('[FR2] refuses to send what the peer would not accept', () => {
    const { channel, connection, clock } = setUp()
    const limited = { onFrame: () => true, onDrain() {}, onClosed() {} }
    channel.handOver(limited, undefined, { frameBytesMax: FRAME_BYTES_MAX, peerFrameBytesMax: FRAME_BYTES_MAX_BEFORE_HELLO })
    expect(() => channel.send(flag.oneWay, NOTE, 0, ['x'.repeat(5_000)])).toThrow(/accepts 4096/)
    clock.endTurn()
    expect(connection.written).toHaveLength(0)
  })

  it('[FR10] cuts a connection whose frame never becomes whole, however much comes after it', () => {
    const { clock, connection, events, frames } = setUp()
    connection.receive(note('a'))
    expect(clock.timerCount).toBe(0)
    const damaged = note('b')
    // One bit: a frame of a megabyte more.
    damaged[1] = 0x10
    connection.receive(damaged)
    for (let passedMs = 0; passedMs < FRAME_TIMEOUT_MS; passedMs += 100) {
      expect(events).toEqual([])
      connection.receive(note('a sign of life'))
      clock.advance(100)
    }
    expect(events).toEqual(['closed bad_frame'])
    expect(frames).toHaveLength(1)
    expect(connection.destroyed).toBe(true)
    expect(clock.timerCount).toBe(0)
  })

  it('[FR10] leaves a connection alone on which frames come in pieces, and holds no timer for it once it is quiet', () => {
    const { clock, connection, events, frames } = setUp()
    for (let i = 0; i < 50; i++) {
      const bytes = note(`note ${i}`)
      connection.receive(bytes.slice(0, 7))
      clock.advance(FRAME_TIMEOUT_MS / 4)
      connection.receive(bytes.slice(7))
      expect(clock.timerCount).toBe(1)
    }
    expect(frames).toHaveLength(50)
    clock.advance(FRAME_TIMEOUT_MS)
    expect(clock.timerCount).toBe(0)
    connection.receive(note('cut').slice(0, 7))
    connection.close()
    expect(clock.timerCount).toBe(0)
    expect(events).toEqual(['closed connection_lost', 'gone'])
  })

  it('[FR10] counts no time in which its user wants no frames', () => {
    let wants = false
    const { clock, connection, channel, frames, events } = setUp({ onFrame: () => wants })
    const second = note('b')
    connection.receive(Uint8Array.from([...note('a'), ...second.slice(0, 9)]))
    clock.advance(5 * FRAME_TIMEOUT_MS)
    wants = true
    channel.readOn()
    connection.receive(second.slice(9))
    expect(frames).toHaveLength(2)
    expect(events).toEqual([])
  })

  it('[BP7] ends after what is queued, reads on without listening, and cuts a peer that does not end', () => {
    const { clock, connection, channel, events, frames, error } = setUp({ onFrame: () => false })
    connection.receive(Uint8Array.from([...note('a'), ...note('b')]))
    connection.highWaterBytes = 1
    channel.send(flag.oneWay, NOTE, 0, ['last words'])
    channel.end(Object.assign(new Error(), { code: 'connection_lost' }) as ProtocolError)
    expect(connection.written).toHaveLength(1)
    expect(connection.ended).toBe(true)
    expect(connection.reading).toBe(true)
    expect(error()?.code).toBe('connection_lost')
    for (let i = 0; i < 10; i++) connection.receive(note('more'))
    expect(frames).toHaveLength(1)
    clock.advance(LINGER_MS - 1)
    connection.unsentBytes -= 1
    clock.advance(LINGER_MS)
    expect(connection.destroyed).toBe(false)
    clock.advance(LINGER_MS)
    expect(connection.destroyed).toBe(true)
    connection.close()
    expect(events).toEqual(['closed connection_lost', 'gone'])
    expect(clock.timerCount).toBe(0)
  })

  it('[BP7] keeps nothing of what comes in after its end, and judges none of it', () => {
    const { clock, connection, channel, frames } = setUp()
    channel.end(Object.assign(new Error(), { code: 'connection_lost' }) as ProtocolError)
    connection.receive(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0))
    connection.receive(note('a'))
    expect(connection.destroyed).toBe(false)
    expect(frames).toEqual([])
    connection.close()
    expect(clock.timerCount).toBe(0)
  })

  it('[BP7] leaves no timer when the peer ends too, and can still be cut at once', () => {
    const over = Object.assign(new Error(), { code: 'connection_lost' }) as ProtocolError
    const first = setUp()
    first.channel.end(over)
    first.connection.close()
    expect(first.clock.timerCount).toBe(0)
    const second = setUp()
    second.channel.end(over)
    second.channel.destroy(over)
    expect(second.connection.destroyed).toBe(true)
    expect(second.clock.timerCount).toBe(0)
    expect(second.events).toEqual(['closed connection_lost'])
  })

  it('[OW3] sends copies of a datagram when each is due, and refuses one that is too large at once', () => {
    const { clock, connection, channel } = setUp()
    channel.sendCopies([0, 30, 10], flag.oneWay, NOTE, 0, ['a'])
    clock.endTurn()
    expect(connection.written).toHaveLength(1)
    clock.advance(10)
    expect(connection.written).toHaveLength(2)
    clock.advance(20)
    expect(connection.written.map(bytes => [...bytes])).toEqual(Array.from({ length: 3 }, () => [...note('a')]))
    expect(() => channel.sendCopies([10], flag.oneWay, NOTE, 0, ['x'.repeat(FRAME_BYTES_MAX)])).toThrow(/frame of/)
    channel.sendCopies([10], flag.oneWay, NOTE, 0, ['late'])
    channel.destroy(Object.assign(new Error(), { code: 'connection_lost' }) as ProtocolError)
    clock.advance(10)
    expect(connection.written).toHaveLength(3)
  })

  it('tells its next user at once when it is over already', () => {
    const { channel, connection } = setUp()
    connection.close()
    const events: string[] = []
    const next = { onFrame: () => true, onDrain() {}, onClosed: (error: ProtocolError) => void events.push(error.code) }
    channel.handOver(next, undefined, { frameBytesMax: FRAME_BYTES_MAX, peerFrameBytesMax: FRAME_BYTES_MAX })
    expect(events).toEqual(['connection_lost'])
  })
})
