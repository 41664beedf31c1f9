// A node's registration with the coordinators: the right to act as the node of its name, in an epoch above all before
// (KIP-631). It lives by a lease; when that is over, or somebody else registered under the name, the node is fenced, has to
// be taken for dead, and registers anew. A term counts from when it was asked for, so it is over here before it is there.
import { type Clock, type Logger, sleep } from '@atoll/base'
import { AtollError, type CallOptions, type Client } from '@atoll/client/core'
import {
  kvGet,
  type LeaseId,
  leaseGrant,
  leaseKeepAlive,
  nodeRegister,
  nodeStop,
  type RequestOf,
  type ResponseOf,
  type Revision,
  registration as registrationFields,
  StoredRecord,
} from '@atoll/protocol'
import { NODE_LEASE_MS, NODE_RENEWAL_MS, NODE_STOP_TIMEOUT_MS, REGISTER_RETRY_MS, RENEWALS_PER_LOOK } from './limits.ts'

export type Registered = ResponseOf<typeof nodeRegister>

export interface RegistrationOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly client: Client
  /** What it says of itself, as of now. */
  readonly describe: () => Omit<RequestOf<typeof nodeRegister>, keyof typeof unnumbered | 'lease'>
}

/** Without a session: registering twice only takes another epoch, and stopping twice is stopping once. */
const unnumbered = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0 }

interface Current {
  readonly registered: Registered
  readonly lease: LeaseId
  endsAtMs: number
}

export class Registration {
  readonly #options: RegistrationOptions
  readonly #stopping = new AbortController()
  readonly #onFenced: ((epoch: Revision) => void)[] = []
  readonly #onRegistered: ((epoch: Revision) => void)[] = []
  #current: Current | undefined
  #latest: Revision | undefined
  #trouble: string | undefined
  /** The disk by which the name is known, which is gone. */
  #replaces: string | undefined

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  /** Undefined while it has no right to act. Looks at the clock: a process that stood still finds out here. */
  get current(): Registered | undefined {
    this.#lapse()
    return this.#current?.registered
  }

  /** The same without a look at the clock: for whoever watches, not for whoever acts. */
  get believed(): Registered | undefined {
    return this.#current?.registered
  }

  /** The epoch it was last registered in, fenced or not; undefined before the first. */
  get latestEpoch(): Revision | undefined {
    return this.#latest
  }

  /** Why it is not registered, when there is more to say than that it is on its way. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Calls `listener` when the node loses the right to act in `epoch`. */
  onFenced(listener: (epoch: Revision) => void): void {
    this.#onFenced.push(listener)
  }

  /** Calls `listener` when the node has the right to act in `epoch`. */
  onRegistered(listener: (epoch: Revision) => void): void {
    this.#onRegistered.push(listener)
  }

