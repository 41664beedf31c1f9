// What must hold whenever coordinators agree, watched from outside: of every entry that any node applies, and of every
// office that any node takes. Raft's own rules are checked step by step in its own simulation; here it is the whole process
// with its disk that may break them.
import type { NodeId } from '@atoll/base'
import type { AgreementHooks } from '@atoll/coordinator'

/** Few, so that servers that were away need snapshots. */
const SNAPSHOT_ENTRIES = 60

/** Applied by somebody: nobody may ever apply another in its place. */
interface AppliedEntry {
  readonly term: number
  readonly text: string
  readonly by: NodeId
}

export class AgreementInvariants {
  /** What went wrong, in the order it was noticed. */
  readonly violations: string[] = []
  readonly #applied = new Map<number, AppliedEntry>()
  readonly #leaders = new Map<number, NodeId>()
  #highest = 0

  /** To be heard by a node from its start on. */
  hooksOf(node: NodeId): AgreementHooks {
    let last: number | undefined
    return {
      snapshotEntries: SNAPSHOT_ENTRIES,
      onEvent: event => {
        if (event.kind === 'became_leader') this.#ledBy(event.term, node)
      },
      onApplied: ({ index, term, payload }) => {
        if (last !== undefined && index <= last) this.violations.push(`${node} applies ${index} after ${last}`)
        last = index
        const text = payload.kind === 'command' ? payload.bytes.toString() : JSON.stringify(payload)
        this.#appliedBy(node, index, term, text)
      },
    }
  }

  /** The highest index that any node applied. */
  get highest(): number {
    return this.#highest
  }

  /** Terms that somebody led. */
  get terms(): number {
    return this.#leaders.size
  }

  /** The bytes of the entry at `index`, if any node applied one. */
  textAt(index: number): string | undefined {
    return this.#applied.get(index)?.text
  }

  #ledBy(term: number, node: NodeId): void {
    const other = this.#leaders.get(term)
    if (other !== undefined && other !== node) this.violations.push(`${node} and ${other} both lead term ${term}`)
    this.#leaders.set(term, node)
  }

  #appliedBy(node: NodeId, index: number, term: number, text: string): void {
    const known = this.#applied.get(index)
    if (known === undefined) {
      this.#applied.set(index, { term, text, by: node })
      this.#highest = Math.max(this.#highest, index)
    } else if (known.term !== term || known.text !== text)
      this.violations.push(`${node} applies another entry at ${index}, of term ${term}, than ${known.by} did, of term ${known.term}`)
  }
}
