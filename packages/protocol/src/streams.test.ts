// Streams: the sender's credit and the receiver's window, as two machines that must agree.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from './errors.ts'
import { STREAM_WINDOW_BYTES } from './limits.ts'
import { IncomingStream, OutgoingStream } from './streams.ts'

const over = new ProtocolError('connection_lost')

/** A sender and a receiver joined by a wire that the test moves. Items are their own size. */
function joined() {
  const items: number[] = []
  const credits: number[] = []
  let cancelled = 0
  const sender = new OutgoingStream<number>(
    bytes => {
      items.push(bytes)
      return bytes
    },
    () => true,
  )
  const receiver = new IncomingStream<number>(
    bytes => void credits.push(bytes),
    () => void cancelled++,
  )
  return { sender, receiver, items, credits, cancelled: () => cancelled }
}

describe('a stream', () => {
  it('[ST2] moves any items in any order of events, and never has more than a window and one item under way', async () => {
    const size = fc.oneof(fc.integer({ min: 22, max: 1_000 }), fc.integer({ min: 22, max: 300_000 }))
    const run = fc.asyncProperty(
      fc.array(size, { maxLength: 60 }),
      fc.array(fc.constantFrom('deliver', 'credit', 'read'), { minLength: 1, maxLength: 200 }),
      async (sizes, script) => {
        const { sender, receiver, items, credits } = joined()
        const read: number[] = []
        let sent = 0
        let underWay = 0
        const sending = (async () => {
          for (const bytes of sizes) {
            await sender.send(bytes)
            sent++
            underWay += bytes
            expect(underWay).toBeLessThan(STREAM_WINDOW_BYTES + bytes)
          }
        })()
        const step = async (what: string | undefined): Promise<void> => {
          if (what === 'deliver') {
            const bytes = items.shift()
            // Throws when the receiver believes that there was no credit for it.
            if (bytes !== undefined) receiver.push(bytes, bytes)
          } else if (what === 'credit') {
            const bytes = credits.shift()
            if (bytes !== undefined) sender.grant(bytes)
          } else if (items.length + read.length < sent || read.length < sent) {
            if (receiver.bufferedCount > 0) {
              const { value } = await receiver.next()
              read.push(value as number)
              underWay -= value as number
            }
          }
          await Promise.resolve()
        }
        for (const what of script) await step(what)
        for (let i = 0; i < 5_000 && read.length < sizes.length; i++) for (const what of ['deliver', 'read', 'credit']) await step(what)
        expect(read).toEqual(sizes)
        await sending
      },
    )
    await fc.assert(run, { seed: 1, numRuns: 100 })
  })

  it('[ST2] sends one item at a time', async () => {
    const { sender } = joined()
    await sender.send(STREAM_WINDOW_BYTES)
    const waiting = sender.send(1)
    await expect(sender.send(2)).rejects.toMatchObject({ code: 'invalid_argument' })
    sender.grant(STREAM_WINDOW_BYTES)
    await waiting
  })

  it('[ST6] takes no more credit than it spent', async () => {
    const { sender, items } = joined()
    for (const lie of [1e9, Number.POSITIVE_INFINITY]) sender.grant(lie)
    await sender.send(STREAM_WINDOW_BYTES)
    void sender.send(1).catch(() => {
      // Stopped below.
    })
    expect(items).toEqual([STREAM_WINDOW_BYTES])
    sender.stop(over)
  })

  it('[ST5] refuses items beyond the window', () => {
    const { receiver } = joined()
    receiver.push(1, STREAM_WINDOW_BYTES - 1)
    receiver.push(2, 500_000)
    expect(() => receiver.push(3, 1)).toThrow(/without credit/)
  })

  it('[ST3] that is stopped rejects what waits and what comes later', async () => {
    const { sender } = joined()
    await sender.send(STREAM_WINDOW_BYTES)
    const waiting = sender.send(1)
    sender.stop(over)
    await expect(waiting).rejects.toBe(over)
    await expect(sender.send(2)).rejects.toBe(over)
  })

  it('[ST3] whose reader leaves is cancelled once and drops what it held', async () => {
    const { receiver, cancelled } = joined()
    receiver.push(1, 100)
    await receiver.return()
    await receiver.return()
    receiver.push(2, 100)
    expect(cancelled()).toBe(1)
    expect(await receiver.next()).toEqual({ value: undefined, done: true })
  })

  it('[ST1] that ends gives what was buffered first, then its end or its error', async () => {
    const { receiver, cancelled } = joined()
    receiver.push(1, 100)
    receiver.finish(over)
    expect(await receiver.next()).toEqual({ value: 1, done: false })
    await expect(receiver.next()).rejects.toBe(over)
    await receiver.return()
    expect(cancelled()).toBe(0)
  })

  it('[ST1] has one reader at a time', async () => {
    const { receiver } = joined()
    const first = receiver.next()
    await expect(receiver.next()).rejects.toMatchObject({ code: 'invalid_argument' })
    receiver.push(5, 100)
    expect(await first).toEqual({ value: 5, done: false })
  })
})
