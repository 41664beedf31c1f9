// What locks and elections share: a lease of one's own stands in a queue until it comes first. Asking again finds the place
// kept, so it needs no session: who asks is known by the lease.
import type { ContestHolder, electionCampaign, lockAcquire, RequestOf, Revision } from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'
import { bytesOf, textOf, type Value } from './entries.ts'
import type { Lease, LeaseOptions, Leases } from './lease.ts'
import { CONTEST_TIMEOUT_MS } from './limits.ts'
import type { Call, Requests } from './requests.ts'
import { unnumbered } from './session.ts'

export interface ContestParts {
  readonly requests: Requests
  readonly leases: Leases
  readonly nowMs: () => number
}

/** Who has it. */
export interface Holder {
  /** The fencing token: greater than every one given before under this name. */
  readonly token: Revision
  /** What the holder says of itself. */
  readonly value: string
}

export const holderOf = (holder: ContestHolder | undefined): Holder | undefined =>
  holder && { token: holder.token, value: textOf(holder.value) }

export interface Standing {
  readonly lease: Lease
  readonly token: Revision
}

/** A standing with a lease of its own, once it is first; undefined without `wait` when somebody else is. */
export async function stand(
  parts: ContestParts,
  message: typeof lockAcquire | typeof electionCampaign,
  name: string,
  value: Value,
  { wait, ...options }: LeaseOptions & { readonly wait: boolean },
): Promise<Standing | undefined> {
  const { requests, leases, nowMs } = parts
  const call = requests.begin(message.name, true, options, CONTEST_TIMEOUT_MS)
  const lease = await leases.grant({ ...options, timeoutMs: call.deadlineAtMs - nowMs() })
  try {
    const request = { ...unnumbered, name, lease: lease.id, owner: bytesOf(value), value: bytesOf(value), wait }
    const { held, token } = await askUntilFirst(requests, call, message, request)
    // Whoever got it while this process stood still may have lost it again.
    if (lease.lost.aborted) throw requests.explained(call, lease.lost.reason)
    if (held) return { lease, token }
    await leases.giveBack(lease)
    return undefined
  } catch (error) {
    // Leaves the queue with the lease; nobody waits for that.
    void leases.giveBack(lease)
    throw error
  }
}

async function askUntilFirst(
  requests: Requests,
  call: Call,
  message: typeof lockAcquire | typeof electionCampaign,
  request: RequestOf<typeof lockAcquire> & RequestOf<typeof electionCampaign>,
): Promise<{ readonly held: boolean; readonly token: Revision }> {
  for (;;) {
    try {
      return await requests.ask(call, message as typeof lockAcquire, request, 'repeatable')
    } catch (error) {
      // A connection that broke took the lease out of the queue while it was asked again: it joins anew.
      if (!(error instanceof AtollError) || error.code !== 'not_holder') throw error
    }
  }
}
