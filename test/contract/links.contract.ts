// The contract of link faults: what chaos on real sockets and in the simulator has in common. A rule is directed, streams
// suffer only what TCP can do to them, and a cut link never looks like a closed port.
import { type LinkFault, type LinkRule, seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { A, B, codeOf, connectPair, Door, type Harness, options, Peer, pattern, settled } from './world.ts'

const rule = (from: typeof A, to: typeof A, fault: LinkFault): LinkRule => ({ from, to, fault })

export function linksContract(harness: Harness): void {
  describe('cut', () => {
    cuts(harness)
  })
  describe('slow links', () => {
    slowness(harness)
  })
  describe('change', () => {
    change(harness)
  })
  describe('damage', () => {
    damage(harness)
  })
}

function cuts({ run }: Harness): void {
  it('holds what is sent, in that direction only, and lets it flow in order when healed', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      world.setLinks([rule(A, B, { cut: true })])
      client.connection.write(pattern(1_000, 1))
      client.connection.write(pattern(2_000, 2))
      server.connection.write(pattern(500))
      await client.received(500)
      await settled(world)
      expect(server.receivedBytes).toBe(0)
      world.setLinks([])
      client.connection.write(pattern(50, 3))
      const expected = Buffer.concat([pattern(1_000, 1), pattern(2_000, 2), pattern(50, 3)])
      expect((await server.received(3_050)).equals(expected)).toBe(true)
    }))

  it('backs up into the writer, which hears onDrain after the healing', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      world.setLinks([rule(A, B, { cut: true })])
      const piece = pattern(8_192)
      let written = 0
      do written += piece.length
      while (client.connection.write(piece) && written < 1e9)
      expect(client.connection.unsentBytes).toBeGreaterThan(0)
      await settled(world)
      expect(client.drains).toBe(0)
      world.setLinks([])
      await client.until(() => client.drains === 1)
      await server.received(written)
      expect(client.connection.unsentBytes).toBe(0)
    }))

  it('hangs new connections until their deadline, in either direction, and never looks refused', () =>
    run(async world => {
      const { listener } = await Door.open(world.b)
      const gone = await Door.open(world.b)
      await gone.listener.close()
      for (const cut of [rule(A, B, { cut: true }), rule(B, A, { cut: true })]) {
        world.setLinks([cut])
        expect(await codeOf(world.a.connect(listener.endpoint, { timeoutMs: 50, peer: B }))).toBe('timed_out')
        expect(await codeOf(world.a.connect(gone.listener.endpoint, { timeoutMs: 50, peer: B }))).toBe('timed_out')
      }
      world.setLinks([])
      expect(await codeOf(world.a.connect(gone.listener.endpoint, options(B)))).toBe('refused')
    }))

  it('that heals in time lets a hanging attempt through, and one that hangs can be aborted', () =>
    run(async world => {
      const { listener } = await Door.open(world.b)
      world.setLinks([rule('*' as typeof A, B, { cut: true })])
      const controller = new AbortController()
      const aborted = codeOf(world.a.connect(listener.endpoint, { ...options(B), signal: controller.signal }))
      const attempt = codeOf(world.a.connect(listener.endpoint, options(B)))
      await settled(world)
      controller.abort()
      expect(await aborted).toBe('aborted')
      world.setLinks([])
      expect(await attempt).toBe('resolved')
    }))

  it('hides the end of a side from its peer until it heals', () =>
    run(async world => {
      const ended = await connectPair(world)
      const destroyed = await connectPair(world)
      world.setLinks([rule(A, B, { cut: true })])
      ended.client.connection.write(pattern(100))
      ended.client.connection.end()
      destroyed.client.connection.destroy()
      // The owner of a destroyed side is done with it at once.
      await destroyed.client.closed()
      await settled(world)
      expect([ended.server.closes.length, destroyed.server.closes.length]).toEqual([0, 0])
      world.setLinks([])
      await destroyed.server.closed()
      await ended.server.received(100)
      expect(await ended.server.closed()).toEqual({ kind: 'finished' })
      expect(await ended.client.closed()).toEqual({ kind: 'finished' })
      await settled(world)
      expect([destroyed.client.closes.length, destroyed.server.closes.length]).toEqual([1, 1])
    }))

  it('of every link, both ways, silences a conversation that goes on after the healing', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      world.setLinks([{ from: '*', to: '*', fault: { cut: true } }])
      client.connection.write(pattern(10))
      server.connection.write(pattern(20))
      await settled(world)
      expect([client.receivedBytes, server.receivedBytes]).toEqual([0, 0])
      world.setLinks([])
      await client.received(20)
      await server.received(10)
    }))

  it('keeps a reader paused that paused before it, and heals into what the reader wants by then', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      server.connection.pauseReading()
      world.setLinks([rule(A, B, { cut: true })])
      client.connection.write(pattern(10))
      world.setLinks([])
      await settled(world)
      expect(server.receivedBytes).toBe(0)
      world.setLinks([rule(A, B, { cut: true })])
      server.connection.resumeReading()
      world.setLinks([])
      await server.received(10)
    }))
}

