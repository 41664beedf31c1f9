// The faults in force on the links between nodes. The supervisor keeps the table; a node that starts or resumes gets it
// before anybody is told that it is there.
import { LINK_RULES_MAX, type LinkRuleRow, ProtocolError } from '@atoll/protocol'

/**
 * The rules as the nodes get them. `*` becomes the names of all nodes: the supervisor must reach a node that is cut off
 * from all others, or nobody could heal it.
 */
export function expandRules(rules: readonly LinkRuleRow[], names: readonly string[]): readonly LinkRuleRow[] {
  const known = new Set(names)
  const ends = (end: string): readonly string[] => (end === '*' ? names : [end])
  const expanded = rules.flatMap(rule =>
    ends(rule.from).flatMap(from => ends(rule.to).flatMap(to => (from === to ? [] : [{ ...rule, from, to } as LinkRuleRow]))),
  )
  const stranger = expanded.flatMap(({ from, to }) => [from, to]).find(name => !known.has(name))
  if (stranger !== undefined) throw new ProtocolError('unknown_node', `no node is called ${stranger}`)
  if (expanded.length > LINK_RULES_MAX)
    throw new ProtocolError('invalid_argument', `${expanded.length} link rules, more than ${LINK_RULES_MAX}`)
  return expanded
}
