// Where replicas go: leaders in turn over the brokers, followers behind them with a shift that grows each round, so that
// the followers of one leader are spread as well (Kafka's scheme). Racks alternate in the order, and two replicas share a
// rack only when there are fewer racks than replicas (KIP-36). It depends on nothing but its arguments.
import type { NodeId } from '@atoll/base'

export interface Candidate {
  readonly node: NodeId
  /** Empty: shares nothing with anybody. */
  readonly rack: string
  /** It is there: it may lead at once. */
  readonly live: boolean
}

/** The replicas of `count` partitions. `placed`: partitions placed ever before, where the turn goes on. */
export function place(
  candidates: readonly Candidate[],
  { count, replicas, placed }: { readonly count: number; readonly replicas: number; readonly placed: number },
): NodeId[][] {
  const order = alternating(candidates)
  const leaders = order.filter(({ live }) => live)
  // Who is away is taken only where there are too few without it.
  const pool = leaders.length >= replicas ? leaders : order
  return Array.from({ length: count }, (_, n) => {
    const turn = placed + n
    const leader = leaders[turn % leaders.length] as Candidate
    return [leader.node, ...followers(pool, leader, replicas - 1, Math.floor(turn / leaders.length))]
  })
}

function followers(pool: readonly Candidate[], leader: Candidate, wanted: number, shift: number): NodeId[] {
  const others = pool.length - 1
  const at = pool.indexOf(leader)
  const walk = Array.from({ length: others }, (_, n) => pool[(at + 1 + ((shift + n) % others)) % pool.length] as Candidate)
  const racks = new Set([leader.rack])
  const chosen: Candidate[] = []
  for (const one of walk) {
    if (chosen.length === wanted) break
    if (one.rack !== '' && racks.has(one.rack)) continue
    racks.add(one.rack)
    chosen.push(one)
  }
  for (const one of walk) if (chosen.length < wanted && !chosen.includes(one)) chosen.push(one)
  return chosen.map(({ node }) => node)
}

/** In order of names, one of each rack after the other. */
function alternating(candidates: readonly Candidate[]): Candidate[] {
  const racks = new Map<string, Candidate[]>()
  for (const one of [...candidates].sort((a, b) => (a.node < b.node ? -1 : 1))) {
    const mates = racks.get(one.rack)
    if (mates === undefined) racks.set(one.rack, [one])
    else mates.push(one)
  }
  const rows = [...racks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, mates]) => mates)
  const longest = Math.max(0, ...rows.map(mates => mates.length))
  return Array.from({ length: longest }, (_, n) => rows.flatMap(mates => mates[n] ?? [])).flat()
}
