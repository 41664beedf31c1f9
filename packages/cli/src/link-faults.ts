// The faults on the links between nodes as a person says them: groups of nodes instead of one rule per pair.
import type { LinkRuleRow } from '@atoll/protocol'

/** `cut: a | b, c`, one line per kind of fault and pair of groups; `→` where only one direction is faulty. */
export function faultLines(links: readonly LinkRuleRow[], names: readonly string[]): string[] {
  const byKind = Map.groupBy(links, kindOf)
  return Array.from(byKind, ([kind, rules]) => {
    const has = (from: string, to: string): boolean => rules.some(rule => rule.from === from && rule.to === to)
    const mutual = grouped(names, (from, to) => has(from, to) && has(to, from), true)
    const oneWay = grouped(names, (from, to) => has(from, to) && !has(to, from), false)
    return [...mutual.map(sides => sides.join(' | ')), ...oneWay.map(sides => sides.join(' → '))].map(sides => `${kind}: ${sides}`)
  }).flat()
}

/** Pairs of groups that together hold every faulty pair once: senders with the same receivers go together. */
function grouped(names: readonly string[], isFaulty: (from: string, to: string) => boolean, bothWays: boolean): [string, string][] {
  const said = new Set<string>()
  const receivers = (from: string): string[] => names.filter(to => isFaulty(from, to) && !said.has(`${from} ${to}`))
  return names.flatMap((name): [string, string][] => {
    const right = receivers(name)
    if (right.length === 0) return []
    const left = names.filter(other => receivers(other).join() === right.join())
    for (const from of left)
      for (const to of right) {
        said.add(`${from} ${to}`)
        if (bothWays) said.add(`${to} ${from}`)
      }
    return [[left.join(', '), right.join(', ')]]
  })
}

/** What a rule does, without its ends. */
function kindOf(rule: LinkRuleRow): string {
  if (rule.cut) return 'cut'
  const percent = (probability: number, what: string): string[] =>
    probability === 0 ? [] : [`${Number((probability * 100).toFixed(2))} % ${what}`]
  const late = rule.jitterMs === 0 ? `${rule.delayMs} ms late` : `${rule.delayMs} to ${rule.delayMs + rule.jitterMs} ms late`
  const kinds = [
    ...(rule.reset ? ['reset'] : []),
    ...(rule.delayMs + rule.jitterMs === 0 ? [] : [late]),
    ...(rule.bytesPerSecond === 0 ? [] : [`at most ${rule.bytesPerSecond} bytes a second`]),
    ...percent(rule.corruptProbability, 'corrupt'),
    ...percent(rule.lossProbability, 'lost'),
    ...percent(rule.duplicateProbability, 'twice'),
    ...percent(rule.reorderProbability, 'out of order'),
  ]
  return kinds.length === 0 ? 'without effect' : kinds.join(', ')
}
