// The sessions of all followers of a broker, one each: whoever begins a new one has no use for the one before.
import type { NodeId } from '@atoll/base'
import type { FetchRequest, FetchResponse } from './fetch-messages.ts'
import { FetchSession, type ServedReplicas } from './fetch-session.ts'

export class FetchSessions<Key> {
  readonly #replicasFor: (follower: NodeId, brokerEpoch: number) => ServedReplicas<Key>
  readonly #sessions = new Map<NodeId, { readonly brokerEpoch: number; readonly session: FetchSession<Key> }>()

  constructor(replicasFor: (follower: NodeId, brokerEpoch: number) => ServedReplicas<Key>) {
    this.#replicasFor = replicasFor
  }

  get all(): Iterable<readonly [NodeId, { readonly session: FetchSession<Key> }]> {
    return this.#sessions
  }

  of(follower: NodeId): FetchSession<Key> | undefined {
    return this.#sessions.get(follower)?.session
  }

  /** Takes a follower's request. Answers at once only when its session is not known, or is older than another. */
  receive(follower: NodeId, brokerEpoch: number, request: FetchRequest<Key>, now: number): FetchResponse<Key> | undefined {
    const known = this.#sessions.get(follower)
    const isNewer =
      known === undefined ||
      brokerEpoch > known.brokerEpoch ||
      (brokerEpoch === known.brokerEpoch && request.session > known.session.session)
    if (isNewer && request.sequence === 0) {
      const session = new FetchSession(request.session, this.#replicasFor(follower, brokerEpoch))
      this.#sessions.set(follower, { brokerEpoch, session })
      if (session.receive(request, now)) return undefined
    } else if (known?.brokerEpoch === brokerEpoch && known.session.receive(request, now)) return undefined
    return { session: request.session, sequence: request.sequence, unknownSession: true, partitions: [] }
  }

  /** A partition's log end moved, or it changed its leader. */
  advanced(key: Key): void {
    for (const { session } of this.#sessions.values()) session.advanced(key)
  }

  committed(key: Key): void {
    for (const { session } of this.#sessions.values()) session.committed(key)
  }

  get nextDeadlineMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { session } of this.#sessions.values()) next = Math.min(next, session.deadlineMs)
    return next
  }
}
