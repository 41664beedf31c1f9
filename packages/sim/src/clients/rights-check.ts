// What was told of locks and offices, judged twice: in real time, by what holders did and when (two never hold at once, and no
// resource takes an older token), and as a sequence, by a lock whose grants may end by themselves (who held it when somebody
// looked).
import { checkFencing, checkLinearizable, lockModel, type Operation } from '@atoll/history'
import { LEASE_TTL_MS } from './rights-workers.ts'

/** A coordinator's clock that runs a tenth too fast ends leases so much earlier. */
const CERTAIN_SHARE = 0.9

/** A sentence for each thing that is wrong; `count` hears how the search for an order ended. */
export function checkRights(operations: readonly Operation[], count: (what: string) => void): string[] {
  const inTime = checkFencing(operations, { leaseMs: LEASE_TTL_MS * CERTAIN_SHARE })
  const { verdict, partitions } = checkLinearizable(lockModel({ expiring: true }), operations.flatMap(asOfALock))
  count(`locks ${verdict}`)
  const stuck = partitions.filter(partition => partition.verdict === 'not linearizable')
  return [
    ...inTime.violations.map(({ rule, key, message }) => `${key}: ${rule}: ${message}`),
    ...stuck.map(partition => `${partition.partition}: no lock answers so: ${partition.stuck?.text ?? ''}`),
  ]
}

/** What a lock says of them. The SDK answers alike whether a release ended a grant or that was over. */
function asOfALock(operation: Operation, _: number, all: readonly Operation[]): readonly Operation[] {
  const { f, outcome } = operation
  if (f === 'release' && outcome === 'ok') return [{ ...operation, output: null }]
  if (f === 'holder') return [...grantSeen(operation, all), operation]
  return f === 'use' || (f === 'acquire' && outcome !== 'ok') ? [] : [operation]
}

/**
 * Who gave up may have been granted it before. That matters only where somebody saw a token that nobody was told: then one of
 * those grants had it, after it was asked for and before it was seen. Left open, each of them would double the search.
 */
function grantSeen({ operation, key, output, t1 }: Operation, all: readonly Operation[]): readonly Operation[] {
  if (output === null) return []
  const ofKey = all.filter(other => other.key === key)
  const wasTold = ofKey.some(({ f, output: grant }) => f === 'acquire' && grant !== null && (grant as { token: number }).token === output)
  const [first] = ofKey.filter(other => other.f === 'holder' && other.output === output).toSorted((a, b) => a.t1 - b.t1)
  const [asked] = ofKey.filter(({ f, outcome, t0 }) => f === 'acquire' && outcome !== 'ok' && t0 <= t1).toSorted((a, b) => a.t0 - b.t0)
  if (wasTold || first?.operation !== operation || asked === undefined) return []
  return [{ ...asked, output: { token: output }, outcome: 'ok', t1 }]
}
