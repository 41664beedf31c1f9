// What strangers, and peers that went mad, may send to a native port: a clear log line and a close, and nothing else.
import type { Connection } from '@atoll/base'
import { flag, hello, nodeMetrics, nodeStatus } from '@atoll/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectUndisturbed, type LogLine, logged, type NodeProcess, Starvation, StateDirectory, tappedSession } from './coordinators.ts'
import { falseProof, frame, helloFrame, RawPeer, withLength } from './raw-peer.ts'

const MiB = 1024 ** 2
const directory = new StateDirectory()
let nodes: readonly NodeProcess[]
let target: NodeProcess
/** Resident bytes of the target before anything was done to it. */
let residentBefore: number
let greedy: Greedy

interface Greedy {
  readonly connection: Connection
  readonly asked: readonly Promise<unknown>[]
}

/**
 * A peer that asks for more than the system's buffers hold and reads none of it. Such a one is cut 10 to 20 seconds after
 * it took the last byte, so it is there beside all other tests.
 */
async function startGreedy(): Promise<Greedy> {
  const { session, connection } = await tappedSession(target, 'never-reads')
  connection.pauseReading()
  const asked: Promise<unknown>[] = []
  // Little by little: this is about memory, and a burst would be about time.
  while (asked.length < 8_000) {
    for (let i = 0; i < 100; i++) asked.push(session.request(nodeMetrics, {}, { timeoutMs: 60_000 }))
    await target.status()
  }
  for (const answer of asked) answer.catch(() => 'looked at in the end')
  return { connection, asked }
}

const starvation = new Starvation()

beforeAll(async () => {
  nodes = await directory.cluster(3)
  target = nodes[0] as NodeProcess
  residentBefore = (await target.status()).residentBytes
  greedy = await startGreedy()
})
afterAll(() => directory[Symbol.asyncDispose]())

const names = (code: string) => (line: LogLine) => line['code'] === code && /refused|session_cut/.test(line.event)

/** Sends `bytes` as a stranger and waits until the node has closed the connection. */
async function refused(...bytes: readonly Uint8Array[]): Promise<void> {
  const peer = await RawPeer.connect(target.port)
  for (const piece of bytes) await peer.write(piece)
  await peer.closed
}

describe('a stranger at the native port', () => {
  it.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'message_too_large'],
    ['a TLS hello', Buffer.from('16030100c8010000c40303', 'hex'), 'message_too_large'],
    ['zeroes', Buffer.alloc(4_096), 'bad_frame'],
    ['the length 0xFFFFFFFF', withLength(helloFrame(), 0xffff_ffff), 'message_too_large'],
    ['the length -1 of a 31-bit reader', withLength(helloFrame(), 0x8000_0000), 'message_too_large'],
    ['the length 0', withLength(helloFrame(), 0), 'bad_frame'],
    ['a length one short of a header', withLength(helloFrame(), 15), 'bad_frame'],
    ['a frame one byte over the cap before the hello', withLength(Buffer.alloc(8_192), 4_093), 'message_too_large'],
    ['another frame version', Buffer.from(helloFrame()).fill(9, 4, 5), 'bad_frame'],
    ['a bad checksum', Buffer.from(helloFrame()).fill(0xaa, 16, 20), 'bad_checksum'],
    ['a body longer than its frame', Buffer.from(helloFrame()).fill(0xff, 12, 16), 'bad_frame'],
    ['an admin request before the hello', frame(flag.request, nodeStatus.key, [1_000]), 'hello_expected'],
    ['an answer to nothing', frame(flag.response, hello.key, []), 'hello_expected'],
    ['a hello that is none', frame(flag.request, hello.key, [1_000, 'x']), 'malformed_message'],
    ['a hello of wrong types', frame(flag.request, hello.key, [1_000, 1, 1, null, 1, -1, [], 0.5, true]), 'malformed_message'],
    ['a map where an array belongs', frame(flag.request, hello.key, [1_000, { length: 1 }]), 'bad_frame'],
  ])('is refused for %s', async (_, bytes, code) => {
    const since = target.log().length
    await refused(bytes)
    await logged(target, since, names(code))
  })

  it.each([
    ['wrong_cluster', { cluster: 'another' as never }],
    ['wrong_node', { expected: 'coordinator-9' }],
    ['unsupported_version', { versionMin: 7, versionMax: 9 }],
    ['unsupported_version', { versionMin: 0, versionMax: 0 }],
  ])('is told %s, and so is the log', async (code, change) => {
    const since = target.log().length
    const peer = await RawPeer.connect(target.port)
    await peer.write(helloFrame(change))
    expect(await peer.nextError()).toBe(code)
    await peer.closed
    await logged(target, since, names(code))
  })

  it('is told wrong_secret for a false proof, and so is the log', async () => {
    const since = target.log().length
    const peer = await RawPeer.connect(target.port)
    await peer.write(helloFrame())
    expect((await peer.nextFrame())?.flags).toBe(flag.response)
    await peer.write(falseProof())
    expect(await peer.nextError()).toBe('wrong_secret')
    await peer.closed
    await logged(target, since, names('wrong_secret'))
  })

  it('may send half a frame and leave', async () => {
    const since = target.log().length
    const peer = await RawPeer.connect(target.port)
    await peer.write(helloFrame().subarray(0, 30))
    peer.destroy()
    await logged(target, since, names('connection_lost'))
  })

  it('has two seconds for its hello: half a frame, silence and one byte at a time all end there', async () => {
    const since = target.log().length
    const [half, silent, slow] = await Promise.all([
      RawPeer.connect(target.port),
      RawPeer.connect(target.port),
      RawPeer.connect(target.port),
    ])
    await half.write(helloFrame().subarray(0, 30))
    // A frame as long as a stranger's may be, each byte after an answer to somebody else.
    const bytes = withLength(Buffer.concat([helloFrame(), Buffer.alloc(4_096)]), 4_092).subarray(0, 4_095)
    const startedMs = performance.now()
    for (let at = 0; !slow.socket.closed && at < bytes.length; at++) {
      await slow.write(bytes.subarray(at, at + 1))
      while (performance.now() - startedMs < at * 4) await target.status()
    }
    await Promise.all([half.closed, silent.closed, slow.closed])
    expect(performance.now() - startedMs).toBeGreaterThan(1_900)
    expect(performance.now() - startedMs).toBeLessThan(3_500)
    await logged(target, since, names('hello_timed_out'))
  })
})