  /** Registers, and again whenever it was fenced, until it is stopped. Never rejects but for a bug. */
  async run(): Promise<void> {
    const { signal } = this.#stopping
    try {
      for (;;) {
        if (await this.#register()) await this.#keep()
        else await sleep(this.#options.clock, REGISTER_RETRY_MS, signal)
        signal.throwIfAborted()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Says that the node stops in order, if anybody is there to hear it. */
  async stop(): Promise<void> {
    const { client, describe, log } = this.#options
    const epoch = this.current?.epoch
    this.#stopping.abort()
    if (epoch !== undefined) {
      const request = { ...unnumbered, node: describe().node, epoch }
      await client.request(nodeStop, request, { timeoutMs: NODE_STOP_TIMEOUT_MS }).catch((error: unknown) => {
        // Its lease ends by itself; what its next start counts as, its disk says.
        log.debug({ event: 'stop_not_registered', err: error }, 'no coordinator heard of this stop')
      })
    }
    await client.close()
  }

  async #register(): Promise<boolean> {
    const { client, clock, describe, log } = this.#options
    const { signal } = this.#stopping
    try {
      const sentAtMs = clock.monotonicMs()
      const options = { timeoutMs: NODE_LEASE_MS, signal }
      const { lease } = await client.request(leaseGrant, { ...unnumbered, ttlMs: NODE_LEASE_MS }, options)
      const registered = await client.request(nodeRegister, { ...unnumbered, ...describe(), replaces: this.#replaces, lease }, options)
      this.#current = { registered, lease, endsAtMs: sentAtMs + NODE_LEASE_MS }
      this.#latest = registered.epoch
      this.#trouble = undefined
      log.info({ event: 'registered', ...registered }, 'registered with the coordinators')
      for (const listener of this.#onRegistered) listener(registered.epoch)
      return true
    } catch (error) {
      if (!(error instanceof AtollError) || signal.aborted) throw error
      if (error.code === 'identity_refused' && (await this.#mayReplace())) return false
      const trouble = error.message
      if (!error.retriable && trouble !== this.#trouble)
        log.warn({ event: 'registration_refused', code: error.code, reason: trouble }, 'the coordinators refuse this node')
      this.#trouble = trouble
      return false
    }
  }

  /**
   * A node without the disk by which its name is known, as after that was deleted or broke, takes its place once the old
   * registration is over: what was on the disk comes from others, or is lost. Coordinators do so by a change of membership.
   */
  async #mayReplace(): Promise<boolean> {
    const { client, describe, log } = this.#options
    const { node, role, disk } = describe()
    if (role === 'coordinator') return false
    try {
      const request = { key: `$atoll/node/${node}`, revision: 0 as Revision, consistency: 'linearizable' } as const
      const { entry } = await client.request(kvGet, request, { timeoutMs: NODE_LEASE_MS, signal: this.#stopping.signal })
      const known = entry && new StoredRecord('registration', registrationFields).read(entry.value)
      const isOver = known?.state === 'fenced' || known?.state === 'stopped'
      if (known === undefined || !isOver || known.disk === disk || known.retiredDisks.includes(disk)) return false
      if (this.#replaces !== known.disk)
        log.warn({ event: 'disk_replaced', disk, replaces: known.disk }, 'this node comes back without the disk it had: it is filled anew')
      this.#replaces = known.disk
      return true
    } catch (error) {
      if (!(error instanceof AtollError) || this.#stopping.signal.aborted) throw error
      return false
    }
  }

  /** Keeps the registration; returns when it is over. */
  async #keep(): Promise<void> {
    const { client, clock, log } = this.#options
    const { signal } = this.#stopping
    // Registering may have taken most of its first term.
    const leftMs = (this.#current?.endsAtMs ?? 0) - clock.monotonicMs()
    let pauseMs = Math.min(NODE_RENEWAL_MS, Math.max(0, leftMs / 2))
    for (let renewals = 1; ; renewals++) {
      await sleep(clock, pauseMs, signal)
      const current = this.#lapse()
      if (current === undefined) return
      const sentAtMs = clock.monotonicMs()
      const options = { timeoutMs: Math.max(1, current.endsAtMs - sentAtMs), signal }
      try {
        const [{ ttlMs }, isOurs] = await Promise.all([
          client.request(leaseKeepAlive, { leases: [current.lease] }, options),
          renewals % RENEWALS_PER_LOOK === 0 ? this.#isOurs(current, options) : true,
        ])
        if (ttlMs[0] === 0) return this.#fence('its lease is over')
        if (!isOurs) return this.#fence('the name was given to another, or taken away')
        current.endsAtMs = sentAtMs + NODE_LEASE_MS
        pauseMs = NODE_RENEWAL_MS
      } catch (error) {
        if (!(error instanceof AtollError) || signal.aborted) throw error
        log.debug({ event: 'not_renewed', err: error }, 'the registration was not renewed')
        pauseMs = REGISTER_RETRY_MS
      }
    }
  }

  /** A coordinator that is behind shows an older registration, which proves nothing. */
  async #isOurs({ registered, lease }: Current, options: CallOptions): Promise<boolean> {
    const { client, describe } = this.#options
    const key = `$atoll/node/${describe().node}`
    const { entry } = await client.request(kvGet, { key, revision: 0 as Revision, consistency: 'local' }, options)
    return entry === undefined || entry.modRevision <= registered.epoch || entry.lease === lease
  }

  /** What is still in force. */
  #lapse(): Current | undefined {
    const current = this.#current
    if (current !== undefined && this.#options.clock.monotonicMs() >= current.endsAtMs) this.#fence('its lease was not renewed in time')
    return this.#current
  }

  #fence(why: string): void {
    const current = this.#current
    if (current === undefined) return
    this.#current = undefined
    const { epoch } = current.registered
    this.#options.log.warn({ event: 'fenced', epoch, why }, 'this node may not act any more until it is registered again')
    for (const listener of this.#onFenced) listener(epoch)
  }
}
