// Node names on the command line: plain, or with `*` and `?`.
import { matchesGlob } from 'node:path'
import { type NodeId } from '@atoll/base'
import { CommandError } from './exit-codes.ts'

/** The nodes that the patterns mean, in the cluster’s order. A pattern that means nobody is an error. */
export function selectNodes(patterns: readonly string[], names: readonly string[]): NodeId[] {
  const chosen = new Set<string>()
  for (const pattern of patterns) {
    const matched = names.filter(name => name === pattern || matchesGlob(name, pattern))
    if (matched.length === 0)
      throw new CommandError('notFound', `No node is called '${pattern}'.`, {
        details: [`There ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}.`],
      })
    for (const name of matched) chosen.add(name)
  }
  return names.filter(name => chosen.has(name)) as NodeId[]
}
