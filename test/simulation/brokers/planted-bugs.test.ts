// Bugs planted into brokers and the controller must be caught by the seeds that the real ones pass, within a fixed budget.
// Those of the partition alone are planted in `test/simulation/partition`; here whole processes have to show them.
import type * as sim from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { loadMutated, type Mutation } from '../mutation.ts'

interface Planted extends Mutation {
  /** It has to show within so many seeds, from the first on. */
  readonly seeds: number
  /** What gives it away. */
  readonly caught: RegExp
}

const hashes = await createSimHashes()
const edit = (file: string, find: string, replace: string) => ({ file: `packages/${file}.ts`, find, replace })

const bugs: readonly Planted[] = [
  {
    name: 'truncates to its high watermark',
    seeds: 3,
    caught: /leads .* without .*, committed at/,
    edits: [
      edit(
        'broker/src/partition/following',
        'state.log.forgetEmptyEpochs()',
        "state.log.forgetEmptyEpochs()\n    if (state.log.logEnd > state.highWatermark) state.outbox.cut = { kind: 'truncate', to: state.highWatermark }",
      ),
    ],
  },
  {
    name: 'acknowledges with an ISR of one',
    seeds: 1,
    caught: /with only broker-\d having it on disk/,
    edits: [
      edit('broker/src/partition/leading', 'return this.#isr.committed.size < Math.min', 'return this.#isr.committed.size < 0 * Math.min'),
    ],
  },
  {
    name: 'counts its own log end instead of its durable end',
    seeds: 1,
    caught: /with \d+ on its own disk/,
    edits: [edit('broker/src/partition/leading', 'commonDurableEnd(log.durableEnd,', 'commonDurableEnd(log.logEnd,')],
  },
  {
    name: 'forgets what producers wrote when the leader changes',
    seeds: 1,
    caught: /out_of_order_sequence|twice/,
    edits: [
      edit(
        'broker/src/partition/following',
        'for (const header of taken) producers.appended(header, header.baseOffset, now)',
        'void producers, void now',
      ),
    ],
  },
  {
    name: 'elects from outside of the ISR',
    seeds: 1,
    caught: /leads .* without .*, committed at/,
    edits: [
      edit(
        'coordinator/src/core/topics/settle',
        'const isr = known(partition.isr)',
        'const isr = known(partition.replicas.map(node => partition.isr.find(one => one.node === node) ?? { node, epoch: brokers.get(node)?.epoch ?? partition.isr[0]!.epoch }))',
      ),
    ],
  },
  {
    name: 'keeps the epoch of a leader that restarted at once',
    seeds: 2,
    caught: /in which broker-\d@\d+ led/,
    edits: [
      edit(
        'coordinator/src/core/topics/settle',
        'return { leader, leaderEpoch: nextEpoch(before) }',
        'return { leader, leaderEpoch: before.leader === undefined || leader === undefined ? before.leaderEpoch : nextEpoch(before) }',
      ),
    ],
  },
]

/** The first violation in any of the seeds; undefined if there is none. */
async function firstViolation({ seeds, ...mutation }: Planted): Promise<string | undefined> {
  const mutant = await loadMutated<typeof sim>('packages/sim/src/index.ts', mutation)
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await mutant.runBrokersSeed(seed, hashes)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  return undefined
}

describe('planted bugs', () => {
  it.each(bugs.map(bug => [bug.name, bug] as const))('[BS4] a cluster that %s is caught', async (_name, bug) => {
    expect(await firstViolation(bug)).toMatch(bug.caught)
  })
})
