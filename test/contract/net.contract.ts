// The contract of the Net port on healthy links, for the real one and the simulated one alike.
import type { Connection, ListenOptions, NetError } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { codeOf, connectPair, Door, type Harness, LOOPBACK, options, Peer, pattern, settled } from './world.ts'

export function netContract(harness: Harness): void {
  describe('bytes', () => {
    streams(harness)
  })
  describe('the end of a connection', () => {
    endings(harness)
  })
  describe('connecting and listening', () => {
    meeting(harness)
  })
}

function streams({ run }: Harness): void {
  it('arrive in order and unharmed, both ways, in pieces of any size', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      const sizes = [1, 2, 100, 65_536, 3, 1_000, 200_000, 17, 65_535, 65_537, 40_000]
      const sent = sizes.map((size, index) => pattern(size, index))
      for (const bytes of sent) {
        client.connection.write(bytes)
        server.connection.write(bytes)
      }
      const whole = Buffer.concat(sent)
      expect((await server.received(whole.length)).equals(whole)).toBe(true)
      expect((await client.received(whole.length)).equals(whole)).toBe(true)
    }))

  it('written together arrive like those written one by one, and back up as they do', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      const pieces = [10, 70_000, 1, 20_000_000, 3].map((size, index) => pattern(size, index))
      const whole = Buffer.concat(pieces)
      expect(client.connection.writeAll([pattern(5)])).toBe(true)
      expect(client.connection.writeAll(pieces)).toBe(false)
      client.connection.write(pattern(7))
      expect((await server.received(12 + whole.length)).subarray(5, 5 + whole.length).equals(whole)).toBe(true)
      await client.until(() => client.drains === 1)
      client.connection.destroy()
      expect(client.connection.writeAll(pieces)).toBe(false)
    }))

  it('belong to the handler: one buffer written twice arrives twice whatever the handler does to it', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      const shared = pattern(1_000)
      server.onData = bytes => bytes.fill(0)
      client.connection.write(shared)
      await server.until(() => server.receivedBytes === 1_000)
      server.onData = undefined
      client.connection.write(shared)
      const both = await server.received(2_000)
      expect(both.subarray(1_000).equals(pattern(1_000))).toBe(true)
    }))

  it('back up when the peer does not read: write answers false, and onDrain comes when it reads again, not before', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      server.connection.pauseReading()
      const piece = pattern(8_192)
      let written = 0
      do written += piece.length
      while (client.connection.write(piece) && written < 1e9)
      expect(client.connection.unsentBytes).toBeGreaterThan(0)
      await settled(world)
      // What the kernels still took may have emptied the queue; then it fills up once more.
      while (client.drains > 0) {
        client.drains = 0
        do written += piece.length
        while (client.connection.write(piece) && written < 1e9)
        await settled(world)
      }
      expect(client.drains).toBe(0)
      server.connection.resumeReading()
      await client.until(() => client.drains === 1)
      expect(client.connection.unsentBytes).toBeLessThan(65_536)
      await server.received(written)
    }))

  it('a write that passes at once is never followed by onDrain', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      for (let index = 0; index < 50; index++) {
        expect(client.connection.write(pattern(10))).toBe(true)
        await server.received((index + 1) * 10)
      }
      await settled(world)
      expect(client.drains).toBe(0)
    }))

  it('stop at pauseReading and go on at resumeReading, both idempotent', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      server.connection.pauseReading()
      server.connection.pauseReading()
      client.connection.write(pattern(500))
      await settled(world)
      expect(server.receivedBytes).toBe(0)
      server.connection.resumeReading()
      server.connection.resumeReading()
      expect((await server.received(500)).equals(pattern(500))).toBe(true)
    }))

  it('paused from within onData stop right there', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      let calls = 0
      server.onData = () => {
        calls++
        server.connection.pauseReading()
      }
      for (let index = 0; index < 20; index++) {
        client.connection.write(pattern(70_000))
        await settled(world)
      }
      expect(calls).toBe(1)
    }))
}