function slowness({ run }: Harness): void {
  it('delay holds every byte that long and keeps the order', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      world.setLinks([rule(A, B, { delayMs: 40, jitterMs: 20 })])
      const startMs = world.clock.monotonicMs()
      const firsts: number[] = []
      server.onData = () => firsts.push(world.clock.monotonicMs() - startMs)
      const sent = Array.from({ length: 30 }, (_, index) => pattern(100, index))
      for (const bytes of sent) client.connection.write(bytes)
      expect((await server.received(3_000)).equals(Buffer.concat(sent))).toBe(true)
      expect(firsts[0]).toBeGreaterThanOrEqual(40)
      const repliedMs = world.clock.monotonicMs()
      server.connection.write(pattern(1))
      await client.received(1)
      // The other direction is as quick as ever.
      expect(world.clock.monotonicMs() - repliedMs).toBeLessThan(40)
    }))

  it('a delay that is taken away lets go of what it held, still in order', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      world.setLinks([rule(A, B, { delayMs: 60_000 })])
      client.connection.write(pattern(100, 1))
      await settled(world)
      expect(server.receivedBytes).toBe(0)
      world.setLinks([])
      client.connection.write(pattern(100, 2))
      expect((await server.received(200)).equals(Buffer.concat([pattern(100, 1), pattern(100, 2)]))).toBe(true)
    }))

  it('delay holds the handshake too', () =>
    run(async world => {
      const { listener } = await Door.open(world.b)
      world.setLinks([rule(A, B, { delayMs: 30 })])
      const startMs = world.clock.monotonicMs()
      await world.a.connect(listener.endpoint, options(B))
      expect(world.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(30)
    }))

  it('a throttle passes so many bytes per second and no more, over all connections together', () =>
    run(async world => {
      const first = await connectPair(world)
      const second = await connectPair(world)
      world.setLinks([rule(A, B, { bytesPerSecond: 200_000 })])
      const startMs = world.clock.monotonicMs()
      first.client.connection.write(pattern(30_000))
      second.client.connection.write(pattern(30_000, 1))
      expect((await first.server.received(30_000)).equals(pattern(30_000))).toBe(true)
      expect((await second.server.received(30_000)).equals(pattern(30_000, 1))).toBe(true)
      const elapsedMs = world.clock.monotonicMs() - startMs
      // 60,000 bytes take 300 ms; a burst of 50 ms comes free.
      expect(elapsedMs).toBeGreaterThanOrEqual(245)
      expect(elapsedMs).toBeLessThan(3_000)
    }))

  it('a writer over a slow link hears onDrain', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      world.setLinks([rule(A, B, { delayMs: 5, bytesPerSecond: 20_000_000 })])
      expect(client.connection.write(pattern(1_000_000))).toBe(false)
      await client.until(() => client.drains === 1)
      expect((await server.received(1_000_000)).equals(pattern(1_000_000))).toBe(true)
    }))
}

/** Rules that change what happens to a stream's time, never its bytes. */
const SLOWNESS: readonly LinkFault[] = [
  { cut: true },
  { delayMs: 3 },
  { jitterMs: 4 },
  { bytesPerSecond: 300_000 },
  { delayMs: 1, bytesPerSecond: 1_000_000 },
]

