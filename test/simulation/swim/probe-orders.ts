// Watches in which order every process probes the others: all of them, again and again, never in the same order.
import type { NodeId } from '@atoll/base'
import type { Send } from '@atoll/swim'
import type { ClusterObserver, SimulatedCluster, SimulatedProcess } from './cluster.ts'

export class ProbeOrders implements ClusterObserver {
  readonly #cluster: SimulatedCluster
  readonly #pinged = new Map<NodeId, { readonly node: NodeId; readonly at: number }[]>()

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster
    cluster.observers.push(this)
  }

  sent(process: SimulatedProcess, { to, message }: Send): void {
    if (message.kind !== 'ping' || to.node === undefined) return
    const pinged = this.#pinged.get(process.name) ?? []
    pinged.push({ node: to.node, at: this.#cluster.now })
    this.#pinged.set(process.name, pinged)
  }

  /** The longest time that any process went without probing some other one, at the ends of the watch too. */
  longestGapMs(startedAt: number): number {
    const { running, now } = this.#cluster
    let longest = 0
    for (const { name } of running) {
      for (const other of running) {
        if (other.name === name) continue
        const times = (this.#pinged.get(name) ?? []).filter(ping => ping.node === other.name).map(ping => ping.at)
        for (const [index, at] of [...times, now].entries()) longest = Math.max(longest, at - (times[index - 1] ?? startedAt))
      }
    }
    return longest
  }

  /**
   * How alike the orders of two passes in a row are, on average over all processes: 1 for the same order, near 0 for
   * independent ones (Spearman's rank correlation).
   */
  likeness(): number {
    const others = this.#cluster.running.length - 1
    const likenesses = [...this.#pinged.values()].flatMap(pinged => {
      const order = pinged.map(ping => ping.node)
      const passes = Array.from({ length: Math.floor(order.length / others) }, (_, pass) => order.slice(pass * others, (pass + 1) * others))
      return passes.slice(1).map((pass, index) => rankCorrelation(passes[index] as NodeId[], pass))
    })
    return likenesses.reduce((sum, value) => sum + value, 0) / likenesses.length
  }
}

function rankCorrelation(a: readonly NodeId[], b: readonly NodeId[]): number {
  const ranks = new Map(b.map((node, rank) => [node, rank]))
  const squares = a.reduce((sum, node, rank) => sum + (rank - (ranks.get(node) ?? rank)) ** 2, 0)
  return 1 - (6 * squares) / (a.length * (a.length ** 2 - 1))
}
