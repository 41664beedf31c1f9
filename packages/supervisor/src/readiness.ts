// When a cluster is ready: every node that should run answers, and each believes of every other that it is alive. The
// nodes say so themselves, through the port their clients use; nobody reads logs or counts pids.
import type { SupervisedNode } from '@atoll/protocol'

/** Sentences shown at most: past that they repeat themselves. */
const SENTENCES_MAX = 128
const SENTENCE_LENGTH_MAX = 300

/** Why the cluster is not ready, a sentence each; empty when it is. */
export function whyNotReady(nodes: readonly SupervisedNode[]): string[] {
  return nodes
    .flatMap(node => whyNotWell(node, nodes))
    .slice(0, SENTENCES_MAX)
    .map(sentence => sentence.slice(0, SENTENCE_LENGTH_MAX))
}

function whyNotWell({ name, state, exit, answers, view }: SupervisedNode, nodes: readonly SupervisedNode[]): string[] {
  if (state !== 'running') return [`${name} is ${state}${exit === undefined ? '' : ` (${exit})`}`]
  if (!answers) return [`${name} does not answer`]
  const believed = new Map(view.map(({ node, state: belief }) => [node, belief]))
  const wrong = nodes
    .map(other => ({ name: other.name, belief: believed.get(other.name) ?? 'unknown' }))
    .filter(({ belief }) => belief !== 'alive')
  const byBelief = Map.groupBy(wrong, ({ belief }) => belief)
  return Array.from(byBelief, ([belief, others]) =>
    belief === 'unknown'
      ? `${name} does not know ${others.map(other => other.name).join(', ')} yet`
      : `${name} believes ${others.map(other => other.name).join(', ')} ${belief}`,
  )
}