function change({ run }: Harness): void {
  it('of rules at any time neither loses, repeats nor reorders a byte, in either direction', () =>
    run(async world => {
      const random = seededRandom(11)
      const { client, server } = await connectPair(world)
      const parts = Array.from({ length: 120 }, (_, index) => pattern(random.below(6_000), index))
      for (const part of parts) {
        client.connection.write(part)
        server.connection.write(part)
        if (random.below(3) > 0) continue
        const fault = SLOWNESS[random.below(SLOWNESS.length + 1)]
        const [from, to] = random.below(2) === 0 ? [A, B] : [B, A]
        world.setLinks(fault === undefined ? [] : [rule(from, to, fault)])
        // Let some of it happen before the next change.
        if (random.below(2) === 0) await new Promise<void>(resolve => void world.clock.after(random.below(3), resolve))
      }
      world.setLinks([])
      client.connection.end()
      const whole = Buffer.concat(parts)
      expect((await server.received(whole.length)).equals(whole)).toBe(true)
      expect((await client.received(whole.length)).equals(whole)).toBe(true)
      expect([await client.closed(), await server.closed()]).toEqual([{ kind: 'finished' }, { kind: 'finished' }])
      await settled(world)
      expect([client.receivedBytes, server.receivedBytes]).toEqual([whole.length, whole.length])
      expect([client.connection.unsentBytes, server.connection.unsentBytes]).toEqual([0, 0])
    }))
}

function damage({ run }: Harness): void {
  it('reset breaks present connections on both sides', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      world.setLinks([rule(A, B, { reset: true })])
      expect(await client.closed()).toMatchObject({ kind: 'failed', error: { code: 'reset' } })
      expect(await server.closed()).toMatchObject({ kind: 'failed', error: { code: 'reset' } })
      await settled(world)
      expect([client.closes.length, server.closes.length]).toEqual([1, 1])
    }))

  it('reset breaks new connections as soon as they send', () =>
    run(async world => {
      world.setLinks([rule(A, B, { reset: true })])
      const { client, server } = await connectPair(world)
      server.connection.write(pattern(10))
      await client.received(10)
      expect(client.closes).toEqual([])
      expect(client.connection.write(pattern(10))).toBe(false)
      expect(await client.closed()).toMatchObject({ kind: 'failed', error: { code: 'reset' } })
      await server.closed()
      expect(server.receivedBytes).toBe(0)
    }))

  it('corruption flips one bit of a write and leaves the buffer of the writer alone', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      world.setLinks([rule(A, B, { corruptProbability: 1 })])
      const shared = Buffer.from(pattern(1_000))
      for (let index = 0; index < 20; index++) client.connection.write(shared)
      const received = await server.received(20_000)
      expect(shared.equals(pattern(1_000))).toBe(true)
      for (let at = 0; at < received.length; at += 1_000) {
        const flipped = received.subarray(at, at + 1_000).reduce((sum, byte, index) => sum + bits(byte ^ (shared[index] as number)), 0)
        expect(flipped).toBe(1)
      }
    }))

  it('datagram messages are lost, doubled and held back as often as the rule says, streams never', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      expect(client.connection.datagramFate()).toBeUndefined()
      world.setLinks([rule(A, B, { lossProbability: 0.3, duplicateProbability: 0.2, reorderProbability: 0.1 })])
      const fates = Array.from({ length: 5_000 }, () => client.connection.datagramFate() ?? [0])
      const share = (count: number): number => count / fates.length
      expect(share(fates.filter(fate => fate.length === 0).length)).toBeCloseTo(0.3, 1)
      expect(share(fates.filter(fate => fate.length === 2).length)).toBeCloseTo(0.7 * 0.2, 1)
      const held = fates.flat().filter(heldMs => heldMs > 0)
      expect(held.length / fates.flat().length).toBeCloseTo(0.1, 1)
      expect(held.every(heldMs => heldMs >= 1 && heldMs <= 50)).toBe(true)
      expect(server.connection.datagramFate()).toBeUndefined()
      for (let index = 0; index < 100; index++) client.connection.write(pattern(100, index))
      await server.received(10_000)
      world.setLinks([])
      expect(client.connection.datagramFate()).toBeUndefined()
    }))

  it('rules do not touch connections between others', () =>
    run(async world => {
      world.setLinks([rule(A, B, { cut: true }), rule(B, A, { reset: true })])
      const door = await Door.open(world.a)
      const client = new Peer(await world.a.connect(door.listener.endpoint, options()))
      const server = await door.take()
      client.connection.write(pattern(100))
      await server.received(100)
    }))
}

function bits(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length
}
