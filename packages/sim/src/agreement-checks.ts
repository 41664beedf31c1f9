// What must hold whenever coordinators agree, watched from outside: of every step of any core, of every entry that any node
// applies, and of the state after it. Here it is the whole process with its disk that may break what Raft promises.
import type { NodeId } from '@atoll/base'
import type { AgreementHooks, Applied } from '@atoll/coordinator'
import type { Change } from '@atoll/history'
import { RaftInvariants } from './raft-invariants.ts'

/** Few, so that servers that were away need snapshots. */
const SNAPSHOT_ENTRIES = 60

/** Applied by somebody: nobody may ever apply another in its place, or make something else of it. */
interface AppliedEntry {
  readonly term: number
  readonly text: string
  readonly digest: string
  readonly by: NodeId
}

export class AgreementInvariants {
  /** What went wrong, in the order it was noticed. */
  readonly violations: string[] = []
  readonly raft = new RaftInvariants(what => this.violations.push(what))
  readonly #applied = new Map<number, AppliedEntry>()
  /** What the log made of the keys, from the first revision on. */
  readonly changes: Change[] = []
  #highest = 0

  /** To be heard by a node from its start on. */
  hooksOf(node: NodeId): AgreementHooks {
    let last: number | undefined
    return {
      snapshotEntries: SNAPSHOT_ENTRIES,
      onStep: this.raft.life(),
      onApplied: ({ index, term, payload }, result, state) => {
        if (last !== undefined && index <= last) this.violations.push(`${node} applies ${index} after ${last}`)
        last = index
        const text = payload.kind === 'command' ? payload.bytes.toString() : JSON.stringify(payload)
        this.#appliedBy(index, { term, text, digest: state.digest.text, by: node }, result?.change)
      },
    }
  }

  /** The highest index that any node applied. */
  get highest(): number {
    return this.#highest
  }

  /** Terms that somebody led. */
  get terms(): number {
    return this.raft.terms
  }

  /** The bytes of the entry at `index`, if any node applied one. */
  textAt(index: number): string | undefined {
    return this.#applied.get(index)?.text
  }

  #appliedBy(index: number, entry: AppliedEntry, change: Applied['change']): void {
    const known = this.#applied.get(index)
    if (known === undefined) {
      this.#applied.set(index, entry)
      if (change !== undefined) this.changes.push(...changesOf(change))
      this.#highest = Math.max(this.#highest, index)
    } else if (known.term !== entry.term || known.text !== entry.text)
      this.violations.push(`${entry.by} applies another entry at ${index}, of term ${entry.term}, than ${known.by}, of term ${known.term}`)
    else if (known.digest !== entry.digest) this.violations.push(`${entry.by} makes something else of ${index} than ${known.by}`)
  }
}

function changesOf({ revision, events }: NonNullable<Applied['change']>): Change[] {
  return events.map(({ key, version }) => {
    const isThere = version.version > 0
    return { type: isThere ? 'put' : 'delete', key, value: isThere ? new TextDecoder().decode(version.value) : null, revision }
  })
}
