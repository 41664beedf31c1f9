// What was given to the disk and is not known durable. Reports may overtake each other; a request counts only when all
// before it do, so what is durable is always a state this server was once in.
//
// The queue settles the ABA race (etcd: async_storage_writes_append_aba_race): entries 5 of term 1 are written, then
// overwritten by 5 of term 2, then by 5 of term 1 again. The late report of the first write must not make the third
// durable. Here no index is remembered as durable: what precedes every open write is, and nothing else.
import { assert } from '@atoll/base'
import type { StoreRequest } from './effects.ts'
import { type LogIndex, least, logIndex, previous } from './terms.ts'

interface Pending {
  readonly request: StoreRequest
  /** The first index this request changes; undefined when it leaves the log alone. */
  readonly from: LogIndex | undefined
  readonly sinceMs: number
  done: boolean
}

export class StoreQueue {
  readonly #pending: Pending[] = []
  #lastId = 0

  get length(): number {
    return this.#pending.length
  }

  /** When the oldest unfinished request was made. */
  get oldestSinceMs(): number | undefined {
    return this.#pending[0]?.sinceMs
  }

  /** A term or vote is on its way to the disk. */
  get ballotPending(): boolean {
    return this.#pending.some(({ request }) => request.hardState !== undefined)
  }

  nextId(): number {
    return this.#lastId + 1
  }

  add(request: StoreRequest, now: number): void {
    assert(request.id === this.#lastId + 1, 'store requests are numbered without a gap')
    this.#lastId = request.id
    const [batch] = request.batches
    // An install makes everything stored before it void.
    const from = request.install === undefined ? batch?.firstIndex : logIndex(1)
    this.#pending.push({ request, from, sinceMs: now, done: false })
  }

  /** One request is durable. Returns those that now are together with all before them, oldest first. */
  finished(id: number): StoreRequest[] {
    assert(id >= 1 && id <= this.#lastId, 'only what was asked for is reported')
    const reported = this.#pending.find(({ request }) => request.id === id)
    if (reported !== undefined) reported.done = true
    const settled: StoreRequest[] = []
    for (let oldest = this.#pending[0]; oldest?.done; oldest = this.#pending[0]) {
      settled.push(oldest.request)
      this.#pending.shift()
    }
    return settled
  }

  /** How far a log that ends at `lastIndex` is durable. */
  durableIndex(lastIndex: LogIndex): LogIndex {
    return this.#pending.reduce((durable, { from }) => (from === undefined ? durable : least(durable, previous(from))), lastIndex)
  }
}
