// Key-value: one method per request of the conversation, in the words of an application.
import {
  kvCompact,
  kvDelete,
  kvGet,
  kvPut,
  kvRange,
  kvTransaction,
  type LeaseId,
  type RequestOf,
  type ResponseOf,
  type Revision,
} from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'
import { type BytesEntry, bytesEntry, bytesOf, type Entry, type Selection, selectionOf, textEntry, type Value } from './entries.ts'
import { RANGE_ENTRIES_MAX, RANGE_PAGE_ENTRIES } from './limits.ts'
import type { CallOptions, Requests } from './requests.ts'
import type { StreamParts } from './resumed-stream.ts'
import type { Changes } from './session.ts'
import { type Condition, compareOf, type Operation, operationOf, type TransactionResult, transactionResult } from './transaction.ts'
import { Watch, type WatchOptions } from './watch.ts'

export interface ReadOptions extends CallOptions {
  /** Read as of this revision; default: as of now. */
  readonly revision?: number | undefined
  /** Default `linearizable`. */
  readonly consistency?: 'linearizable' | 'local' | undefined
}

export interface PutOptions extends CallOptions {
  /** The lease that the key ends with: a lease, or its number. */
  readonly lease?: { readonly id: LeaseId } | LeaseId | undefined
  /** Answer with what was there before. */
  readonly previous?: boolean | undefined
}

export interface RangeOptions extends ReadOptions {
  /** At most this many entries. Default: all there are, up to 100,000. */
  readonly limit?: number | undefined
  readonly keysOnly?: boolean | undefined
}

export interface RangeResult {
  readonly entries: readonly Entry[]
  /** The revision that all of them were read at. */
  readonly revision: Revision
  /** Where to read on from, when a limit cut it short. */
  readonly next: string | undefined
}

type Page = ResponseOf<typeof kvRange>

export class KeyValue {
  readonly #requests: Requests
  readonly #changes: Changes
  readonly #streams: StreamParts

  constructor(requests: Requests, changes: Changes, streams: StreamParts) {
    this.#streams = streams
    this.#requests = requests
    this.#changes = changes
  }

  /** Writes one key. */
  async put(
    key: string,
    value: Value,
    options?: PutOptions,
  ): Promise<{ readonly revision: Revision; readonly previous: Entry | undefined }> {
    const lease = leaseOf(options?.lease)
    const request = { key, value: bytesOf(value), lease, wantPrevious: options?.previous ?? false }
    const { revision, previous } = await this.#changes.change(kvPut, request, options)
    return { revision, previous: previous && textEntry(previous) }
  }

  /** One key, its value as text; undefined when it is not there. */
  async get(key: string, options?: ReadOptions): Promise<Entry | undefined> {
    const { entry } = await this.#get(key, options)
    return entry && textEntry(entry)
  }

  /** The same with the value as bytes. */
  async getBytes(key: string, options?: ReadOptions): Promise<BytesEntry | undefined> {
    const { entry } = await this.#get(key, options)
    return entry && bytesEntry(entry)
  }

  /** Keys in their order, all as of one revision, however many requests that takes. */
  async range(selection: Selection, options?: RangeOptions): Promise<RangeResult> {
    const { limit = RANGE_ENTRIES_MAX } = options ?? {}
    const entries: Entry[] = []
    let page: Page | undefined
    do {
      const wanted = Math.min(RANGE_PAGE_ENTRIES, limit - entries.length)
      page = await this.#page(selection, { limit: wanted, keysOnly: options?.keysOnly ?? false, countOnly: false }, page, options)
      for (const entry of page.entries) entries.push(textEntry(entry))
    } while (page.next !== undefined && entries.length < limit)
    if (page.next !== undefined && options?.limit === undefined)
      throw new AtollError('range_too_large', `kv_range: more than ${RANGE_ENTRIES_MAX} keys: narrow the selection, or set a limit`, {
        operation: 'kv_range',
      })
    return { entries, revision: page.at, next: page.next }
  }

