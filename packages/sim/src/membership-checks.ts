// What must hold of the members' views: at every moment, and once nothing has been disturbed for a while.
import type { NodeId } from '@atoll/base'
import type { SimCluster } from './sim-cluster.ts'

/** Watches the views of a run. `look` throws as soon as an invariant is broken. */
export class ViewInvariants {
  readonly #highest = new Map<string, number>()
  readonly #cluster: SimCluster

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
  }

  /** [V1] as one observer sees it, a member’s incarnation never goes back. [V2] a node never believes itself dead or suspect. */
  look(): void {
    for (const observer of this.#cluster.awake()) {
      for (const [subject, { state, incarnation }] of this.#cluster.viewOf(observer)) {
        const key = `${observer}/${subject}`
        const before = this.#highest.get(key) ?? 0
        if (incarnation < before) throw new Error(`[V1] ${observer} believed ${subject} at incarnation ${before}, now ${incarnation}`)
        this.#highest.set(key, incarnation)
        if (observer === subject && (state === 'dead' || state === 'suspect')) throw new Error(`[V2] ${observer} believes itself ${state}`)
      }
    }
  }

  /** A new process begins to count anew, in its own view. */
  restarted(name: NodeId): void {
    for (const key of this.#highest.keys()) if (key.startsWith(`${name}/`)) this.#highest.delete(key)
  }
}

/** Every disagreement between the views of awake nodes and the truth, a sentence each; empty when all agree. */
export function disagreements(cluster: SimCluster): string[] {
  const awake = new Set(cluster.awake())
  const wrong: string[] = []
  for (const observer of awake) {
    const view = cluster.viewOf(observer)
    for (const subject of cluster.names) {
      const believed = view.get(subject)?.state
      if (awake.has(subject) ? believed !== 'alive' : believed === 'alive' || believed === 'suspect')
        wrong.push(`${observer} believes ${subject} ${believed ?? 'unknown'}; it is ${awake.has(subject) ? 'alive' : 'gone'}`)
    }
  }
  return wrong
}
