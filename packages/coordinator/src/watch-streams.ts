// Streams of what this coordinator applies: watches of keys, and who is elected. Any coordinator serves them from its own
// copy. The core says what a watch is to be sent; here it is sent, as fast as its reader takes it: what a slow one has not
// taken is remembered as numbers of revisions only. Whoever is cut off from the others could stay silent for ever and nobody
// would know, so without a leader for some time the streams end, and their readers go elsewhere.
import { type Clock, sleep, type Timer, unreachable } from '@atoll/base'
import { Deadlines, type ItemOf, type kvWatch, ProtocolError, type RequestContext, type RequestOf, type StreamSink } from '@atoll/protocol'
import type { RaftEvent } from '@atoll/raft'
import { type Applied, type CoordinatorState, Watches } from './core/index.ts'
import { Doorbell } from './doorbell.ts'
import { LEADERLESS_MS_MAX, RINGS_PER_TURN } from './limits.ts'
import type { Replica, ReplicaListener } from './replica.ts'

type WatchSink = StreamSink<ItemOf<typeof kvWatch>>

export class WatchStreams implements ReplicaListener {
  readonly #replica: Replica
  readonly #clock: Clock
  readonly #deadlines: Deadlines
  readonly #watches: Watches
  /** Everything that is served, watches and others. */
  readonly #bells = new Set<Doorbell>()
  readonly #bellOf = new Map<number, Doorbell>()
  /** To be rung, in this turn or a later one. */
  #rung: Doorbell[] = []
  #ringing = false
  #leaderless: Timer | undefined
  #cutOff: ProtocolError | undefined

  constructor(replica: Replica, clock: Clock) {
    this.#replica = replica
    this.#clock = clock
    this.#deadlines = new Deadlines(clock)
    this.#watches = new Watches(replica.state.store)
    replica.listen(this)
  }

  /** Watches that are served. */
  get size(): number {
    return this.#watches.size
  }

  /** Sends a watch what it wants until it ends. Rejects with why it did. */
  serve(request: RequestOf<typeof kvWatch>, context: RequestContext, sink: WatchSink): Promise<void> {
    return this.attend(context, async bell => {
      const watch = this.#watches.open(request)
      this.#bellOf.set(watch, bell)
      try {
        await this.#pump(watch, request.progressMs, bell, sink)
      } finally {
        this.#bellOf.delete(watch)
        this.#watches.close(watch)
      }
    })
  }

  /** Serves one stream, whose bell says when it is over. Throws what `Replica.driver` does, and `no_leader` while cut off. */
  async attend(context: RequestContext, serve: (bell: Doorbell) => Promise<void>): Promise<void> {
    void this.#replica.driver
    if (this.#cutOff !== undefined) throw this.#cutOff
    const bell = new Doorbell(this.#deadlines)
    const gone = (): void => bell.end(context.signal.reason as ProtocolError)
    context.signal.addEventListener('abort', gone, { once: true })
    this.#bells.add(bell)
    try {
      await serve(bell)
    } finally {
      this.#bells.delete(bell)
      context.signal.removeEventListener('abort', gone)
    }
  }

  /** Rings soon: what one turn applies is sent together, and however many are to be woken, others have their turn between. */
  ring(bell: Doorbell): void {
    this.#rung.push(bell)
    if (this.#ringing) return
    this.#ringing = true
    this.#clock.endOfTurn(() => this.#ringSome())
  }

  applied(applied: Applied | undefined): void {
    for (const watch of this.#watches.applied(applied?.change)) {
      const bell = this.#bellOf.get(watch)
      if (bell !== undefined) this.ring(bell)
    }
  }

  restored({ store }: CoordinatorState): void {
    this.#watches.reset(store)
    for (const bell of this.#bells) this.ring(bell)
    this.#noteLeader(this.#replica.leader !== undefined)
  }

  happened(event: RaftEvent): void {
    if (event.kind === 'leader_changed') this.#noteLeader(event.leader !== undefined)
  }

  stopped(): void {
    this.#leaderless?.cancel()
    this.#endAll(new ProtocolError('shutting_down'))
    this.#deadlines.close()
  }

  async #pump(watch: number, progressMs: number, bell: Doorbell, sink: WatchSink): Promise<void> {
    for (;;) {
      if (bell.over !== undefined) throw bell.over
      const polled = this.#watches.poll(watch)
      switch (polled.kind) {
        case 'item':
          await sink.send(polled.item)
          break
        case 'busy':
          await sleep(this.#clock, 0)
          break
        case 'idle': {
          if (await bell.wait(progressMs)) break
          const mark = this.#watches.progress(watch)
          if (mark !== undefined) await sink.send(mark)
          break
        }
        case 'ended':
          throw polled.error
        default:
          unreachable(polled)
      }
    }
  }

  #ringSome(): void {
    for (const bell of this.#rung.splice(0, RINGS_PER_TURN)) bell.ring()
    this.#ringing = this.#rung.length > 0
    if (this.#ringing) this.#clock.endOfTurn(() => this.#ringSome())
  }

  #noteLeader(known: boolean): void {
    this.#leaderless?.cancel()
    this.#leaderless = undefined
    if (known) this.#cutOff = undefined
    else
      this.#leaderless = this.#clock.after(LEADERLESS_MS_MAX, () => {
        this.#cutOff = new ProtocolError('no_leader', `this coordinator heard of no leader for ${LEADERLESS_MS_MAX} ms`)
        this.#endAll(this.#cutOff)
      })
  }

  #endAll(why: ProtocolError): void {
    for (const bell of this.#bells) bell.end(why)
  }
}
