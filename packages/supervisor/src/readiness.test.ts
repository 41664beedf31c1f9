// A cluster is ready when every node says so of every other, and otherwise the reasons are sentences.
import type { NodeId } from '@atoll/base'
import type { MemberView, SupervisedNode } from '@atoll/protocol'
import { expect, it } from 'vitest'
import { whyNotReady } from './readiness.ts'

const names = ['a', 'b', 'c'] as NodeId[]
const believes = (node: NodeId, state: MemberView['state']): MemberView => ({ node, state }) as MemberView
const well = (name: NodeId): SupervisedNode =>
  ({ name, state: 'running', answers: true, view: names.map(other => believes(other, 'alive')) }) as unknown as SupervisedNode
const withNode = (change: Partial<SupervisedNode>): SupervisedNode[] => [
  { ...well(names[0]!), ...change },
  well(names[1]!),
  well(names[2]!),
]

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
  expect(whyNotReady(withNode(change as Partial<SupervisedNode>))).toEqual(reasons)
})
