// Link faults between their row on the wire, where zero means off, and the port's form, where absence does.
import { isDnsLabel, type LinkFault, type LinkRule } from '@atoll/base'
import { type LinkRuleRow, ProtocolError } from '@atoll/protocol'

const PROBABILITIES = ['corruptProbability', 'lossProbability', 'duplicateProbability', 'reorderProbability'] as const

/** The rule a row stands for. Throws `invalid_argument` naming what is out of bounds. */
export function linkRuleOf(row: LinkRuleRow): LinkRule {
  for (const end of [row.from, row.to]) {
    if (end !== '*' && !isDnsLabel(end))
      throw new ProtocolError('invalid_argument', `link ${row.from} → ${row.to}: want a node's name or *`)
  }
  for (const name of PROBABILITIES) {
    // Written so that NaN is out of bounds as well.
    if (!(row[name] >= 0 && row[name] <= 1))
      throw new ProtocolError('invalid_argument', `link ${row.from} → ${row.to}: ${name} is ${row[name]}, want 0 to 1`)
  }
  const { from, to, ...values } = row
  const fault = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== false && value !== 0)) as LinkFault
  return { from, to, fault }
}

/** The row of a link that is cut. */
export function cutLink(from: LinkRuleRow['from'], to: LinkRuleRow['to']): LinkRuleRow {
  return {
    from,
    to,
    cut: true,
    reset: false,
    delayMs: 0,
    jitterMs: 0,
    bytesPerSecond: 0,
    corruptProbability: 0,
    lossProbability: 0,
    duplicateProbability: 0,
    reorderProbability: 0,
  }
}
