// The invariants of the paper's figure 3, and those of a disk, over the whole cluster and its history. Everything is
// checked as it happens, in constant time: batches are shared objects, so two logs agree at an index when they hold the
// same object there, and on everything before when each batch always follows the same one.
import type { Batch, Configuration, Envelope, HardState } from '@atoll/raft'
import type { SimulatedDisk } from './disk.ts'
import type { Registers } from './state-machine.ts'

export interface CheckedServer {
  readonly name: string
  readonly disk: SimulatedDisk
}

export class Checker {
  readonly violations: string[] = []
  /** The highest committed index that any server ever reported, with its term. */
  committed = { index: 0, term: 0 }
  readonly #now: () => number
  readonly #leaders = new Map<number, string>()
  readonly #batches = new Map<string, { readonly batch: Batch; readonly prevTerm: number }>()
  readonly #applied: number[] = [7]
  readonly #votes = new WeakMap<SimulatedDisk, HardState>()
  readonly #commitTerms: number[] = [0]
  #acked = { index: 0, term: 0 }
  /** Linearizability: the newest state that any finished operation saw or made. */
  #seen = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get seen(): number {
    return this.#seen
  }

  get leadersElected(): number {
    return this.#leaders.size
  }

  violated(server: string, what: string): void {
    this.violations.push(`${this.#now().toFixed(1)} ms: ${server} ${what}`)
  }

  /** Election safety, leader completeness, and every acknowledged write in every later leader's log. */
  elected({ name, disk }: CheckedServer, term: number, termAt: (index: number) => number | undefined): void {
    const other = this.#leaders.get(term)
    if (other !== undefined && other !== name) this.violated(name, `leads term ${term}, which ${other} led`)
    this.#leaders.set(term, name)
    const holds = ({ index, term: of }: { index: number; term: number }) => index <= disk.snapshot.index || termAt(index) === of
    if (term > this.committed.term && !holds(this.committed)) this.violated(name, `leads ${term} without committed ${this.committed.index}`)
    if (term > this.#acked.term && !holds(this.#acked)) this.violated(name, `leads ${term} without acknowledged ${this.#acked.index}`)
  }

  /** Log matching: a batch of one index and term is the same everywhere, and so is what precedes it. */
  stored(server: CheckedServer, batches: readonly Batch[]): void {
    for (const batch of batches) {
      const key = `${batch.term}/${batch.firstIndex}`
      const known = this.#batches.get(key)
      const prevTerm = this.#termBefore(server, batch, batches)
      if (known === undefined) {
        if (prevTerm !== undefined) this.#batches.set(key, { batch, prevTerm })
        continue
      }
      if (known.batch !== batch) this.violated(server.name, `holds another ${key} than others`)
      if (prevTerm !== undefined && known.prevTerm !== prevTerm) this.violated(server.name, `holds ${key} after another entry than others`)
    }
  }

  /** Term and vote on disk: the term never goes back, the vote of a term never changes. */
  storedHardState({ name, disk }: CheckedServer): void {
    const before = this.#votes.get(disk)
    const { term, votedFor } = disk.hardState
    if (before !== undefined && term < before.term) this.violated(name, `goes back from term ${before.term} to ${term}`)
    if (before?.term === term && before.votedFor !== undefined && votedFor?.node !== before.votedFor.node) {
      this.violated(name, `changed its vote in term ${term} from ${before.votedFor.node} to ${votedFor?.node}`)
    }
    this.#votes.set(disk, disk.hardState)
  }

  /** A commit index rose at a leader: a majority has the entry on disk, right now. */
  committedByLeader(
    name: string,
    index: number,
    term: number,
    configuration: Configuration,
    disks: ReadonlyMap<string, SimulatedDisk>,
  ): void {
    const holders = configuration.voters.filter(({ node }) => this.#isDurable(disks.get(node), index, term))
    if (holders.length * 2 <= configuration.voters.length) {
      const names = holders.map(({ node }) => node).join(', ')
      this.violated(name, `commits ${index} of term ${term} with only ${names} of ${configuration.voters.length} having it`)
    }
    if (index > this.committed.index) this.committed = { index, term }
  }

  /** One history: everybody who commits an index commits the same term there. */
  committedAt(name: string, index: number, term: number | undefined): void {
    if (term === undefined) return
    const known = this.#commitTerms[index]
    if (known !== undefined && known !== term) this.violated(name, `commits term ${term} at ${index}, where ${known} was committed`)
    this.#commitTerms[index] = term
  }

  /** State machine safety: everyone who applied an index is in the same state. */
  applied(name: string, { index, hash }: Registers): void {
    const known = this.#applied[index]
    if (known !== undefined && known !== hash) this.violated(name, `is in another state than others after ${index}`)
    this.#applied[index] = hash
    if (index > this.committed.index) this.violated(name, `applies ${index}, past what any leader committed (${this.committed.index})`)
  }

  /** What a message says about its sender's term, vote and log is on its sender's disk as it leaves. */
  sent({ name, disk }: CheckedServer, { to, message }: Envelope): void {
    const { term, votedFor } = disk.hardState
    const isProspective = message.kind === 'pre_vote_request' || (message.kind === 'pre_vote_response' && message.granted)
    if (!isProspective && message.term > term) this.violated(name, `sends a ${message.kind} of term ${message.term} before it is durable`)
    if (message.term !== term) return
    if (message.kind === 'vote_response' && message.granted && votedFor?.node !== to.node) {
      this.violated(name, `promises ${to.node} a vote that is not durable`)
    }
    if (message.kind === 'vote_request' && votedFor?.node !== name) this.violated(name, 'asks for votes before its own is durable')
    if (message.kind === 'append_accepted' && disk.lastIndex < message.match) {
      this.violated(name, `confirms ${message.match} with a durable end of ${disk.lastIndex}`)
    }
  }

  /** A write was acknowledged to its client. */
  acknowledged(index: number, term: number): void {
    if (index > this.#acked.index) this.#acked = { index, term }
    this.#seen = Math.max(this.#seen, index)
  }

  /** A read that began when `seen` was the newest state known to any client was served from the state after `index`. */
  served(name: string, seen: number, index: number): void {
    if (index < seen) this.violated(name, `serves a read at ${index} that began after ${seen} was seen`)
    this.#seen = Math.max(this.#seen, index)
  }

  #isDurable(disk: SimulatedDisk | undefined, index: number, term: number): boolean {
    if (disk === undefined) return false
    return disk.termAt(index as Batch['firstIndex']) === term || disk.snapshot.index >= index
  }

  #termBefore({ disk }: CheckedServer, batch: Batch, batches: readonly Batch[]): number | undefined {
    const before = batches.find(({ lastIndex }) => lastIndex === batch.firstIndex - 1)
    return before?.term ?? disk.termAt((batch.firstIndex - 1) as Batch['firstIndex']) ?? (batch.firstIndex === 1 ? 0 : undefined)
  }
}
