// What goes to the controller in one request, and what becomes of its answers, against a client that the test plays.
import { nodeId, silentLogger } from '@atoll/base'
import { AtollError, type Client } from '@atoll/client/core'
import { type ErrorCode, errorRows, type Revision } from '@atoll/protocol'
import type { LeaderEpoch } from '@atoll/records'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../kafka/fakes.ts'
import { ControllerCalls } from './controller-calls.ts'

interface Asked {
  readonly message: string
  readonly request: { readonly changes?: readonly object[]; readonly partitions?: readonly object[]; readonly lost?: boolean }
}

function scene(outcomes: readonly (ErrorCode | 'done')[] | 'nobody', epoch: number | 'none' = 7) {
  const asked: Asked[] = []
  const clock = new FakeClock()
  const client = {
    request: async (message: { readonly name: string }, request: Asked['request']) => {
      asked.push({ message: message.name, request })
      if (outcomes === 'nobody') throw new AtollError('request_timed_out', 'no answer', { operation: message.name })
      const rows = outcomes.map(outcome => ({ code: outcome === 'done' ? 0 : errorRows[outcome].code, leaderEpoch: 1, partitionEpoch: 1 }))
      return { outcomes: rows }
    },
  } as unknown as Client
  const calls = new ControllerCalls({
    self: nodeId('broker-1'),
    clock,
    log: silentLogger,
    client,
    epoch: () => (epoch === 'none' ? undefined : (epoch as Revision)),
  })
  /** Lets what one turn brought go out. */
  const turn = (): void => clock.advance(1)
  return { calls, asked, turn }
}

const proposal = { leaderEpoch: 1 as LeaderEpoch, partitionEpoch: 3, isr: [{ node: nodeId('broker-1'), brokerEpoch: 7 }] }

describe('what is asked of the controller', () => {
  it('[BK15] goes in one request for all that one turn brings, and each partition hears what became of it', async () => {
    const { calls, asked, turn } = scene(['done', 'partition_changed', 'replica_not_eligible', 'fenced_leader_epoch', 'unknown_partition'])
    const answers = Promise.all([0, 1, 2, 3, 4].map(partition => calls.propose(`00ff/${partition}`, proposal)))
    turn()
    const refusals = (await answers).map(({ refusal }) => refusal)
    expect(refusals).toEqual([undefined, 'stale', 'ineligible', 'deposed', 'deposed'])
    expect(asked.map(({ message, request }) => [message, request.changes?.length])).toEqual([['isr_change', 5]])
  })

  it('[BK15] is unavailable when nobody knows what became of it, and is not asked without a registration', async () => {
    const lost = scene('nobody')
    const answer = lost.calls.propose('00ff/0', proposal)
    lost.turn()
    expect(await answer).toEqual({ leaderEpoch: 1, refusal: 'unavailable', assignment: undefined })
    const fenced = scene(['done'], 'none')
    const refused = fenced.calls.propose('00ff/0', proposal)
    fenced.turn()
    expect([(await refused).refusal, fenced.asked]).toEqual(['unavailable', []])
  })

  it('[BK15] is said once for each partition that resigns, and in bounded parts of what was lost', async () => {
    const { calls, asked, turn } = scene(['done'])
    for (const _ of [1, 2, 3]) calls.resign('00ff/0', 'disk_stuck')
    calls.resign('00ff/1', 'disk_stuck')
    turn()
    await calls.lost(
      7 as Revision,
      Array.from({ length: 200 }, (_, n) => `00ff/${n}` as const),
    )
    expect(asked.map(({ message, request }) => [message, request.lost, request.partitions?.length])).toEqual([
      ['replicas_yield', true, 128],
      ['replicas_yield', false, 2],
      ['replicas_yield', true, 72],
    ])
  })
})
