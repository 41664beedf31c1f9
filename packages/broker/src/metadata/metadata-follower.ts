// Follows the coordinators' reserved keys without gap or repeat: reads all of them as of one revision, then watches from the
// next one on. Whoever fell behind what the coordinators still remember reads all of them again; what changed meanwhile
// shows as the difference.
import { type Clock, type Logger, sleep, type Timer } from '@atoll/base'
import { AtollError, type Client } from '@atoll/client/core'
import { ProtocolError } from '@atoll/protocol'
import { METADATA_RETRY_MS } from '../limits.ts'
import { type ClusterMetadata, FOLLOWED_PREFIX } from './cluster-metadata.ts'

export interface MetadataFollowerOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly client: Client
  readonly metadata: ClusterMetadata
}

interface Waiter {
  readonly revision: number
  readonly resolve: () => void
  readonly timer: Timer
}

export class MetadataFollower {
  readonly #options: MetadataFollowerOptions
  readonly #stopping = new AbortController()
  readonly #waiters = new Set<Waiter>()
  #revision = 0

  constructor(options: MetadataFollowerOptions) {
    this.#options = options
  }

  /** Everything up to this revision was taken; 0 before anything was. */
  get revision(): number {
    return this.#revision
  }

  /** Follows until it is stopped. Never rejects but for a bug. */
  async run(): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#stopping
    const isStopped = (): boolean => signal.aborted
    while (!isStopped()) {
      try {
        await this.#follow()
      } catch (error) {
        if (isStopped()) return
        if (!(error instanceof AtollError) && !(error instanceof ProtocolError)) throw error
        log.warn({ event: 'metadata_unread', code: error.code, reason: error.message }, 'cannot follow what the coordinators say')
        await sleep(clock, METADATA_RETRY_MS, signal).catch(() => {
          // Stopped meanwhile.
        })
      }
    }
  }

  stop(): void {
    this.#stopping.abort()
    for (const { resolve } of this.#waiters) resolve()
  }

  /** Resolves once everything up to `revision` was taken: true, or false when that took longer than `timeoutMs`. */
  reached(revision: number, timeoutMs: number): Promise<boolean> {
    if (this.#revision >= revision) return Promise.resolve(true)
    return new Promise(settle => {
      const resolve = (): void => {
        waiter.timer.cancel()
        this.#waiters.delete(waiter)
        settle(this.#revision >= revision)
      }
      const waiter: Waiter = { revision, resolve, timer: this.#options.clock.after(timeoutMs, () => resolve()) }
      this.#waiters.add(waiter)
    })
  }

  async #follow(): Promise<void> {
    const { client, metadata } = this.#options
    const { signal } = this.#stopping
    const { entries, revision } = await client.kv.range({ prefix: FOLLOWED_PREFIX }, { signal })
    // A store whose revisions go back has lost what was agreed: obeying it would delete what nobody deleted.
    if (revision < this.#revision)
      throw new AtollError('future_revision', `the coordinators are at revision ${revision}, and were at ${this.#revision}`, {
        operation: 'kv_range',
      })
    metadata.replace(entries.map(({ key, bytes }) => ({ key, value: bytes })))
    this.#taken(revision)
    for await (const event of client.kv.watch({ prefix: FOLLOWED_PREFIX }, { fromRevision: revision + 1, signal })) {
      metadata.take(event.key, event.kind === 'put' ? event.entry.bytes : undefined)
      this.#taken(event.revision)
    }
  }

  #taken(revision: number): void {
    this.#revision = Math.max(this.#revision, revision)
    for (const waiter of this.#waiters) if (waiter.revision <= this.#revision) waiter.resolve()
  }
}