  /** How many keys there are. */
  async count(selection: Selection, options?: ReadOptions): Promise<number> {
    let count = 0
    let page: Page | undefined
    do {
      page = await this.#page(selection, { limit: 0, keysOnly: true, countOnly: true }, page, options)
      count += page.count
    } while (page.next !== undefined)
    return count
  }

  /** Deletes a key, or all that are selected, in one revision. */
  async delete(
    selection: Selection,
    options?: CallOptions & { readonly previous?: boolean | undefined },
  ): Promise<{ readonly deleted: number; readonly revision: Revision; readonly previous: readonly Entry[] }> {
    const request = { selection: selectionOf(selection), wantPrevious: options?.previous ?? false }
    const { deleted, revision, previous } = await this.#changes.change(kvDelete, request, options)
    return { deleted, revision, previous: previous.map(textEntry) }
  }

  /**
   * Writes `value` if the key has the value `expected`, or is not there with `expected` undefined. Answers whether it was
   * written, and what is there otherwise.
   */
  async compareAndSet(
    key: string,
    expected: Value | undefined,
    value: Value,
    options?: PutOptions,
  ): Promise<{ readonly succeeded: boolean; readonly revision: Revision; readonly current: Entry | undefined }> {
    const condition: Condition = expected === undefined ? { key, exists: false } : { key, value: expected }
    const put: Operation = { put: key, value, lease: options?.lease }
    // oxlint-disable-next-line unicorn/no-thenable -- a list, which nothing takes for a promise
    const outcome = await this.transaction({ if: [condition], then: [put], else: [{ get: key }] }, options)
    const { succeeded, revision, results } = outcome
    return { succeeded, revision, current: succeeded ? undefined : results[0]?.entries[0] }
  }

  /** Compares, then does one list of operations or the other, all in one revision. */
  async transaction(
    { if: conditions = [], then = [], else: otherwise = [] }: Transaction,
    options?: CallOptions,
  ): Promise<TransactionResult> {
    const request = { compares: conditions.map(compareOf), success: then.map(operationOf), failure: otherwise.map(operationOf) }
    return transactionResult(await this.#changes.change(kvTransaction, request, options))
  }

  /** Forgets what was superseded up to `revision`, which itself can still be read. Answers the first that can. */
  async compact(revision: number, options?: CallOptions): Promise<Revision> {
    const { compactRevision } = await this.#changes.change(kvCompact, { revision: revision as Revision }, options)
    return compactRevision
  }

  /** Every change of the keys from now on, or from a revision on. Begins at once: what is written after `ready` is seen. */
  watch(selection: Selection, options?: WatchOptions): Watch {
    return new Watch(this.#streams, selection, options)
  }

  #get(key: string, options: ReadOptions | undefined): Promise<ResponseOf<typeof kvGet>> {
    return this.#requests.read(kvGet, { key, ...asOf(options) }, options)
  }

  /** One page, read on from the one before at the same revision. */
  #page(
    selection: Selection,
    what: Pick<RequestOf<typeof kvRange>, 'limit' | 'keysOnly' | 'countOnly'>,
    before: Page | undefined,
    options: ReadOptions | undefined,
  ): Promise<Page> {
    const { revision, consistency } = asOf(options)
    const request = { selection: selectionOf(selection), from: before?.next ?? '', revision: before?.at ?? revision, consistency, ...what }
    return this.#requests.read(kvRange, request, options)
  }
}

export interface Transaction {
  /** All must hold for `then` to be done. None at all holds. */
  readonly if?: readonly Condition[] | undefined
  readonly then?: readonly Operation[] | undefined
  readonly else?: readonly Operation[] | undefined
}

export function leaseOf(lease: PutOptions['lease']): LeaseId {
  return typeof lease === 'object' ? lease.id : (lease ?? (0 as LeaseId))
}

const asOf = (options: ReadOptions | undefined) => ({
  revision: (options?.revision ?? 0) as Revision,
  consistency: options?.consistency ?? ('linearizable' as const),
})
