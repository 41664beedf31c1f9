// Work with rights that end: locks and offices that guard a resource, and leases that take their keys along.
import { AtollError, type HeldLock, type Holder, type Leadership } from '@atoll/client/core'
import { attempted, pause, recorded, type WorkerParts } from './worker.ts'

export const LEASE_TTL_MS = 2_000
const TIMEOUT_MS = 5_000
const USES = 4
const HOLD_MS_MAX = 500

/** What a lock guards. It refuses a token below one that it has seen, and so needs to know nobody's clock. */
export class GuardedResource {
  #highest = 0

  use(token: number): boolean {
    if (token < this.#highest) return false
    this.#highest = token
    return true
  }
}

/** Takes a lock or an office, uses what it guards, now and then proclaims something, and gives it up. */
export async function guard(parts: WorkerParts, name: string, resource: GuardedResource, how: 'lock' | 'election'): Promise<void> {
  const { client, recorded: history } = parts
  const options = { ttlMs: LEASE_TTL_MS, timeoutMs: TIMEOUT_MS }
  const acquire = (): Promise<HeldLock | Leadership> =>
    how === 'lock' ? client.lock(name).acquire(options) : client.election(name).campaign(parts.name, options)
  const look = async (): Promise<Holder | undefined> =>
    how === 'lock'
      ? (await client.lock(name).holder({ timeoutMs: TIMEOUT_MS })).holder
      : client.election(name).leader({ timeoutMs: TIMEOUT_MS })
  while (!parts.stopping()) {
    await pause(parts, HOLD_MS_MAX)
    if (parts.random.below(3) === 0) await recorded(parts, 'holder', name, null, look, holder => holder?.token ?? null)
    const held = await recorded(parts, 'acquire', name, null, acquire, ({ token }) => ({ token }))
    if (held === undefined) continue
    const { token } = held
    for (let use = 0; use < USES; use++) {
      await pause(parts, HOLD_MS_MAX)
      // What was lost is not used by anybody who looks; the token is for those who do not look in time.
      if (held.lost.aborted && parts.random.below(2) === 0) break
      history.invoke('use', name, { token })
      history.ok(resource.use(token))
      parts.count('use ok')
    }
    if ('proclaim' in held) await attempted(parts, 'proclaim', () => held.proclaim(`${parts.name} ${token}`, { timeoutMs: TIMEOUT_MS }))
    const giveUp = () => ('release' in held ? held.release({ timeoutMs: TIMEOUT_MS }) : held.resign({ timeoutMs: TIMEOUT_MS }))
    await recorded(parts, 'release', name, { token }, giveUp, () => true)
  }
}

/** A key on a lease is gone once the end of the lease was confirmed. */
export async function lease(parts: WorkerParts): Promise<void> {
  const { client } = parts
  const key = `leased/${parts.name}`
  const options = { timeoutMs: TIMEOUT_MS }
  while (!parts.stopping()) {
    await pause(parts, HOLD_MS_MAX)
    const granted = await attempted(parts, 'lease', () => client.lease({ ttlMs: LEASE_TTL_MS, ...options }))
    if (granted instanceof AtollError) continue
    await attempted(parts, 'leased_put', () => client.kv.put(key, 'here', { lease: granted, ...options }))
    await pause(parts, 2 * LEASE_TTL_MS)
    const revoked = await attempted(parts, 'revoke', () => granted.revoke(options))
    if (revoked instanceof AtollError) continue
    const after = await attempted(parts, 'leased_get', () => client.kv.get(key, options))
    if (after !== undefined && !(after instanceof AtollError) && after.lease === granted.id)
      parts.violated(`${parts.name} revoked its lease ${granted.id}, and its key is there`)
  }
}
