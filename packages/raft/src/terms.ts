// The two numbers everything in Raft is said with, and the identity of a server's disk.
import { assert, type Brand, type NodeId } from '@atoll/base'

/** A period with at most one leader (Raft section 5.1); 0 before the first election. */
export type Term = Brand<number, 'Term'>
/** A position in the log. The first entry has index 1; 0 is the place before it. */
export type LogIndex = Brand<number, 'LogIndex'>
/** Made at random when a server's directory is first written, and gone with it: what tells a wiped server from itself. */
export type DiskId = Brand<string, 'DiskId'>

/** A server: a name and the disk it was known with. The same name on another disk is another server. */
export interface Member {
  readonly node: NodeId
  readonly disk: DiskId
}

export function term(value: number): Term {
  assert(Number.isSafeInteger(value) && value >= 0, 'a term is a safe integer from 0')
  return value as Term
}

export function logIndex(value: number): LogIndex {
  assert(Number.isSafeInteger(value) && value >= 0, 'a log index is a safe integer from 0')
  return value as LogIndex
}

/** The index after `index`. */
export function next(index: LogIndex): LogIndex {
  return logIndex(index + 1)
}

/** The index before `index`. */
export function previous(index: LogIndex): LogIndex {
  return logIndex(index - 1)
}

export function least(a: LogIndex, b: LogIndex): LogIndex {
  return a < b ? a : b
}

export function most(a: LogIndex, b: LogIndex): LogIndex {
  return a > b ? a : b
}

export function isSameMember(a: Member, b: Member): boolean {
  return a.node === b.node && a.disk === b.disk
}
