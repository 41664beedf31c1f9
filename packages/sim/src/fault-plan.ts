// What is broken when: a list of acts that is a function of the seed alone, so that it can be printed and replayed.
import { type LinkRule, type NodeId, type SeededRandom, shuffle } from '@atoll/base'
import type { SimCluster } from './sim-cluster.ts'

export interface FaultAct {
  readonly atMs: number
  readonly what: string
  readonly run: (cluster: SimCluster) => void
}

const cut = (from: NodeId, to: NodeId): LinkRule => ({ from, to, fault: { cut: true } })

/** All links between the two sides, both ways or only one. */
function partition(left: readonly NodeId[], right: readonly NodeId[], bothWays: boolean): LinkRule[] {
  return left.flatMap(a => right.flatMap(b => (bothWays ? [cut(a, b), cut(b, a)] : [cut(a, b)])))
}

/**
 * Faults over `durationMs` of virtual time, then everything mended: paused nodes resumed, links healed, dead nodes
 * started again, all but those that stay dead. A fault begins every second or so; each is undone by the end at latest.
 */
export function planFaults(names: readonly NodeId[], random: SeededRandom, durationMs: number): FaultAct[] {
  const acts: FaultAct[] = []
  let atMs = 2_000
  while (atMs < durationMs) {
    const untilMs = Math.min(durationMs, atMs + 200 + random.below(3_000))
    acts.push(...oneFault(names, random, atMs, untilMs))
    atMs += 300 + random.below(1_500)
  }
  return acts.toSorted((a, b) => a.atMs - b.atMs)
}

function oneFault(names: readonly NodeId[], random: SeededRandom, atMs: number, untilMs: number): FaultAct[] {
  const victim = names[random.below(names.length)] as NodeId
  const shuffled = shuffle([...names], random)
  const split = 1 + random.below(names.length - 1)
  switch (random.below(6)) {
    case 0:
      return [
        { atMs, what: `kill ${victim}`, run: cluster => cluster.stateOf(victim) !== 'down' && cluster.crash(victim) },
        { atMs: untilMs, what: `start ${victim}`, run: cluster => cluster.stateOf(victim) === 'down' && cluster.start(victim) },
      ]
    case 1:
      return [
        { atMs, what: `pause ${victim}`, run: cluster => cluster.stateOf(victim) === 'running' && cluster.pause(victim) },
        { atMs: untilMs, what: `resume ${victim}`, run: cluster => cluster.stateOf(victim) === 'paused' && cluster.resume(victim) },
      ]
    case 2:
      return links(
        atMs,
        untilMs,
        `partition ${shuffled.slice(0, split).join(',')} | ${shuffled.slice(split).join(',')}`,
        partition(shuffled.slice(0, split), shuffled.slice(split), true),
      )
    case 3:
      return links(
        atMs,
        untilMs,
        `one-way partition of ${victim}`,
        partition(
          [victim],
          names.filter(name => name !== victim),
          random.below(2) === 0,
        ),
      )
    case 4:
      return links(atMs, untilMs, 'lossy gossip', [
        { from: '*', to: '*', fault: { lossProbability: 0.25, duplicateProbability: 0.1, reorderProbability: 0.2 } },
      ])
    default:
      return links(atMs, untilMs, `slow links of ${victim}`, [
        { from: victim, to: '*', fault: { delayMs: 20 + random.below(200), jitterMs: random.below(100) } },
        { from: '*', to: victim, fault: { delayMs: random.below(100) } },
      ])
  }
}

function links(atMs: number, untilMs: number, what: string, rules: readonly LinkRule[]): FaultAct[] {
  return [
    { atMs, what, run: cluster => cluster.breakLinks(rules) },
    { atMs: untilMs, what: `heal ${what}`, run: cluster => cluster.healLinks(rules) },
  ]
}
