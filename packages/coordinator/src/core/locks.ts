// Locks: mutual exclusion for as long as a lease lasts (Burrows 2006, "The Chubby lock service"). A holder that was paused
// past its lease may still believe that it holds: no lock service can prevent that. So each grant has a fencing token, and
// what the lock protects must refuse a token smaller than one it has seen (Kleppmann 2016). Inside this store a transaction
// does it in one step: compare the mod revision of `$atoll/lock/<name>` with the token.
import type { lockAcquire, lockRelease, RequestOf, ResponseOf } from '@atoll/protocol'
import { Contests, type Grant } from './contests.ts'
import type { Draft } from './draft.ts'
import type { Leases } from './leases.ts'
import { RESERVED_PREFIX } from './selection.ts'

export const LOCK_PREFIX = `${RESERVED_PREFIX}lock/`

export const locks = (): Contests => new Contests(LOCK_PREFIX)

/** Asks for a lock; the answer of one who has to wait says so, and a grant follows. */
export function acquire(
  all: Contests,
  leases: Leases,
  draft: Draft,
  { name, lease, owner, wait }: RequestOf<typeof lockAcquire>,
): ResponseOf<typeof lockAcquire> {
  leases.expect(lease)
  const standing = all.join(draft, name, { lease, value: owner }, wait)
  return { revision: draft.revisionAfter, ...standing }
}

/** Releases a lock, which goes to the one that waits longest, or stops waiting for it. */
export function release(all: Contests, draft: Draft, { name, lease }: RequestOf<typeof lockRelease>): readonly Grant[] {
  return all.leave(draft, name, lease)
}
