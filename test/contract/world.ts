// What a contract test needs of a port under test: two nodes that can reach each other, one clock, the link rules of
// both, and peers that record what happens to them so that a test can wait for a condition instead of a time.
import type { Clock, CloseReason, Connection, Endpoint, LinkRule, Listener, ListenOptions, Net, NodeId } from '@atoll/base'
import { nodeId } from '@atoll/base'

export const A = nodeId('a')
export const B = nodeId('b')
export const LOOPBACK = '127.0.0.1'
export const CONNECT_TIMEOUT_MS = 10_000

export interface World {
  readonly clock: Clock
  /** The net of node `a` and of node `b`. */
  readonly a: Net
  readonly b: Net
  /** Replaces the rules on every link. */
  setLinks(rules: readonly LinkRule[]): void
  /** A path for a socket that does not exist. */
  freshPath(): string
}

export interface Harness {
  /** Runs `body` in a world of its own; what it opened is closed or forgotten afterwards. */
  readonly run: (body: (world: World) => Promise<void>) => Promise<void>
}

/** Waits on conditions: whoever changes something calls `changed`. */
export class Conditions {
  readonly #waiting = new Set<{ readonly holds: () => boolean; readonly resolve: () => void }>()

  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise(resolve => this.#waiting.add({ holds, resolve }))
  }

  changed(): void {
    for (const waiter of this.#waiting) {
      if (!waiter.holds()) continue
      this.#waiting.delete(waiter)
      waiter.resolve()
    }
  }
}

/** One side of a connection with a memory. */
export class Peer {
  readonly connection: Connection
  readonly #conditions = new Conditions()
  readonly closes: CloseReason[] = []
  readonly #chunks: Uint8Array[] = []
  receivedBytes = 0
  drains = 0
  /** Called with every piece, before anything else. */
  onData: ((bytes: Uint8Array) => void) | undefined

  constructor(connection: Connection) {
    this.connection = connection
    connection.open({
      onData: bytes => {
        this.onData?.(bytes)
        this.#chunks.push(bytes)
        this.receivedBytes += bytes.length
        this.#conditions.changed()
      },
      onDrain: () => {
        this.drains++
        this.#conditions.changed()
      },
      onClose: reason => {
        this.closes.push(reason)
        this.#conditions.changed()
      },
    })
  }

  until(holds: (peer: Peer) => boolean): Promise<void> {
    return this.#conditions.until(() => holds(this))
  }

  /** All bytes so far, once there are `length` of them. */
  async received(length: number): Promise<Buffer> {
    await this.until(() => this.receivedBytes >= length)
    return Buffer.concat(this.#chunks)
  }

  async closed(): Promise<CloseReason> {
    await this.until(() => this.closes.length > 0)
    return this.closes[0] as CloseReason
  }
}

/** A listener that keeps the peers it accepted. */
export class Door {
  readonly listener: Listener
  readonly peers: Peer[] = []
  readonly #conditions: Conditions
  #taken = 0

  private constructor(listener: Listener, peers: Peer[], conditions: Conditions) {
    this.listener = listener
    this.peers = peers
    this.#conditions = conditions
  }

  static async open(net: Net, at: Endpoint = { host: LOOPBACK, port: 0 }, options: Partial<ListenOptions> = {}): Promise<Door> {
    const peers: Peer[] = []
    const conditions = new Conditions()
    const listener = await net.listen(at, {
      ...options,
      onConnection: connection => {
        options.onConnection?.(connection)
        peers.push(new Peer(connection))
        conditions.changed()
      },
    })
    return new Door(listener, peers, conditions)
  }

  /** The next peer that was accepted and not taken yet. */
  async take(): Promise<Peer> {
    const place = this.#taken++
    await this.#conditions.until(() => this.peers.length > place)
    return this.peers[place] as Peer
  }
}

export interface Pair {
  /** On node `a`, which connected. */
  readonly client: Peer
  /** On node `b`, which accepted. */
  readonly server: Peer
  readonly door: Door
}

/** A connection from `a` to `b`, both sides open; with names unless the test wants none. */
export async function connectPair(world: World, { named = true } = {}): Promise<Pair> {
  const door = await Door.open(world.b)
  const client = new Peer(await world.a.connect(door.listener.endpoint, options(named ? B : undefined)))
  const server = await door.take()
  if (named) server.connection.identify(A)
  return { client, server, door }
}

export function options(peer?: NodeId): { readonly timeoutMs: number; readonly peer?: NodeId } {
  return peer === undefined ? { timeoutMs: CONNECT_TIMEOUT_MS } : { timeoutMs: CONNECT_TIMEOUT_MS, peer }
}

/** Twenty round trips within node `a`, which no link rule touches: what could happen between `a` and `b` has happened. */
export async function settled(world: World): Promise<void> {
  const door = await Door.open(world.a)
  const client = new Peer(await world.a.connect(door.listener.endpoint, options()))
  const server = await door.take()
  for (let round = 1; round <= 20; round++) {
    client.connection.write(Uint8Array.of(round))
    await server.received(round)
    server.connection.write(Uint8Array.of(round))
    await client.received(round)
  }
  client.connection.end()
  await Promise.all([client.closed(), server.closed()])
  await door.listener.close()
}

/** The code of the NetError that `attempt` rejects with. */
export async function codeOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'resolved',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )
}

/** `length` bytes that depend on their place. */
export function pattern(length: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >>> 8) * 7 + salt) & 0xff
  return bytes
}
