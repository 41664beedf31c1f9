// The invariants of Raft (figure 3 of the paper) and those of a disk, over whole coordinators, after every step that any of
// them takes. What a node holds is read from its own store; what it may say is compared with what it reported durable.
import type { NodeId } from '@atoll/base'
import type { DriverStep } from '@atoll/coordinator'

type Step = DriverStep
type StoreRequest = NonNullable<Step['effects']['store']>
type Envelope = Step['effects']['send'][number]
type HardState = NonNullable<StoreRequest['hardState']>
type Batch = StoreRequest['batches'][number]
type LogIndex = Batch['firstIndex']
type Store = Step['store']

/** What is known of one disk, over all processes that ran on it. */
interface Known {
  readonly disk: string
  /** The term and vote that were reported durable last. */
  hardState: HardState | undefined
  /** The newest process on it: its log, and up to where that was reported durable. */
  store: Store
  durable: number
}

/** One process, from its first step on. */
interface Life {
  commit: number
  /** Of the newest heartbeat to each peer. */
  readonly rounds: Map<NodeId, { readonly term: number; readonly round: number }>
  /** Asked for and not yet reported durable, by id. */
  readonly pending: Map<number, StoreRequest>
}

export class RaftInvariants {
  readonly #violated: (what: string) => void
  readonly #known = new Map<NodeId, Known>()
  /** What disks held when they were lost, by their identity. */
  readonly #gone = new Map<string, Known>()
  readonly #leaders = new Map<number, NodeId>()
  readonly #votes = new Map<string, string>()
  /** Batches by term and first index: what they hold, and the term of the entry before. */
  readonly #batches = new Map<string, { readonly text: string; prevTerm: number | undefined }>()
  /** The highest index that a leader ever committed, and its term. */
  #committed = { index: 0, term: 0 }

  constructor(violated: (what: string) => void) {
    this.#violated = violated
  }

  /** Terms that somebody led. */
  get terms(): number {
    return this.#leaders.size
  }

  /** Up to where a snapshot on the disk of this node stands for the log. */
  snapshotOf(node: NodeId): number {
    return this.#known.get(node)?.store.snapshot.index ?? 0
  }

  /** The disk of this node is gone, and with it its identity. */
  wiped(node: NodeId): void {
    const known = this.#known.get(node)
    if (known !== undefined) this.#gone.set(known.disk, known)
    this.#known.delete(node)
  }

  /** To be told of every step of one process, from its first on. */
  life(): (step: Step) => void {
    const life: Life = { commit: 0, rounds: new Map(), pending: new Map() }
    let isFirst = true
    return step => {
      if (isFirst) this.#started(step)
      isFirst = false
      this.#stepped(step, life)
    }
  }

  /** A process never knows less of term and vote than its predecessor had on the disk. */
  #started({ self, status, store }: Step): void {
    const { node, disk } = self
    if (this.#gone.has(disk)) this.#violated(`${node} starts as ${disk}, whose disk is gone`)
    const known = this.#known.get(node)
    const before = known?.disk === disk ? known.hardState : undefined
    this.#known.set(node, { disk, hardState: before, store, durable: status.durableIndex })
    if (before === undefined) return
    if (status.term < before.term) this.#violated(`${node} goes back from term ${before.term} to ${status.term}`)
    if (status.term === before.term && before.votedFor !== undefined && status.votedFor?.node !== before.votedFor.node)
      this.#violated(`${node} forgot that it voted for ${before.votedFor.node} in term ${before.term}`)
  }

