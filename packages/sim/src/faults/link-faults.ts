// Links that are cut, slow, narrow, reset or noisy, one way or both. Loss, doubling and reordering meet datagrams alone.
import type { LinkFault, LinkRule, NodeId } from '@atoll/base'
import { shuffle } from '@atoll/base'
import type { SimCluster } from '../sim-cluster.ts'
import { type DrawFault, type DrawnFault, drawSome, drawVictim, type EndFault } from './fault.ts'

const on = (from: LinkRule['from'], to: LinkRule['to'], fault: LinkFault): LinkRule => ({ from, to, fault })
const both = (node: NodeId, fault: LinkFault): LinkRule[] => [on(node, '*', fault), on('*', node, fault)]

function broken(what: string, rulesFor: (cluster: SimCluster) => readonly LinkRule[]): DrawnFault {
  return {
    what,
    begin(cluster) {
      const rules = rulesFor(cluster)
      cluster.breakLinks(rules)
      return () => cluster.healLinks(rules)
    },
  }
}

/** All links from the one side to the other, and back if both ways are cut. */
function between(left: readonly NodeId[], right: readonly NodeId[], bothWays: boolean): LinkRule[] {
  const cut = { cut: true }
  return left.flatMap(a => right.flatMap(b => (bothWays ? [on(a, b, cut), on(b, a, cut)] : [on(a, b, cut)])))
}

const partition =
  (bothWays: boolean): DrawFault =>
  drawing => {
    const left = drawSome(drawing)
    const right = drawing.names.filter(name => !left.includes(name))
    const rules = between(left, right, bothWays)
    return broken(`cut ${left.join(', ')} ${bothWays ? 'from' : 'towards'} ${right.join(', ')}`, () => rules)
  }

/** One node hears and nobody hears it, or the other way round, or neither. */
const isolate: DrawFault = drawing => {
  const victim = drawVictim(drawing, 0.6)
  const way = drawing.random.below(3)
  return broken(`${['mute', 'deafen', 'isolate'][way]} ${victim.text}`, cluster => {
    const name = victim.in(cluster)
    const [out, back] = [on(name, '*', { cut: true }), on('*', name, { cut: true })]
    return way === 0 ? [out] : way === 1 ? [back] : [out, back]
  })
}

/** Two sides that know each other only through one node, which sees everybody (Cloudflare 2020). */
const bridge: DrawFault = ({ names, random }) => {
  const [middle, ...others] = shuffle([...names], random)
  const half = Math.ceil(others.length / 2)
  const rules = between(others.slice(0, half), others.slice(half), true)
  return broken(`only ${middle} sees everybody`, () => rules)
}

const datagrams: DrawFault = ({ random }) => {
  const fault = { lossProbability: random.float() * 0.4, duplicateProbability: random.float() * 0.2, reorderProbability: 0.2 }
  return broken('lose, double and reorder datagrams', () => [on('*', '*', fault)])
}

const slowLinks: DrawFault = drawing => {
  const { random } = drawing
  const victim = drawVictim(drawing)
  const [out, back] = [{ delayMs: 20 + random.below(200), jitterMs: random.below(100) }, { delayMs: random.below(100) }]
  return broken(`slow links of ${victim.text}`, cluster => [on(victim.in(cluster), '*', out), on('*', victim.in(cluster), back)])
}

const narrowLinks: DrawFault = drawing => {
  const victim = drawVictim(drawing)
  const bytesPerSecond = 2_000 + drawing.random.below(20_000)
  return broken(`${bytesPerSecond} bytes per second for ${victim.text}`, cluster => both(victim.in(cluster), { bytesPerSecond }))
}

const resets: DrawFault = drawing => {
  const victim = drawVictim(drawing)
  return broken(`reset the connections of ${victim.text}`, cluster => both(victim.in(cluster), { reset: true }))
}

const noise: DrawFault = drawing => {
  const victim = drawVictim(drawing)
  const corruptProbability = 0.01 + drawing.random.float() * 0.1
  return broken(`flip bits on the links of ${victim.text}`, cluster => both(victim.in(cluster), { corruptProbability }))
}

/** One link after another clogs, then they come free in another order (FoundationDB's swizzle). */
const swizzle: DrawFault = ({ names, random, durationMs }) => {
  const links = shuffle(
    names.flatMap(a => names.filter(b => a !== b).map(b => on(a, b, { cut: true }))),
    random,
  ).slice(0, 2 + random.below(names.length * 2))
  const stepMs = durationMs / (2 * links.length + 1)
  const order = shuffle([...links], random)
  return {
    what: `clog ${links.length} links one by one`,
    begin(cluster) {
      const { simulation } = cluster
      const ends: EndFault[] = []
      let isOver = false
      const clogged = links.map(link => [link])
      for (const [place, rules] of clogged.entries())
        simulation.at(simulation.nowMs + place * stepMs, () => {
          if (isOver) return
          cluster.breakLinks(rules)
          ends.push(() => cluster.healLinks(rules))
        })
      for (const [place, link] of order.entries()) {
        const rules = clogged.find(([one]) => one === link) as LinkRule[]
        simulation.at(simulation.nowMs + (links.length + place) * stepMs, () => cluster.healLinks(rules))
      }
      return () => {
        isOver = true
        for (const end of ends) end()
      }
    },
  }
}

export const linkFaults = {
  partition: partition(true),
  one_way_partition: partition(false),
  isolate,
  bridge,
  datagrams,
  slow_links: slowLinks,
  narrow_links: narrowLinks,
  resets,
  noise,
  swizzle,
} as const