describe('a peer with the secret', () => {
  it.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'message_too_large'],
    ['a bad checksum', Buffer.from(frame(flag.request, nodeStatus.key, [1_000])).fill(0xaa, 16, 20), 'bad_checksum'],
    ['a frame without a length', Buffer.alloc(64), 'bad_frame'],
    ['flags of no frame', Buffer.from(frame(flag.request | flag.oneWay, nodeStatus.key, [1_000])), 'bad_frame'],
  ])('is cut for %s after a good hello, and named', async (_, bytes, code) => {
    const since = target.log().length
    const { session, connection } = await tappedSession(target, 'mad-peer')
    connection.write(bytes)
    expect((await session.closed).code).toBe('connection_lost')
    expect(await logged(target, since, names(code))).toMatchObject({ event: 'session_cut', peer: 'mad-peer' })
  })

  it('may be cut in the middle of a frame of 16 MiB without the memory staying', async () => {
    const before = (await target.status()).residentBytes
    for (let i = 0; i < 8; i++) {
      const { session, connection } = await tappedSession(target, `half-${i}`)
      const head = Buffer.from(frame(flag.request, nodeStatus.key, [1_000]))
      connection.write(Buffer.concat([withLength(head, 16 * MiB), Buffer.alloc(64 * 1024)]))
      await target.status()
      connection.destroy()
      await session.closed
    }
    expect((await target.status()).residentBytes - before).toBeLessThan(64 * MiB)
  })
})

describe('after all of it', () => {
  it('the peer that never reads its answers was cut, and cost a bounded amount of memory', async () => {
    let most = 0
    await target.until(
      'the peer that never reads is cut',
      ({ residentBytes }) => {
        most = Math.max(most, residentBytes)
        return target.log().some(names('slow_peer'))
      },
      25_000,
    )
    expect(most - residentBefore).toBeLessThan(128 * MiB)
    greedy.connection.destroy()
    expect((await Promise.allSettled(greedy.asked)).every(({ status }) => status === 'rejected')).toBe(true)
    console.info(`a peer that never reads: resident ${Math.round(residentBefore / MiB)} MiB before, ${Math.round(most / MiB)} at most`)
  })

  it('every node lives, nobody was ever suspected, and the log was not flooded', async () => {
    await expectUndisturbed(nodes, starvation)
    expect(target.log().length).toBeLessThan(200)
  })
})
