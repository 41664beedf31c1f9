// Gathers what one step wants done, and holds each message back until what it says is on disk.

import type { Ballot } from './ballot.ts'
import type { Answer, Effects, RaftEvent, StoreRequest } from './effects.ts'
import type { Envelope, RaftMessage } from './messages.ts'
import type { Batch, Snapshot } from './raft-log.ts'
import type { StoreQueue } from './store-queue.ts'
import type { LogIndex, Member } from './terms.ts'

/**
 * What a message rests on. `nothing`: it speaks for a leader, whose term is on disk since before it was elected, and
 * whose entries may travel while it writes them. `ballot`: term and vote. `log`: everything this server has.
 */
export type RestsOn = 'nothing' | 'ballot' | 'log'

export class Outbox {
  readonly #self: Member
  readonly #ballot: Ballot
  readonly #stores: StoreQueue
  #messages: { readonly envelope: Envelope; readonly restsOn: RestsOn }[] = []
  #batches: Batch[] = []
  #install: Snapshot | undefined
  #keepChunk: Effects['keepChunk']
  #answers: Answer[] = []
  #events: RaftEvent[] = []

  constructor(self: Member, ballot: Ballot, stores: StoreQueue) {
    this.#self = self
    this.#ballot = ballot
    this.#stores = stores
  }

  send(to: Member, message: RaftMessage, restsOn: RestsOn): void {
    this.#messages.push({ envelope: { from: this.#self, to, message }, restsOn })
  }

  store(batch: Batch): void {
    this.#batches.push(batch)
  }

  install(snapshot: Snapshot): void {
    this.#install = snapshot
    this.#batches = []
  }

  keepChunk(chunk: NonNullable<Effects['keepChunk']>): void {
    this.#keepChunk = chunk
  }

  answer(answer: Answer): void {
    this.#answers.push(answer)
  }

  tell(event: RaftEvent): void {
    this.#events.push(event)
  }

  /** Everything gathered since the last call; what is to be stored is queued as of `now`. */
  take(now: number): Pick<Effects, 'send' | 'store' | 'keepChunk' | 'answers' | 'events'> {
    const hardState = this.#ballot.takeUnsaved()
    const ballotOpen = hardState !== undefined || this.#stores.ballotPending
    const writes = hardState !== undefined || this.#batches.length > 0 || this.#install !== undefined
    const logOpen = writes || this.#stores.length > 0
    const waits = (restsOn: RestsOn) => (restsOn === 'ballot' ? ballotOpen : restsOn === 'log' && logOpen)
    const held = this.#messages.filter(({ restsOn }) => waits(restsOn)).map(({ envelope }) => envelope)
    const send = this.#messages.filter(({ restsOn }) => !waits(restsOn)).map(({ envelope }) => envelope)
    let store: StoreRequest | undefined
    // A request that holds nothing but messages makes them wait for the requests before it.
    if (writes || held.length > 0) {
      store = { id: this.#stores.nextId(), hardState, install: this.#install, batches: this.#batches, thenSend: held }
      this.#stores.add(store, now)
    }
    const taken = { send, store, keepChunk: this.#keepChunk, answers: this.#answers, events: this.#events }
    this.#messages = []
    this.#batches = []
    this.#install = undefined
    this.#keepChunk = undefined
    this.#answers = []
    this.#events = []
    return taken
  }

  /** The index from which the log will be replaced when what is gathered now is stored; for the durable index within a step. */
  get unsavedFrom(): LogIndex | undefined {
    return this.#batches[0]?.firstIndex
  }

  get installs(): boolean {
    return this.#install !== undefined
  }
}
