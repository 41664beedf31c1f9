// The way to the coordinator of a group: whoever leads the partition of `__consumer_offsets` that the group's name hashes to.
import { ProtocolError, type RequestOf, type ResponseOf, type Rpc } from '@atoll/protocol'
import { BROKER_CALL_MS } from './limits.ts'
import type { LogParts } from './log-parts.ts'
import type { TopicFollower } from './topic-follower.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

/** As Java hashes a string (apache/kafka `GroupMetadataManager.partitionFor`). */
export function partitionOfGroup(group: string, partitions: number): number {
  let hash = 0
  for (let at = 0; at < group.length; at++) hash = (Math.imul(31, hash) + group.charCodeAt(at)) | 0
  return (hash & 0x7fff_ffff) % partitions
}

export class GroupLink {
  readonly #log: LogParts
  readonly #group: string
  readonly #topic: TopicFollower
  readonly #release: () => void

  constructor(log: LogParts, group: string) {
    this.#log = log
    this.#group = group
    this.#topic = log.topics.of(OFFSETS_TOPIC)
    this.#release = this.#topic.use(() => {})
  }

  close(): void {
    this.#release()
  }

  /** Asks once. Rejects with a ProtocolError. */
  async ask<M extends Rpc>(
    message: M,
    request: RequestOf<M>,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ResponseOf<M>> {
    const { timeoutMs = BROKER_CALL_MS, signal } = options
    await this.#known(signal)
    const leader = this.#topic.leaderOf(partitionOfGroup(this.#group, this.#topic.partitions))
    if (leader === undefined)
      throw new ProtocolError('no_group_coordinator', `nobody leads the partition of group ${this.#group} at present`)
    const session = await this.#log.brokers.connect(leader.node)
    try {
      return await session.request(message, request, { timeoutMs, signal })
    } catch (error) {
      if (error instanceof ProtocolError && error.code === 'request_timed_out') this.#log.brokers.doubt(leader.node)
      throw error
    }
  }

  async #known(signal: AbortSignal | undefined): Promise<void> {
    if (this.#topic.record !== undefined) return
    try {
      await this.#topic.ready({ deadlineAtMs: this.#log.clock.monotonicMs() + BROKER_CALL_MS, signal })
    } catch (error) {
      if (error instanceof ProtocolError) throw error
      throw new ProtocolError('no_group_coordinator', `there are no groups: ${(error as Error).message}`, { cause: error })
    }
  }
}
