// What this process says of itself, and its incarnation: the counter that only it may raise (SWIM section 4.2). A new
// process starts at 0; if the cluster remembers an older life of the same name, it hears so at its first sync and goes
// one above.
import type { Incarnation, NodeId } from '@atoll/base'
import type { MemberMeta, MemberUpdate } from './messages.ts'

export class SelfRecord {
  readonly node: NodeId
  #meta: MemberMeta
  #incarnation = 0
  #leaving = false

  constructor(node: NodeId, meta: MemberMeta) {
    this.node = node
    this.#meta = meta
  }

  get meta(): MemberMeta {
    return this.#meta
  }

  get incarnation(): Incarnation {
    return this.#incarnation as Incarnation
  }

  get leaving(): boolean {
    return this.#leaving
  }

  /** Goes above a claim that is not, or no longer, true. */
  outdo(claimed: number): void {
    this.#incarnation = Math.max(this.#incarnation, claimed) + 1
  }

  change(meta: MemberMeta): void {
    this.#meta = meta
    this.#incarnation++
  }

  /** From here on its record is a farewell. The raised incarnation outranks every accusation made so far. */
  leave(): void {
    this.#leaving = true
    this.#incarnation++
  }

  update(): MemberUpdate {
    const state = this.#leaving ? 'left' : 'alive'
    return { node: this.node, state, incarnation: this.incarnation, by: undefined, refused: false, meta: this.#meta }
  }

  /** True when `update` says exactly what this process said itself. */
  isEcho(update: MemberUpdate): boolean {
    return update.incarnation === this.#incarnation && update.meta !== undefined && sameMeta(update.meta, this.#meta)
  }
}

export function sameMeta(a: MemberMeta, b: MemberMeta): boolean {
  return a.loadPercent === b.loadPercent && sameIdentity(a, b)
}

/** Same role, same addresses. */
export function sameIdentity(a: MemberMeta, b: MemberMeta): boolean {
  if (a.role !== b.role || a.endpoints.length !== b.endpoints.length) return false
  return a.endpoints.every((endpoint, index) => {
    const other = b.endpoints[index]
    return endpoint.protocol === other?.protocol && endpoint.host === other.host && endpoint.port === other.port
  })
}
