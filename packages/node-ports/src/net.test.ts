// What the contract cannot say about real sockets: files left behind, file modes, links that nobody named.
import { linkSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, type ConnectionHandlers, type NetError, nodeId } from '@atoll/base'
import { afterAll, expect, it } from 'vitest'
import { createClock, createNet, systemRandom } from './index.ts'

const directory = mkdtempSync(join(tmpdir(), 'atoll-net-'))
afterAll(() => rmSync(directory, { recursive: true }))

const A = nodeId('a')
const B = nodeId('b')
const AT = { host: '127.0.0.1', port: 0 }
const quiet: ConnectionHandlers = { onData() {}, onDrain() {}, onClose() {} }

function node(self = A, faults = true) {
  return createNet({ self, faults, clock: createClock(), random: systemRandom() })
}

function codeOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'resolved',
    (error: unknown) => (error as NetError).code,
  )
}

/** A socket file that nobody listens at any more, as a killed process leaves it. */
async function leaveSocketBehind(path: string): Promise<void> {
  const server: Server = createServer()
  await new Promise<void>(resolve => void server.listen(`${path}.live`, resolve))
  // A hard link outlives the unlinking that comes with an orderly close.
  linkSync(`${path}.live`, path)
  await new Promise<void>(resolve => void server.close(() => resolve()))
}

it('without faults there are no links to break', () => {
  expect(node(A, false).links).toBeUndefined()
  expect(node(A, true).links?.rules).toEqual([])
})

it('takes over a socket path that a killed process left behind, and only the owner may connect', async () => {
  const path = join(directory, 'stale.sock')
  await leaveSocketBehind(path)
  const { net } = node()
  expect(await codeOf(net.connect({ path }, { timeoutMs: 1_000 }))).toBe('refused')
  const listener = await net.listen({ path }, { onConnection: connection => connection.open(quiet) })
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(await codeOf(net.connect({ path }, { timeoutMs: 1_000 }))).toBe('resolved')
  await listener.close()
})

it('never deletes a file that is no socket', async () => {
  const path = join(directory, 'precious.txt')
  writeFileSync(path, 'precious')
  expect(await codeOf(node().net.listen({ path }, { onConnection() {} }))).toBe('address_in_use')
  expect(statSync(path).size).toBe(8)
})

it('says that a socket path is too long instead of cutting it short', async () => {
  const path = join(directory, 'x'.repeat(120))
  expect(await codeOf(node().net.listen({ path }, { onConnection() {} }))).toBe('address_not_available')
})

it('rules leave a connection alone until its peer has a name, and apply from that moment on', async () => {
  const { net, links } = node(B)
  links?.replaceRules([{ from: '*', to: '*', fault: { cut: true } }])
  let accepted: Connection | undefined
  let received = 0
  const listener = await net.listen(AT, {
    onConnection(connection) {
      accepted = connection
      connection.open({ ...quiet, onData: bytes => void (received += bytes.length) })
      connection.write(Uint8Array.of(1, 2, 3))
    },
  })
  const client = connect(listener.endpoint as { host: string; port: number })
  const greeting = await new Promise<Buffer>(resolve => void client.once('data', resolve))
  expect([...greeting]).toEqual([1, 2, 3])
  accepted?.identify(A)
  accepted?.write(Uint8Array.of(4))
  expect(accepted?.unsentBytes).toBe(1)
  client.write('unheard')
  const healed = new Promise<Buffer>(resolve => void client.once('data', resolve))
  // A full exchange on another connection: what could have arrived has.
  const other = connect(listener.endpoint as { host: string; port: number })
  await new Promise<Buffer>(resolve => void other.once('data', resolve))
  expect(received).toBe(0)
  links?.replaceRules([])
  expect([...(await healed)]).toEqual([4])
  client.destroy()
  other.destroy()
  await listener.close()
})

it('a peer that is killed while the link is cut is noticed when it heals', async () => {
  const { net, links } = node(B)
  const closes: string[] = []
  let told: (() => void) | undefined
  let accepted: Connection | undefined
  const listener = await net.listen(AT, {
    onConnection(connection) {
      if (accepted === undefined) connection.identify(A)
      accepted ??= connection
      connection.open({
        ...quiet,
        onClose(reason) {
          closes.push(reason.kind)
          told?.()
        },
      })
      connection.write(Uint8Array.of(1))
    },
  })
  const client = connect(listener.endpoint as { host: string; port: number })
  await new Promise<Buffer>(resolve => void client.once('data', resolve))
  links?.replaceRules([{ from: A, to: B, fault: { cut: true } }])
  client.resetAndDestroy()
  const other = connect(listener.endpoint as { host: string; port: number })
  await new Promise<Buffer>(resolve => void other.once('data', resolve))
  expect(closes).toEqual([])
  const noticed = new Promise<void>(resolve => {
    told = resolve
  })
  links?.replaceRules([])
  await noticed
  expect(closes).toEqual(['failed'])
  expect(accepted?.write(Uint8Array.of(1))).toBe(false)
  other.destroy()
  await listener.close()
})

/** A plain server that notes what it sees of its one client, and a way to know that it would have seen more. */
async function plainServer() {
  const seen: string[] = []
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('data', bytes => socket.write(bytes))
    if (seen.length > 0) return
    seen.push('connected')
    socket.on('error', () => seen.push('error'))
    socket.on('end', () => seen.push('end'))
    socket.on('close', () => seen.push('close'))
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  const at = { host: '127.0.0.1', port: (server.address() as { port: number }).port }
  const roundTrip = async (): Promise<void> => {
    const socket = connect(at)
    socket.write('?')
    await new Promise(resolve => void socket.once('data', resolve))
    socket.destroy()
  }
  return { at, seen, roundTrip, close: () => server.close() }
}

it.each(['end', 'destroy'] as const)('the sending side alone hides its %s behind a cut, until that heals', async how => {
  const { at, seen, roundTrip, close } = await plainServer()
  const { net, links } = node(A)
  const connection = await net.connect(at, { timeoutMs: 1_000, peer: B })
  connection.open(quiet)
  links?.replaceRules([{ from: A, to: B, fault: { cut: true } }])
  connection[how]()
  await roundTrip()
  await roundTrip()
  expect(seen).toEqual(['connected'])
  links?.replaceRules([])
  while (seen.length === 1) await roundTrip()
  expect(seen[1]).toBe('end')
  connection.destroy()
  close()
})

it('a cut that comes while an attempt is under way hides even its refusal', async () => {
  const { roundTrip, close } = await plainServer()
  const { net, links } = node(A)
  const closed = await net.listen(AT, { onConnection: connection => connection.destroy() })
  await closed.close()
  const outcomes: string[] = []
  const attempt = codeOf(net.connect(closed.endpoint, { timeoutMs: 10_000, peer: B })).then(code => outcomes.push(code))
  links?.replaceRules([{ from: B, to: A, fault: { cut: true } }])
  await roundTrip()
  await roundTrip()
  expect(outcomes).toEqual([])
  links?.replaceRules([])
  await attempt
  expect(outcomes).toEqual(['refused'])
  close()
})

it('a change of other rules does not shorten the delay of a handshake', async () => {
  const { at, close } = await plainServer()
  const { net, links } = node(A)
  const delay = { from: A, to: B, fault: { delayMs: 30 } }
  links?.replaceRules([delay])
  const startMs = performance.now()
  const attempt = net.connect(at, { timeoutMs: 10_000, peer: B })
  links?.replaceRules([delay, { from: A, to: nodeId('c'), fault: { cut: true } }])
  const connection = await attempt
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(30)
  connection.destroy()
  close()
})
