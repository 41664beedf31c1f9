// For property tests: commands that meet each other: few keys, few leases, few names, values that tell themselves apart.
import type { KeySelection } from '@atoll/protocol'
import fc from 'fast-check'
import type { Command } from './commands.ts'
import {
  compact,
  deleteOp,
  expire,
  grantLease,
  keepHistory,
  lock,
  onceOf,
  openSession,
  proclaim,
  put,
  putOp,
  rangeOp,
  register,
  remove,
  resign,
  revoke,
  stand,
  transaction,
  unlock,
  when,
} from './scripted-state.ts'

const key = fc.constantFrom('a', 'a/1', 'a/2', 'b', 'b/1', 'c', 'd')
const value = fc.string({ maxLength: 6 })
export const selection: fc.Arbitrary<KeySelection> = fc.oneof(
  key.map(one => ({ kind: 'one' as const, key: one, end: '' })),
  fc.constantFrom('', 'a', 'a/', 'b').map(prefix => ({ kind: 'prefix' as const, key: prefix, end: '' })),
  fc.tuple(key, fc.oneof(key, fc.constant(''))).map(([from, end]) => ({ kind: 'between' as const, key: from, end })),
)
const lease = fc.integer({ min: 1, max: 12 })
const target = fc.constantFrom('version' as const, 'create_revision' as const, 'mod_revision' as const, 'lease' as const)
const relation = fc.constantFrom('equal' as const, 'not_equal' as const, 'less' as const, 'greater' as const)
const compareOf = fc.oneof(
  fc.tuple(key, relation, value).map(([of, is, than]) => when(of, 'value', is, than)),
  fc.tuple(key, target, relation, fc.nat(8)).map(([of, what, is, than]) => when(of, what, is, than)),
)
const operationOf = fc.oneof(
  fc.tuple(key, value).map(([of, to]) => putOp(of, to)),
  selection.map(of => deleteOp(of)),
  fc.tuple(selection, fc.nat(3)).map(([of, limit]) => rangeOp(of, limit)),
)

/** Commands of the key-value part alone. */
export const storeCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(key, value, fc.boolean()).map(([of, to, wanted]) => put(of, to, 0, wanted)) },
  { weight: 2, arbitrary: fc.tuple(selection, fc.boolean()).map(([of, wanted]) => remove(of, wanted)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.array(compareOf, { maxLength: 2 }), fc.array(operationOf, { maxLength: 4 }), fc.array(operationOf, { maxLength: 2 }))
      .map(([compares, success, failure]) => transaction(compares, success, failure)),
  },
)

const rightsCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.constant(openSession()),
  fc.constant(grantLease()),
  lease.map(revoke),
  fc.array(lease, { maxLength: 3 }).map(leases => expire(...leases)),
  fc.tuple(key, value, lease).map(([of, to, on]) => put(of, to, on)),
  fc.tuple(fc.constantFrom('x', 'y'), lease, fc.boolean()).map(([name, by, wait]) => lock(name, by, wait)),
  fc.tuple(fc.constantFrom('x', 'y'), lease).map(([name, by]) => unlock(name, by)),
  fc.tuple(fc.constantFrom('x', 'y'), lease, value).map(([name, by, says]) => stand(name, by, says)),
  fc.tuple(fc.constantFrom('x', 'y'), lease, fc.nat(20), value).map(([name, by, token, says]) => proclaim(name, by, token, says)),
  fc.tuple(fc.constantFrom('x', 'y'), lease).map(([name, by]) => resign(name, by)),
  fc
    .tuple(fc.constantFrom('broker-1', 'broker-2'), fc.constantFrom('disk-1', 'disk-2'), fc.nat(3), lease)
    .map(([node, disk, starts, by]) => register(node, disk, starts, { lease: by as never })),
  fc.nat(30).map(compact),
  fc.tuple(fc.nat(10), fc.nat(4_000)).map(([revisions, bytes]) => keepHistory(revisions, bytes)),
)

/** Any command, now and then in a session, where it may be a retry. */
export const anyCommand: fc.Arbitrary<Command> = fc
  .tuple(
    fc.oneof({ weight: 2, arbitrary: storeCommand }, { weight: 3, arbitrary: rightsCommand }),
    fc.option(fc.tuple(lease, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 })), { freq: 3 }),
  )
  .map(([command, once]) => (once === null || !('session' in command) ? command : ({ ...command, ...onceOf(...once) } as Command)))
