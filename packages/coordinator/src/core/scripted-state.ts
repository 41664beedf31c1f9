// For tests: a state and what one asks of it in short words. Every command goes through its encoding, as in the log.
import type { NodeId } from '@atoll/base'
import type { Compare, ErrorCode, KeySelection, LeaseId, Operation, Revision } from '@atoll/protocol'
import { type AnswerOf, type Command, CommandCodec, type CommandKind, type CommandOf } from './commands.ts'
import { oneKey } from './selection.ts'
import { Snapshot } from './snapshot.ts'
import { SnapshotReader } from './snapshot-reader.ts'
import { type Applied, CoordinatorState } from './state-machine.ts'

const utf8 = new TextEncoder()
const text = new TextDecoder()
export const bytesOf = (value: string): Uint8Array => utf8.encode(value)
export const textOf = (value: Uint8Array): string => text.decode(value)
export const rev = (value: number): Revision => value as Revision
export const leaseOf = (value: number): LeaseId => value as LeaseId
export const onceOf = (session: number, sequence: number, answeredBelow = 1) => ({ session: leaseOf(session), sequence, answeredBelow })
const never = onceOf(0, 0, 0)

export const put = (key: string, value: string | Uint8Array, lease = 0, wantPrevious = false): CommandOf<'put'> => ({
  kind: 'put',
  ...never,
  key,
  value: typeof value === 'string' ? bytesOf(value) : value,
  lease: leaseOf(lease),
  wantPrevious,
})
export const remove = (selection: KeySelection | string, wantPrevious = false): CommandOf<'delete'> => ({
  kind: 'delete',
  ...never,
  selection: typeof selection === 'string' ? oneKey(selection) : selection,
  wantPrevious,
})
const operation = { value: new Uint8Array(0), lease: leaseOf(0), wantPrevious: false, limit: 0, keysOnly: false }
export const putOp = (key: string, value: string, lease = 0): Operation => ({
  ...operation,
  kind: 'put',
  selection: oneKey(key),
  value: bytesOf(value),
  lease: leaseOf(lease),
})
export const deleteOp = (selection: KeySelection | string): Operation => ({
  ...operation,
  kind: 'delete',
  selection: typeof selection === 'string' ? oneKey(selection) : selection,
})
export const rangeOp = (selection: KeySelection | string, limit = 0): Operation => ({
  ...operation,
  kind: 'range',
  selection: typeof selection === 'string' ? oneKey(selection) : selection,
  limit,
})
export const when = (key: string, target: Compare['target'], is: Compare['is'], than: number | string): Compare => ({
  key,
  target,
  is,
  number: typeof than === 'number' ? than : 0,
  value: bytesOf(typeof than === 'string' ? than : ''),
})
export const transaction = (
  compares: readonly Compare[],
  success: readonly Operation[],
  failure: readonly Operation[] = [],
): CommandOf<'transaction'> => ({ kind: 'transaction', ...never, compares, success, failure })
export const compact = (revision: number): CommandOf<'compact'> => ({ kind: 'compact', ...never, revision: rev(revision) })
export const keepHistory = (revisions: number, bytes: number): CommandOf<'keep_history'> => ({
  kind: 'keep_history',
  ...never,
  revisions,
  bytes,
})
export const openSession = (ttlMs = 5_000): CommandOf<'session_open'> => ({ kind: 'session_open', ttlMs })
export const grantLease = (ttlMs = 5_000): CommandOf<'lease_grant'> => ({ kind: 'lease_grant', ...never, ttlMs })
export const revoke = (lease: number): CommandOf<'lease_revoke'> => ({ kind: 'lease_revoke', ...never, lease: leaseOf(lease) })
export const expire = (...leases: number[]): CommandOf<'lease_expire'> => ({ kind: 'lease_expire', leases: leases.map(leaseOf) })
export const lock = (name: string, lease: number, wait = true, owner = ''): CommandOf<'lock_acquire'> => ({
  kind: 'lock_acquire',
  ...never,
  name,
  lease: leaseOf(lease),
  owner: bytesOf(owner),
  wait,
})
export const unlock = (name: string, lease: number): CommandOf<'lock_release'> => ({
  kind: 'lock_release',
  ...never,
  name,
  lease: leaseOf(lease),
})
export const stand = (name: string, lease: number, value = ''): CommandOf<'election_campaign'> => ({
  kind: 'election_campaign',
  ...never,
  name,
  lease: leaseOf(lease),
  value: bytesOf(value),
})
export const proclaim = (name: string, lease: number, token: number, value: string): CommandOf<'election_proclaim'> => ({
  kind: 'election_proclaim',
  ...never,
  name,
  lease: leaseOf(lease),
  token: rev(token),
  value: bytesOf(value),
})
export const resign = (name: string, lease: number): CommandOf<'election_resign'> => ({
  kind: 'election_resign',
  ...never,
  name,
  lease: leaseOf(lease),
})
export const register = (
  node: string,
  disk: string,
  starts: number,
  rest: Partial<CommandOf<'node_register'>> = {},
): CommandOf<'node_register'> => ({
  kind: 'node_register',
  ...never,
  node: node as NodeId,
  role: 'broker',
  disk,
  replaces: undefined,
  starts,
  cleanEpoch: rev(0),
  bootId: 'boot-1',
  incarnation: 0 as CommandOf<'node_register'>['incarnation'],
  lease: leaseOf(0),
  endpoints: [],
  ...rest,
})

export class ScriptedState {
  readonly codec = new CommandCodec()
  state: CoordinatorState

  constructor(state = new CoordinatorState()) {
    this.state = state
  }

  apply(command: Command): Applied {
    return this.state.apply(this.codec.decode(this.codec.encode(command)), this.state.appliedIndex + 1)
  }

  /** Applies it and answers its answer; fails the test when it is refused. */
  do<K extends CommandKind>(command: CommandOf<K>): AnswerOf<K> {
    const { answer } = this.apply(command as unknown as Command)
    if (!answer.ok) throw new Error(`${command.kind} is refused: ${answer.code}: ${answer.message}`)
    return answer.value as AnswerOf<K>
  }

  /** Applies it and answers the error; fails the test when it is not refused. */
  refusal(command: Command): ErrorCode {
    const { answer } = this.apply(command)
    if (answer.ok) throw new Error(`${command.kind} is not refused`)
    return answer.code
  }

  value(key: string): string | undefined {
    const version = this.state.store.get(key)
    return version === undefined ? undefined : textOf(version.value)
  }

  get revision(): number {
    return this.state.store.revision
  }

  /** Everything that a snapshot holds, as one piece. */
  bytes(): Uint8Array {
    return joinedBytes(new Snapshot(this.state).slices())
  }

  /** The same state on another node, by way of a snapshot. */
  restored(): ScriptedState {
    return new ScriptedState(restore(this.bytes()))
  }
}

export function joinedBytes(parts: Iterable<Uint8Array>): Uint8Array {
  const all = [...parts]
  const out = new Uint8Array(all.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of all) {
    out.set(part, at)
    at += part.byteLength
  }
  return out
}

export function restore(bytes: Uint8Array, pieceBytes = 64 * 1_024): CoordinatorState {
  const reader = new SnapshotReader()
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes))
  return reader.finish()
}
