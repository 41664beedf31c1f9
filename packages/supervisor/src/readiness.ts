// When a cluster is ready: every node that should run answers, each believes of every other that it is alive, the coordinators
// have a leader that a majority follows, all nodes are registered with them, and every broker sends Kafka's clients to all the
// others. The nodes say so themselves, through the port their clients use; nobody reads logs or counts pids.
import type { NodeId } from '@atoll/base'
import type { ResponseOf, raftStatus, SupervisedNode } from '@atoll/protocol'
import type { KafkaView } from './kafka-view.ts'

/** Sentences shown at most: past that they repeat themselves. */
const SENTENCES_MAX = 128
const SENTENCE_LENGTH_MAX = 300

/** What a node answered just now. */
export interface ProbedNode extends SupervisedNode {
  /** Of a coordinator that answers. */
  readonly agreement: ResponseOf<typeof raftStatus> | undefined
  /** The epoch it is registered in, 0 while it is not; and why not, where it knows. */
  readonly epoch: number
  readonly unregistered: string | undefined
  /** Of a broker whose clients get answers. */
  readonly kafka: KafkaView | undefined
}

type Status = ResponseOf<typeof raftStatus>

/** Why the cluster is not ready, a sentence each; empty when it is. */
export function whyNotReady(nodes: readonly ProbedNode[]): string[] {
  const unwell = nodes.flatMap(node => whyNotWell(node, nodes))
  return [...unwell, ...whyNotAgreed(nodes), ...whyNotServing(nodes)]
    .slice(0, SENTENCES_MAX)
    .map(sentence => sentence.slice(0, SENTENCE_LENGTH_MAX))
}

/** The coordinator that leads and that a majority follows. */
export function leaderOf(nodes: readonly ProbedNode[]): NodeId | undefined {
  return leaderAmong(nodes.flatMap(({ agreement }) => agreement ?? []))?.node
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

/** What the nodes decide together, and what needs somebody to decide it. */
function whyNotAgreed(nodes: readonly ProbedNode[]): string[] {
  const coordinators = nodes.filter(({ role }) => role === 'coordinator')
  const said = coordinators.flatMap(({ agreement }) => agreement ?? [])
  if (coordinators.length === 0) return []
  const leader = leaderAmong(said)
  if (leader === undefined) return [majorityLost(said) ?? noLeader(said.length, coordinators.length)]
  return [...said.flatMap(status => whyNotVoting(status, leader)), ...nodes.flatMap(whyNotRegistered)]
}

/** Each coordinator speaks for itself: one that was deposed may not know it yet, so a majority has to follow it in its term. */
function leaderAmong(said: readonly Status[]): Status | undefined {
  const newest = said.reduce((term, status) => Math.max(term, status.term), 0)
  const leader = said.find(({ role, term }) => role === 'leader' && term === newest)
  if (leader === undefined) return undefined
  const following = said.filter(status => follows(status, leader) && votesFor(status, leader.voters))
  return following.length > Math.floor(leader.voters.length / 2) ? leader : undefined
}

const follows = (status: Status, leader: Status): boolean => status.leader === leader.node && status.term === leader.term
const votesFor = ({ node, disk }: Status, voters: Status['voters']): boolean =>
  voters.some(voter => voter.node === node && voter.disk === disk)

function whyNotVoting(status: Status, leader: Status): string[] {
  const { node, damaged } = status
  if (damaged) return [`${node} lost entries and is sent them again`]
  if (votesFor(status, leader.voters)) return follows(status, leader) ? [] : [`${node} does not follow ${leader.node}, who leads, yet`]
  const isKnown = leader.voters.some(voter => voter.node === node)
  return [
    isKnown ? `${node} has another disk than the coordinators know, and does not vote yet` : `${node} does not vote with the coordinators`,
  ]
}

function whyNotRegistered({ name, answers, epoch, unregistered }: ProbedNode): string[] {
  if (!answers || epoch > 0) return []
  return [`${name} is not registered with the coordinators${unregistered === undefined ? ' yet' : `: ${unregistered}`}`]
}

/** Waiting does not help when those who answer in the names of voters do so from other disks. */
function majorityLost(said: readonly Status[]): string | undefined {
  const furthest = said.toSorted((a, b) => b.lastIndex - a.lastIndex)[0]
  if (furthest === undefined) return undefined
  const { voters } = furthest
  const lost = voters.filter(({ node, disk }) => said.some(other => other.node === node && other.disk !== disk)).map(({ node }) => node)
  if (voters.length - lost.length > Math.floor(voters.length / 2)) return undefined
  return lost.length === 0
    ? undefined
    : `${lost.join(', ')} lost the disks they voted with: without a majority of ${voters.length} no leader can be elected any more`
}

function noLeader(run: number, planned: number): string {
  const needed = Math.floor(planned / 2) + 1
  const running = `${run} of ${planned} coordinators ${run === 1 ? 'answers' : 'answer'}`
  return run < needed ? `${running}, ${needed} are needed for a leader` : `${running}, no leader yet`
}

/** Brokers are looked at once they are registered: before that they have nothing to say. */
function whyNotServing(nodes: readonly ProbedNode[]): string[] {
  const brokers = nodes.filter(({ role }) => role === 'broker')
  return brokers.filter(({ answers, epoch }) => answers && epoch > 0).flatMap(broker => whyNotTold(broker, brokers))
}

function whyNotTold({ name, kafka }: ProbedNode, brokers: readonly ProbedNode[]): string[] {
  if (kafka === undefined) return [`${name} does not answer Kafka's clients`]
  const isTold = ({ endpoints }: ProbedNode): boolean =>
    endpoints.some(({ protocol, port }) => protocol === 'kafka' && kafka.brokerPorts.includes(port))
  const missing = brokers.filter(other => !isTold(other)).map(other => other.name)
  if (missing.length > 0) return [`${name} does not send clients to ${missing.join(', ')} yet`]
  if (kafka.groupPartitions === 0) return [`${name} does not know where groups are kept yet`]
  return kafka.leaderless === 0 ? [] : [`${name} knows no leader of ${kafka.leaderless} partitions in which groups are kept`]
}
