// What coordinators are told of a process that ended, and of which registration.
import { type Logger, nodeId, silentLogger } from '@atoll/base'
import { memberList, nodeExited, ProtocolError, type Rpc } from '@atoll/protocol'
import { expect, it } from 'vitest'
import { ExitNotices } from './exit-notices.ts'
import type { NodeProcess } from './node-process.ts'

const BROKER = nodeId('broker-1')
const coordinators = [1, 2, 3].map(n => ({
  plan: { name: `c-${n}`, role: 'coordinator' },
  isBound: true,
  state: 'running',
})) as unknown as NodeProcess[]

/** Coordinators of which the second leads; it answers what `registry` says, and `heard` has what it was told. */
function scene(registry: () => { readonly state: string; readonly epoch: number }) {
  const heard: unknown[] = []
  const answer = (coordinator: NodeProcess, message: Rpc, request: unknown): unknown => {
    if (message === memberList) return { revision: 9, members: [{ name: BROKER, ...registry() }] }
    if (message !== nodeExited || coordinator !== coordinators[1]) throw new ProtocolError('not_leader')
    heard.push(request)
    return {}
  }
  const ask = async (...asked: Parameters<typeof answer>): Promise<never> => answer(...asked) as never
  return { heard, notices: new ExitNotices({ ask, nodes: () => coordinators, log: silentLogger as Logger, isStopping: () => false }) }
}

it('[CT9] names the registration of the process that ended, to whoever leads, until it is over', async () => {
  const { heard, notices } = scene(() => ({ state: heard.length < 2 ? 'active' : 'fenced', epoch: 7 }))
  await notices.tell(BROKER, () => true)
  expect(heard).toEqual([
    { node: BROKER, epoch: 7 },
    { node: BROKER, epoch: 7 },
  ])
})

it('says nothing of a node that has stopped in order, nor of one that runs again', async () => {
  const stopped = scene(() => ({ state: 'stopped', epoch: 7 }))
  await stopped.notices.tell(BROKER, () => true)
  let looks = 0
  const again = scene(() => ({ state: 'active', epoch: 8 }))
  await again.notices.tell(BROKER, () => ++looks === 1)
  expect([stopped.heard, again.heard]).toEqual([[], []])
})
