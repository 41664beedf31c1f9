// A cluster is ready when every node says so of every other and the coordinators have a leader; otherwise the reasons are
// sentences.
import type { NodeId } from '@atoll/base'
import type { MemberView } from '@atoll/protocol'
import { expect, it } from 'vitest'
import { leaderOf, type ProbedNode, whyNotReady } from './readiness.ts'

const names = ['a', 'b', 'c'] as NodeId[]
const believes = (node: NodeId, state: MemberView['state']): MemberView => ({ node, state }) as MemberView
const well = (name: NodeId): ProbedNode =>
  ({ name, state: 'running', answers: true, epoch: 1, view: names.map(other => believes(other, 'alive')) }) as unknown as ProbedNode
const withNode = (change: Partial<ProbedNode>): ProbedNode[] => [{ ...well(names[0]!), ...change }, well(names[1]!), well(names[2]!)]

it('is ready when every node answers and believes all alive', () => {
  expect(whyNotReady(names.map(well))).toEqual([])
})

it.each([
  [{ state: 'starting' }, ['a is starting']],
  [{ state: 'failed', exit: 'exit code 1' }, ['a is failed (exit code 1)']],
  [{ state: 'paused' }, ['a is paused']],
  [{ answers: false }, ['a does not answer']],
  [{ view: [believes(names[0]!, 'alive')] }, ['a does not know b, c yet']],
  [
    { view: [believes(names[0]!, 'alive'), believes(names[1]!, 'suspect'), believes(names[2]!, 'dead')] },
    ['a believes b suspect', 'a believes c dead'],
  ],
] as const)('%j is not', (change, reasons) => {
  expect(whyNotReady(withNode(change as Partial<ProbedNode>))).toEqual(reasons)
})

type Agreement = NonNullable<ProbedNode['agreement']>
const voters = names.map(node => ({ node, disk: `disk of ${node}` }))
/** Three coordinators of which `a` leads in term 2, apart from what `changes` say of each; one without an answer is undefined. */
const agreeing = (changes: readonly (Partial<Agreement> | undefined)[]): ProbedNode[] =>
  names.map((name, i) => {
    const role = i === 0 ? 'leader' : 'follower'
    const status = { node: name, disk: `disk of ${name}`, role, term: 2, lastIndex: 7, leader: 'a', damaged: false, voters, ...changes[i] }
    return { ...well(name), role: 'coordinator', agreement: changes[i] && status } as ProbedNode
  })

/** It has an empty disk, and knows of nobody yet. */
const gone: Partial<Agreement> = { role: 'follower', leader: undefined, disk: 'a new one', lastIndex: 0, voters: [] }

it('is not ready while a node is not registered', () => {
  const [first, ...others] = agreeing([{}, {}, {}]) as [ProbedNode, ...ProbedNode[]]
  expect(whyNotReady([{ ...first, epoch: 0 }, ...others])).toEqual(['a is not registered with the coordinators yet'])
  expect(whyNotReady([{ ...first, epoch: 0, unregistered: 'no' }, ...others])).toEqual(['a is not registered with the coordinators: no'])
})

it('names the leader that a majority follows', () => {
  expect(leaderOf(agreeing([{}, {}, undefined]))).toBe('a')
  expect(leaderOf(agreeing([{}, { leader: undefined }, undefined]))).toBeUndefined()
})

it('is ready when all coordinators follow a leader', () => {
  expect(whyNotReady(agreeing([{}, {}, {}]))).toEqual([])
})

it.each([
  [[undefined, undefined, { leader: undefined }], ['1 of 3 coordinators answers, 2 are needed for a leader']],
  [[undefined, { leader: undefined }, { leader: undefined }], ['2 of 3 coordinators answer, no leader yet']],
  [[{}, undefined, undefined], ['1 of 3 coordinators answers, 2 are needed for a leader']],
  // Deposed: the others are a term further.
  [[{}, { term: 3, leader: undefined }, { term: 3, leader: undefined }], ['3 of 3 coordinators answer, no leader yet']],
  [
    [{ role: 'follower', leader: undefined }, gone, gone],
    ['b, c lost the disks they voted with: without a majority of 3 no leader can be elected any more'],
  ],
  [[{}, {}, { leader: undefined }], ['c does not follow a, who leads, yet']],
  [[{}, {}, { disk: 'a new one' }], ['c has another disk than the coordinators know, and does not vote yet']],
  [[{ voters: voters.slice(0, 2) }, { voters: voters.slice(0, 2) }, {}], ['c does not vote with the coordinators']],
  [[{}, {}, { damaged: true }], ['c lost entries and is sent them again']],
] as const)('coordinators that say %j are not', (changes, reasons) => {
  expect(whyNotReady(agreeing(changes as readonly (Partial<Agreement> | undefined)[]))).toEqual(reasons)
})

/** Three brokers of which each sends clients to all; the first says of itself what `kafka` says. */
const serving = (kafka: Partial<ProbedNode['kafka']> | undefined): ProbedNode[] =>
  names.map((name, i) => {
    const told = { brokerPorts: [1, 2, 3], groupPartitions: 16, leaderless: 0 }
    const endpoints = [{ protocol: 'kafka', host: '127.0.0.1', port: i + 1, wanted: i + 1 }]
    return { ...well(name), role: 'broker', endpoints, kafka: i > 0 ? told : kafka && { ...told, ...kafka } }
  })

it.each([
  [{}, []],
  [undefined, ["a does not answer Kafka's clients"]],
  [{ brokerPorts: [1] }, ['a does not send clients to b, c yet']],
  [{ groupPartitions: 0 }, ['a does not know where groups are kept yet']],
  [{ leaderless: 2 }, ['a knows no leader of 2 partitions in which groups are kept']],
] as const)('brokers of which one tells its clients %j', (kafka, reasons) => {
  expect(whyNotReady(serving(kafka))).toEqual(reasons)
})

it('asks nothing of a broker that is not registered', () => {
  const [first, ...others] = serving(undefined) as [ProbedNode, ...ProbedNode[]]
  expect(whyNotReady([{ ...first, epoch: 0 }, ...others])).toEqual([])
})
