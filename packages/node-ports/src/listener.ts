// Listening on TCP and on Unix sockets. A listener outlives every trouble with single connections.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, isIP, type Server, type Socket } from 'node:net'
import type { Clock, Endpoint, Listener, ListenOptions, MonotonicMs } from '@atoll/base'
import { assert, formatEndpoint, NetError } from '@atoll/base'
import { netError } from './net-errors.ts'
import { type FaultContext, SocketConnection } from './socket-connection.ts'

const CONNECTIONS_MAX_DEFAULT = 16_384
/** Connections that the kernel completes before we accept them. Linux lowers it to its own net.core.somaxconn. */
const BACKLOG = 4_096
/** Failures to accept come in storms; one report per this many milliseconds says it. */
const ACCEPT_ERROR_INTERVAL_MS = 1_000
/** sockaddr_un.sun_path less its final zero; libuv would cut a longer one short, silently in older versions. */
const SOCKET_PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103

export async function listen(at: Endpoint, options: ListenOptions, clock: Clock, faults: FaultContext | undefined): Promise<Listener> {
  const server = newServer(options, clock, faults)
  if ('path' in at) await bindPath(server, at.path)
  else await bindAddress(server, at.host, at.port)
  // Closing is over once the descriptor is: connections live on and would keep the server's own callback waiting.
  const closed = Promise.withResolvers<void>()
  let closing = false
  return {
    endpoint: boundEndpoint(server, at),
    close() {
      if (!closing) {
        closing = true
        server.close()
        setImmediate(closed.resolve)
      }
      return closed.promise
    },
  }
}

function newServer(options: ListenOptions, clock: Clock, faults: FaultContext | undefined): Server {
  const connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT
  const server = createServer({ noDelay: true, allowHalfOpen: true })
  const report = rateLimited(clock, options.onAcceptError)
  server.maxConnections = connectionsMax
  server.on('connection', (socket: Socket) => {
    const connection = new SocketConnection(socket, remoteName(socket), faults)
    options.onConnection(connection)
    assert(connection.owned, 'an accepted connection is opened or destroyed before onConnection returns')
  })
  server.on('drop', () => {
    report(new NetError('descriptors_exhausted', `${connectionsMax} connections are open, the limit; closed one more`))
  })
  server.on('error', error => {
    if (server.listening) report(netError(error))
  })
  return server
}

function rateLimited(clock: Clock, tell: ListenOptions['onAcceptError']): (error: NetError) => void {
  let quietUntilMs = Number.NEGATIVE_INFINITY as MonotonicMs
  return error => {
    const nowMs = clock.monotonicMs()
    if (nowMs < quietUntilMs) return
    quietUntilMs = (nowMs + ACCEPT_ERROR_INTERVAL_MS) as MonotonicMs
    tell?.(error)
  }
}

function remoteName(socket: Socket): string {
  // A peer that is gone already has no address any more, and one on a Unix socket never had.
  if (socket.remoteAddress === undefined || socket.remotePort === undefined) return 'unnamed'
  return formatEndpoint({ host: socket.remoteAddress, port: socket.remotePort })
}

async function bindAddress(server: Server, host: string, port: number): Promise<void> {
  if (isIP(host) === 0) throw new NetError('address_not_available', `not an IP address: ${host}`)
  await bound(server, () => server.listen({ host, port, backlog: BACKLOG, exclusive: true }))
}

async function bindPath(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new NetError('address_not_available', `socket path longer than ${SOCKET_PATH_BYTES_MAX} bytes: ${path}`)
  }
  const bind = (): Promise<void> =>
    bound(server, () => {
      server.listen({ path, backlog: BACKLOG })
      // At once, not when `listening` comes: nobody else shall get in between.
      if (server.listening) chmodSync(path, 0o600)
    })
  try {
    await bind()
  } catch (error) {
    const stale = netError(error).code === 'address_in_use' && lstatSync(path).isSocket() && !(await isServed(path))
    if (!stale) throw error
    // Left behind by a process that was killed.
    unlinkSync(path)
    await bind()
  }
}

function bound(server: Server, bind: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(netError(error))
    server.once('error', onError)
    server.once('listening', () => {
      server.off('error', onError)
      resolve()
    })
    bind()
  })
}

/** Whether somebody listens at `path`. Only a refusal proves that nobody does. */
function isServed(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', error => resolve(netError(error).code !== 'refused'))
  })
}

function boundEndpoint(server: Server, at: Endpoint): Endpoint {
  const address = server.address()
  return 'host' in at && address !== null && typeof address === 'object' ? { host: at.host, port: address.port } : at
}
