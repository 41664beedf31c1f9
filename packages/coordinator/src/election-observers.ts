// Who is elected, told to whoever observes an election: the first item as of when it was asked, then one whenever this
// coordinator applied a change. Only the latest counts, so a slow observer is sent fewer and nothing is kept for it.
import { type electionObserve, type ItemOf, ProtocolError, type RequestContext, type StreamSink } from '@atoll/protocol'
import { type Applied, ELECTION_PREFIX } from './core/index.ts'
import type { Doorbell } from './doorbell.ts'
import { whoHolds } from './holders.ts'
import { ASKED_MS_MAX, OBSERVERS_MAX } from './limits.ts'
import type { Replica, ReplicaListener } from './replica.ts'
import type { WatchStreams } from './watch-streams.ts'

export class ElectionObservers implements ReplicaListener {
  readonly #replica: Replica
  readonly #streams: WatchStreams
  readonly #byKey = new Map<string, Set<Doorbell>>()
  #size = 0

  constructor(replica: Replica, streams: WatchStreams) {
    this.#replica = replica
    this.#streams = streams
    replica.listen(this)
  }

  async serve(name: string, context: RequestContext, sink: StreamSink<ItemOf<typeof electionObserve>>): Promise<void> {
    if (this.#size >= OBSERVERS_MAX) throw new ProtocolError('too_many_watches', `${OBSERVERS_MAX} observers are served`)
    const key = ELECTION_PREFIX + name
    await this.#streams.attend(context, async bell => {
      this.#add(key, bell)
      try {
        await this.#replica.driver.read(ASKED_MS_MAX)
        await this.#tell(name, key, bell, sink)
      } finally {
        this.#remove(key, bell)
      }
    })
  }

  applied(applied: Applied | undefined): void {
    if (this.#size === 0 || applied?.change === undefined) return
    for (const { key } of applied.change.events) for (const bell of this.#byKey.get(key) ?? []) this.#streams.ring(bell)
  }

  /** What was told last is known by the revision of the key under which whoever is elected stands; without one it is 0. */
  async #tell(name: string, key: string, bell: Doorbell, sink: StreamSink<ItemOf<typeof electionObserve>>): Promise<void> {
    for (let told: number | undefined; ; ) {
      if (bell.over !== undefined) throw bell.over
      const { state } = this.#replica
      const current = state.store.get(key)?.modRevision ?? 0
      if (current === told) await bell.wait(0)
      else {
        told = current
        await sink.send(whoHolds(state, state.elections, name))
      }
    }
  }

  #add(key: string, bell: Doorbell): void {
    const bells = this.#byKey.get(key) ?? new Set()
    this.#byKey.set(key, bells.add(bell))
    this.#size++
  }

  #remove(key: string, bell: Doorbell): void {
    const bells = this.#byKey.get(key)
    bells?.delete(bell)
    if (bells?.size === 0) this.#byKey.delete(key)
    this.#size--
  }
}