  #stepped({ self, input, effects, status, store }: Step, life: Life): void {
    const { node } = self
    const known = this.#known.get(node) as Known
    if (input.kind === 'stored') this.#stored(self.node, known, life, input.id, status.damaged)
    known.store = store
    known.durable = status.durableIndex
    if (effects.store !== undefined) {
      // While a write waits, the store may still hold what it replaces.
      const settled = life.pending.size === 0 ? store : undefined
      life.pending.set(effects.store.id, effects.store)
      this.#logs(node, settled, effects.store.batches)
    }
    for (const envelope of effects.send) {
      this.#says(node, known, envelope, status.damaged)
      this.#asks(node, life, envelope)
    }
    for (const event of effects.events) if (event.kind === 'became_leader') this.#leads(node, event.term, status.lastIndex, store)
    if (status.commit < life.commit) this.#violated(`${node} takes back its commit ${life.commit} for ${status.commit}`)
    if (status.role === 'leader' && status.commit > life.commit) this.#commits(node, status, store)
    if (status.applied > status.commit) this.#violated(`${node} applied ${status.applied} and committed ${status.commit}`)
    const reach = Math.max(status.durableIndex, store.snapshot.index)
    if (effects.applyThrough !== undefined && effects.applyThrough > reach)
      this.#violated(`${node} applies up to ${effects.applyThrough} and has ${reach} on disk`)
    life.commit = status.commit
  }

  /** What it promised to say once this was durable is said now. */
  #stored(node: NodeId, known: Known, life: Life, id: number, damaged: boolean): void {
    for (const [pendingId, request] of life.pending) {
      if (pendingId > id) break
      life.pending.delete(pendingId)
      const { hardState } = request
      if (hardState !== undefined) {
        const before = known.hardState
        if (before !== undefined && hardState.term < before.term)
          this.#violated(`${node} stores term ${hardState.term} after term ${before.term}`)
        if (before?.term === hardState.term && before.votedFor !== undefined && hardState.votedFor?.node !== before.votedFor.node)
          this.#violated(`${node} changes its vote of term ${before.term}`)
        known.hardState = hardState
      }
      for (const envelope of request.thenSend) this.#says(node, known, envelope, damaged)
    }
  }

  /** No message says what is not durable, or promises what a damaged or vanished disk cannot keep. */
  #says(node: NodeId, { disk, hardState }: Known, { from, to, message }: Envelope, damaged: boolean): void {
    if (from.disk !== disk || this.#gone.has(from.disk)) this.#violated(`${node} speaks as ${from.disk}, which is not its disk`)
    if (message.kind === 'vote_request' && hardState?.term === message.term && hardState.votedFor?.node !== node)
      this.#violated(`${node} asks for votes in term ${message.term} before its own is durable`)
    if (message.kind !== 'vote_response' || !message.granted) return
    if (damaged) this.#violated(`${node} votes in term ${message.term} with a hole in its log`)
    if (
      hardState !== undefined &&
      (hardState.term < message.term || (hardState.term === message.term && hardState.votedFor?.node !== to.node))
    )
      this.#violated(`${node} votes for ${to.node} in term ${message.term} before that is durable`)
    const key = `${disk} ${message.term}`
    const other = this.#votes.get(key)
    if (other !== undefined && other !== to.node) this.#violated(`${node} votes for ${other} and for ${to.node} in term ${message.term}`)
    this.#votes.set(key, to.node)
  }

  /** A round of heartbeats is asked once: an answer to it proves that its leader still led after it was asked. */
  #asks(node: NodeId, { rounds }: Life, { to, message }: Envelope): void {
    if (message.kind !== 'heartbeat') return
    const { term, round } = message
    const before = rounds.get(to.node)
    if (before?.term === term && round <= before.round) this.#violated(`${node} asks ${to.node} in round ${round} of term ${term} again`)
    rounds.set(to.node, { term, round })
  }

  /** Election safety, and leader completeness: what was committed is in the log of every later leader. */
  #leads(node: NodeId, term: number, lastIndex: number, store: Store): void {
    const other = this.#leaders.get(term)
    if (other !== undefined && other !== node) this.#violated(`${node} and ${other} both lead term ${term}`)
    this.#leaders.set(term, node)
    const { index, term: of } = this.#committed
    if (term <= of || store.snapshot.index >= index) return
    const there = store.termAt(index as LogIndex)
    // What is not yet written is not told by the store.
    if (lastIndex < index || (there !== undefined && there !== of)) this.#violated(`${node} leads term ${term} without committed ${index}`)
  }

  /** A leader commits what a majority of the voters has on disk, and counts only what is of its own term (section 5.4.2). */
  #commits(node: NodeId, { commit: index, term: own, configuration: { voters } }: Step['status'], store: Store): void {
    const at = index as LogIndex
    const term = store.termAt(at)
    if (term === undefined) return
    if (term !== own) this.#violated(`${node} commits ${index} of term ${term} by counting in term ${own}`)
    const holders = voters.filter(voter => {
      // A confirmation may outlive the disk: whoever is elected still needs one of the others.
      const present = this.#known.get(voter.node)
      const known = present?.disk === voter.disk ? present : this.#gone.get(voter.disk)
      if (known === undefined) return false
      return known.store.snapshot.index >= index || (known.durable >= index && known.store.termAt(at) === term)
    })
    if (holders.length * 2 <= voters.length)
      this.#violated(
        `${node} commits ${index} of term ${term}, which ${holders.map(voter => voter.node).join(', ') || 'nobody'} has on disk`,
      )
    if (index > this.#committed.index) this.#committed = { index, term }
  }

  /** Log matching: entries of one index and term are the same everywhere, and so is what stands before them. */
  #logs(node: NodeId, store: Store | undefined, batches: readonly Batch[]): void {
    let before: Batch | undefined
    for (const batch of batches) {
      const { term, firstIndex } = batch
      const prevTerm = before?.lastIndex === firstIndex - 1 ? before.term : store?.termAt((firstIndex - 1) as LogIndex)
      before = batch
      const key = `${term}/${firstIndex}`
      const text = textOf(batch)
      const known = this.#batches.get(key)
      if (known === undefined) this.#batches.set(key, { text, prevTerm })
      else if (known.text !== text) this.#violated(`${node} holds another batch at ${firstIndex} of term ${term} than others`)
      else if (known.prevTerm === undefined) known.prevTerm = prevTerm
      else if (prevTerm !== undefined && prevTerm !== known.prevTerm)
        this.#violated(`${node} holds the batch at ${firstIndex} of term ${term} after another entry than others`)
    }
  }
}

function textOf({ lastIndex, entries }: Batch): string {
  const payloads = entries.map(({ payload }) => (payload.kind === 'command' ? payload.bytes.toString() : JSON.stringify(payload)))
  return `${lastIndex}: ${payloads.join(' ')}`
}
