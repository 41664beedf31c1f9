// Elections among clients: candidates are elected in the order in which they stood, and stay until they resign or their
// lease ends. Who is elected stands in the store under `$atoll/election/<name>` with what it proclaims, so everybody can
// watch it; the token tells one term of office from the next, also of the same candidate.
import {
  type electionCampaign,
  type electionProclaim,
  type electionResign,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
} from '@atoll/protocol'
import { Contests, type Grant } from './contests.ts'
import type { Draft } from './draft.ts'
import type { Leases } from './leases.ts'
import { RESERVED_PREFIX } from './selection.ts'

export const ELECTION_PREFIX = `${RESERVED_PREFIX}election/`

export const elections = (): Contests => new Contests(ELECTION_PREFIX)

/** Stands for election; the answer of one who is not elected at once says so, and a grant follows. */
export function campaign(
  all: Contests,
  leases: Leases,
  draft: Draft,
  { name, lease, value }: RequestOf<typeof electionCampaign>,
): ResponseOf<typeof electionCampaign> {
  leases.expect(lease)
  const standing = all.join(draft, name, { lease, value }, true)
  return { revision: draft.revisionAfter, ...standing }
}

/** The one elected says something else. A predecessor, or the same one in an earlier term of office, is refused. */
export function proclaim(all: Contests, draft: Draft, { name, lease, token, value }: RequestOf<typeof electionProclaim>): void {
  const holder = all.get(name)?.holder
  if (holder === undefined || holder.lease !== lease || holder.token !== token)
    throw new ProtocolError('not_holder', `lease ${lease} is not elected for ${name} with token ${token}`)
  all.proclaim(draft, name, { ...holder, value })
}

/** Gives the office up, or stops standing for it. */
export function resign(all: Contests, draft: Draft, { name, lease }: RequestOf<typeof electionResign>): readonly Grant[] {
  return all.leave(draft, name, lease)
}
