// Ways to cut a cluster: which directed links are down. Partial ones are where leader election fails in practice (B27).
import type { Random } from '@atoll/base'

export type IsCut = (from: string, to: string) => boolean

/** Draws a cut among `names`; `leader` is the one worth isolating. */
type Topology = (names: readonly string[], random: Random, leader: string) => IsCut

const sides = (names: readonly string[], random: Random) => new Set(names.filter(() => random.float() < 0.5))

/** Only the given pairs are linked, both ways. */
const only = (names: readonly string[], linked: (a: number, b: number) => boolean): IsCut => {
  const place = (name: string) => names.indexOf(name)
  return (from, to) => !linked(place(from), place(to)) && !linked(place(to), place(from))
}

export const topologies: Readonly<Record<string, Topology>> = {
  split(names, random) {
    const side = sides(names, random)
    return (from, to) => side.has(from) !== side.has(to)
  },
  leader_isolated: (_names, _random, leader) => (from, to) => from === leader || to === leader,
  /** The leader is heard and hears nothing: check-quorum must notice. */
  leader_deaf: (_names, _random, leader) => (_from, to) => to === leader,
  leader_mute: (_names, _random, leader) => from => from === leader,
  one_way(names, random) {
    const side = sides(names, random)
    return (from, to) => side.has(from) && !side.has(to)
  },
  /** Two halves that share only one server. */
  bridge(names) {
    const middle = Math.floor(names.length / 2)
    return only(names, (a, b) => a === middle || b === middle || a < middle === b < middle)
  },
  chain: names => only(names, (a, b) => b - a === 1),
  ring: names => only(names, (a, b) => (a + 1) % names.length === b),
  /** Only one server, not the leader, still has a majority: it has to take over. */
  star(names, random, leader) {
    const others = names.filter(name => name !== leader)
    const hub = others[random.below(Math.max(1, others.length))] ?? leader
    return only(names, (a, b) => names[a] === hub || names[b] === hub)
  },
}
