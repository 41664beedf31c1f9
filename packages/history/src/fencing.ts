// Locks with fencing tokens, checked in real time: what the holders did, not what a sequential lock might have done. This
// also covers locks with leases, which the lock model cannot judge, and the resource behind the lock.
// Source: Kleppmann, "How to do distributed locking" (2016); Jepsen's reports on etcd 3.4.3.
import { VIOLATIONS_MAX } from './limits.ts'
import { fieldsOf, flagOf, integerOf, malformed } from './models/answers.ts'
import type { Operation } from './operation.ts'
import { groupBy } from './partition.ts'
import { greatestBefore } from './real-time.ts'

export interface FencingViolation {
  readonly rule: 'token went back' | 'token granted twice' | 'two holders' | 'stale token accepted' | 'token never granted'
  readonly key: string
  readonly message: string
  readonly operations: readonly Operation[]
}

export interface FencingOptions {
  /** How long a grant lasts after it was requested or renewed, when nobody releases it; forever when left out. */
  readonly leaseMs?: number
}

export interface FencingReport {
  readonly violations: readonly FencingViolation[]
  readonly count: number
}

/** A grant, and the time in which its client certainly held the lock. */
interface Grant {
  readonly operation: Operation
  readonly token: number
  heldUntil: number
  released: boolean
}

/**
 * `acquire` -> {token} or null, `renew {token}` -> true or false, `release {token}` -> true or false, and `use {token}` on the resource that the
 * lock guards -> whether it was accepted. Everything of one key belongs together. Of a request only what was answered counts.
 */
export function checkFencing(operations: readonly Operation[], { leaseMs = Number.POSITIVE_INFINITY }: FencingOptions = {}): FencingReport {
  const violations: FencingViolation[] = []
  let count = 0
  const report = (violation: FencingViolation): void => {
    count++
    if (violations.length < VIOLATIONS_MAX) violations.push(violation)
  }
  for (const [key, ofKey] of groupBy(operations, ({ key }) => key)) {
    const ordered = ofKey.toSorted((a, b) => a.t0 - b.t0)
    const grants = grantsOf(ordered, leaseMs)
    const uses = ordered.filter(accepted)
    // A grant whose answer was lost may still be known to a client in other ways.
    const complete = !ordered.some(({ f, outcome }) => f === 'acquire' && outcome === 'info')
    checkTokens(key, grants, report)
    checkHolders(key, grants, report)
    checkUses(key, uses, complete ? new Set(grants.map(({ token }) => token)) : undefined, report)
  }
  return { violations, count }
}

type Report = (violation: FencingViolation) => void

function grantsOf(ordered: readonly Operation[], leaseMs: number): Grant[] {
  const grants = new Map<number, Grant>()
  const all: Grant[] = []
  for (const operation of ordered) {
    const { f, outcome, output, t0 } = operation
    if (f === 'acquire' && outcome === 'ok' && output !== null) {
      const token = integerOf(operation, fieldsOf(operation, output, 'the grant')['token'], 'the token')
      const grant: Grant = { operation, token, heldUntil: t0 + leaseMs, released: false }
      all.push(grant)
      if (!grants.has(token)) grants.set(token, grant)
    } else if (f === 'renew' || f === 'release') {
      const grant = grants.get(tokenOf(operation))
      if (grant === undefined || grant.released) continue
      // Whatever the answer to a release, from its call on the client may no longer hold the lock.
      grant.released = f === 'release'
      if (grant.released) grant.heldUntil = Math.min(grant.heldUntil, t0)
      else if (outcome === 'ok' && output === true) grant.heldUntil = t0 + leaseMs
    } else if (f !== 'acquire' && f !== 'use' && f !== 'holder') malformed(operation, 'not an operation of a lock')
  }
  return all
}

/** A token is above every one whose grant had returned before it was asked for, and is granted once. */
function checkTokens(key: string, grants: readonly Grant[], report: Report): void {
  const byToken = new Map<number, Grant>()
  for (const grant of grants) {
    const other = byToken.get(grant.token)
    if (other !== undefined)
      report({ rule: 'token granted twice', key, message: `token ${grant.token}`, operations: [other.operation, grant.operation] })
    byToken.set(grant.token, grant)
  }
  for (const [earlier, later] of greatestBefore(
    grants,
    ({ operation }) => operation,
    ({ token }) => token,
  ))
    if (later.token < earlier.token)
      report({
        rule: 'token went back',
        key,
        message: `${later.token} after ${earlier.token}`,
        operations: [earlier.operation, later.operation],
      })
}

/** Two clients never hold the lock at one time: from the answer to the end of the lease or the call of the release. */
function checkHolders(key: string, grants: readonly Grant[], report: Report): void {
  const held = grants.filter(({ operation, heldUntil }) => operation.t1 < heldUntil).sort((a, b) => a.operation.t1 - b.operation.t1)
  let longest: Grant | undefined
  for (const grant of held) {
    if (longest !== undefined && grant.operation.t1 < longest.heldUntil && grant.token !== longest.token) {
      const message = `token ${grant.token} was granted while token ${longest.token} was held`
      report({ rule: 'two holders', key, message, operations: [longest.operation, grant.operation] })
    }
    if (longest === undefined || grant.heldUntil > longest.heldUntil) longest = grant
  }
}

/** The resource never accepts a token below one it accepted before, nor one that was never granted. */
function checkUses(key: string, uses: readonly Operation[], granted: ReadonlySet<number> | undefined, report: Report): void {
  for (const [earlier, later] of greatestBefore(uses, use => use, tokenOf))
    if (tokenOf(later) < tokenOf(earlier))
      report({ rule: 'stale token accepted', key, message: `${tokenOf(later)} after ${tokenOf(earlier)}`, operations: [earlier, later] })
  for (const use of uses)
    if (granted?.has(tokenOf(use)) === false)
      report({ rule: 'token never granted', key, message: `token ${tokenOf(use)} was used`, operations: [use] })
}

function accepted(operation: Operation): boolean {
  return operation.f === 'use' && operation.outcome === 'ok' && flagOf(operation, operation.output, 'the answer of a use')
}

function tokenOf(operation: Operation): number {
  return integerOf(operation, fieldsOf(operation, operation.input, 'the argument')['token'], 'the token')
}