function endings({ run }: Harness): void {
  it('end sends what is queued first, then both sides finish, once', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      client.connection.write(pattern(3_000_000))
      client.connection.end()
      client.connection.end()
      expect((await server.received(3_000_000)).equals(pattern(3_000_000))).toBe(true)
      expect(await server.closed()).toEqual({ kind: 'finished' })
      expect(await client.closed()).toEqual({ kind: 'finished' })
      await settled(world)
      expect([client.closes.length, server.closes.length]).toEqual([1, 1])
    }))

  it('after the end a write does nothing and answers false', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      client.connection.write(pattern(10))
      client.connection.end()
      expect(client.connection.write(pattern(10))).toBe(false)
      await client.closed()
      expect(client.connection.write(pattern(10))).toBe(false)
      await server.closed()
      expect(server.connection.write(pattern(10))).toBe(false)
      await settled(world)
      expect(server.receivedBytes).toBe(10)
      expect(client.drains).toBe(0)
    }))

  it('what was queued when the peer ended is still delivered to a peer that reads', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      server.connection.write(pattern(500_000))
      client.connection.end()
      await client.received(500_000)
      expect(await client.closed()).toEqual({ kind: 'finished' })
      expect(await server.closed()).toEqual({ kind: 'finished' })
    }))

  it('both may end at once', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      client.connection.end()
      server.connection.end()
      expect(await client.closed()).toEqual({ kind: 'finished' })
      expect(await server.closed()).toEqual({ kind: 'finished' })
    }))

  it('destroy ends both sides at once, and onClose comes once, later, with nothing after it', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      server.connection.write(pattern(1_000_000))
      client.connection.write(pattern(1_000))
      client.connection.destroy()
      client.connection.destroy()
      client.connection.end()
      expect(client.closes).toEqual([])
      expect(client.connection.write(pattern(1))).toBe(false)
      const reason = await client.closed()
      expect(reason).toMatchObject({ kind: 'failed', error: { code: 'closed' } })
      const received = client.receivedBytes
      await server.closed()
      await settled(world)
      expect(client.receivedBytes).toBe(received)
      expect([client.closes.length, server.closes.length]).toEqual([1, 1])
    }))

  it('destroy from within onData is the last thing the handler hears but for onClose', () =>
    run(async world => {
      const { client, server } = await connectPair(world)
      let calls = 0
      server.onData = () => {
        calls++
        server.connection.destroy()
      }
      for (let index = 0; index < 50; index++) client.connection.write(pattern(10_000))
      await server.closed()
      await client.closed()
      expect(calls).toBe(1)
      expect([client.closes.length, server.closes.length]).toEqual([1, 1])
    }))

  it('onClose is never called during open, also when the peer is gone by then', () =>
    run(async world => {
      const listener = await world.b.listen({ host: LOOPBACK, port: 0 }, { onConnection: connection => destroyAtOnce(connection) })
      const connection = await world.a.connect(listener.endpoint, options())
      connection.destroy()
      const client = new Peer(connection)
      expect(client.closes).toEqual([])
      await client.closed()
      expect(client.closes.length).toBe(1)
    }))
}

function meeting({ run }: Harness): void {
  it('port 0 becomes a real port, and a second listener there gets address_in_use', () =>
    run(async world => {
      const { listener } = await Door.open(world.a)
      expect(listener.endpoint).toMatchObject({ host: LOOPBACK })
      expect('port' in listener.endpoint && listener.endpoint.port).toBeGreaterThan(0)
      expect(await codeOf(Door.open(world.b, listener.endpoint))).toBe('address_in_use')
    }))

  it('an address of another machine cannot be listened on, nor a name', () =>
    run(async world => {
      expect(await codeOf(Door.open(world.a, { host: '192.0.2.1', port: 0 }))).toBe('address_not_available')
      expect(await codeOf(Door.open(world.a, { host: 'localhost', port: 0 }))).toBe('address_not_available')
      expect(await codeOf(world.a.connect({ host: 'localhost', port: 1 }, options()))).toBe('address_not_available')
    }))

  it('a closed listener refuses new connections, keeps those it has, and frees its port', () =>
    run(async world => {
      const { client, server, door } = await connectPair(world)
      await Promise.all([door.listener.close(), door.listener.close()])
      expect(await codeOf(world.a.connect(door.listener.endpoint, options()))).toBe('refused')
      client.connection.write(pattern(100))
      await server.received(100)
      const again = await Door.open(world.b, door.listener.endpoint)
      expect(again.listener.endpoint).toEqual(door.listener.endpoint)
    }))

  it('sockets in the file system work as addresses, and one that is not there refuses', () =>
    run(async world => {
      const path = world.freshPath()
      expect(await codeOf(world.a.connect({ path }, options()))).toBe('refused')
      const door = await Door.open(world.b, { path })
      expect(door.listener.endpoint).toEqual({ path })
      const client = new Peer(await world.a.connect({ path }, options()))
      const server = await door.take()
      expect(client.connection.remote).toBe(path)
      client.connection.write(pattern(100_000))
      expect((await server.received(100_000)).equals(pattern(100_000))).toBe(true)
      expect(await codeOf(Door.open(world.a, { path }))).toBe('address_in_use')
      await door.listener.close()
      expect(await codeOf(world.a.connect({ path }, options()))).toBe('refused')
    }))

  it('an attempt can be aborted, before it starts and on its way', () =>
    run(async world => {
      const { listener } = await Door.open(world.b)
      const before = AbortSignal.abort(new Error('changed my mind'))
      const error = await world.a
        .connect(listener.endpoint, { ...options(), signal: before })
        .catch((thrown: unknown) => thrown as NetError)
      expect(error).toMatchObject({ code: 'aborted', cause: { message: 'changed my mind' } })
      const controller = new AbortController()
      const attempt = codeOf(world.a.connect(listener.endpoint, { ...options(), signal: controller.signal }))
      controller.abort()
      expect(await attempt).toBe('aborted')
    }))

  it('connections above the limit are closed at once, and one report says so', () =>
    run(async world => {
      const reports: string[] = []
      const limits: Partial<ListenOptions> = { connectionsMax: 2, onAcceptError: error => reports.push(error.code) }
      const { listener, peers } = await Door.open(world.b, { host: LOOPBACK, port: 0 }, limits)
      const clients: Peer[] = []
      for (let index = 0; index < 5; index++) clients.push(new Peer(await world.a.connect(listener.endpoint, options())))
      await Promise.all(clients.slice(2).map(client => client.closed()))
      expect(peers.length).toBe(2)
      expect(reports).toEqual(['descriptors_exhausted'])
      clients[0]?.connection.end()
      await clients[0]?.closed()
      await peers[0]?.closed()
      await settled(world)
      const next = new Peer(await world.a.connect(listener.endpoint, options()))
      next.connection.write(pattern(10))
      await peers[2]?.received(10)
      await settled(world)
      expect(peers.length).toBe(3)
    }))
}

function destroyAtOnce(connection: Connection): void {
  new Peer(connection).connection.destroy()
}
