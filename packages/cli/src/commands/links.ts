// `cluster partition` and `cluster heal`: cuts between groups of nodes, and their end.
import type { NodeId } from '@atoll/base'
import { type LinkRuleRow, linksReplace } from '@atoll/protocol'
import { cutLink } from '@atoll/service'
import type { ControlClient } from '@atoll/supervisor'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { selectNodes } from '../node-globs.ts'
import type { Output } from '../output.ts'
import { statusOf, withCluster } from '../running-cluster.ts'
import { findTarget, type TargetOptions } from '../target.ts'

export interface PartitionOptions extends TargetOptions {
  readonly oneWay?: boolean
}

/** Nodes confirm a table of faults within this long or get it later, in milliseconds. */
const REPLACE_TIMEOUT_MS = 10_000

/** Answers once every node that answers at all has confirmed the cut. */
export async function partition(groups: readonly string[], options: PartitionOptions, output: Output): Promise<number> {
  return await withCluster(findTarget(options), async client => {
    const { nodes, links } = await statusOf(client, false)
    const names = nodes.map(({ name }) => name)
    const sides = sidesOf(groups, names)
    if (options.oneWay === true && sides.length !== 2)
      throw new CommandError('usage', '--one-way is from one group to another: name one or two groups.')
    const cuts = cutsBetween(sides, options.oneWay === true)
    await replace(client, merge(links, cuts), names, output)
    output.say(`Cut: ${sides.map(side => side.join(', ')).join(options.oneWay === true ? '  →  ' : '  |  ')}. \`cluster heal\` undoes it.`)
    return exitCodes.ok.code
  })
}

export async function heal(options: TargetOptions, output: Output): Promise<number> {
  return await withCluster(findTarget(options), async client => {
    const { nodes, links } = await statusOf(client, false)
    await replace(
      client,
      [],
      nodes.map(({ name }) => name),
      output,
    )
    output.say(links.length === 0 ? 'No link was faulty.' : `Healed ${links.length} faulty links.`)
    return exitCodes.ok.code
  })
}

/** Two sides or more; a single group stands against all the rest. */
function sidesOf(groups: readonly string[], names: readonly string[]): NodeId[][] {
  const sides = groups.map(group => selectNodes(group.split(','), names))
  const chosen = sides.flat()
  const twice = chosen.find((name, i) => chosen.indexOf(name) !== i)
  if (twice !== undefined) throw new CommandError('usage', `${twice} is on both sides.`)
  if (sides.length > 1) return sides
  const rest = names.filter(name => !chosen.includes(name as NodeId)) as NodeId[]
  if (rest.length === 0) throw new CommandError('usage', 'That is every node; nobody is left on the other side.')
  return [...sides, rest]
}

/** A cut from every node to every one of another side; in one direction only from the first side to the second. */
export function cutsBetween(sides: readonly (readonly NodeId[])[], oneWay: boolean): LinkRuleRow[] {
  return sides.flatMap((side, i) =>
    sides.flatMap((other, j) => (i === j || (oneWay && i > j) ? [] : side.flatMap(from => other.map(to => cutLink(from, to))))),
  )
}

/** Cuts on top of the faults there are already. */
function merge(before: readonly LinkRuleRow[], cuts: readonly LinkRuleRow[]): LinkRuleRow[] {
  const isSame = (a: LinkRuleRow, b: LinkRuleRow): boolean => a.from === b.from && a.to === b.to
  return [
    ...before.filter(rule => !cuts.some(cut => isSame(rule, cut))),
    ...cuts.map(cut => ({ ...(before.find(rule => isSame(rule, cut)) ?? cut), cut: true })),
  ]
}

async function replace(client: ControlClient, rules: readonly LinkRuleRow[], names: readonly string[], output: Output): Promise<void> {
  const { applied } = await client.request(linksReplace, { rules }, REPLACE_TIMEOUT_MS)
  const missed = names.filter(name => !applied.includes(name as NodeId))
  if (missed.length > 0)
    output.warn(`${missed.join(', ')} ${missed.length === 1 ? 'does' : 'do'} not answer; the change holds there as soon as that ends.`)
}
