// Bugs planted into the replica or the controller must be caught by the seeds that the real ones pass, within a fixed budget.
import * as broker from '@atoll/broker'
import { describe, expect, it } from 'vitest'
import { loadMutated, type Mutation } from '../mutation.ts'
import type { PartitionModule } from './cluster.ts'
import type { ControllerBugs } from './controller.ts'
import { torture } from './torture.ts'

/** Each bug has to show within so many seeds. */
const SEEDS = Array.from({ length: 25 }, (_, index) => index + 1)

const edit = (file: string, find: string, replace: string) => ({ file: `packages/broker/src/partition/${file}.ts`, find, replace })

const bugs: readonly Mutation[] = [
  {
    name: 'truncates to its high watermark',
    edits: [
      edit(
        'following',
        'state.log.forgetEmptyEpochs()',
        "state.log.forgetEmptyEpochs()\n    if (state.log.logEnd > state.highWatermark) state.outbox.cut = { kind: 'truncate', to: state.highWatermark }",
      ),
    ],
  },
  {
    name: 'commits with an ISR below the minimum',
    edits: [edit('leading', 'return this.#isr.committed.size < Math.min', 'return this.#isr.committed.size < 0 * Math.min')],
  },
  {
    name: 'counts what followers have received instead of what they have on disk',
    edits: [
      edit(
        'follower-progress',
        'this.synced(durableEnd, leaderEnd, now)',
        'this.synced(fetchOffset && durableEnd && fetchOffset, leaderEnd, now)',
      ),
    ],
  },
  {
    name: 'counts its own log end instead of its durable end',
    edits: [edit('leading', 'commonDurableEnd(log.durableEnd,', 'commonDurableEnd(log.logEnd,')],
  },
  {
    name: 'forgets what producers wrote when the leader changes',
    edits: [
      edit('following', 'for (const header of taken) producers.appended(header, header.baseOffset, now)', 'void producers, void now'),
    ],
  },
  {
    name: 'keeps the producers of what was cut away',
    edits: [edit('replica', 'this.#state.producers = producers\n', 'void producers\n')],
  },
  {
    name: 'lets followers copy on where the logs have parted',
    edits: [
      edit('fetch-check', 'if (end.epoch < lastFetchedEpoch || end.end < fetchOffset)', 'if (end.epoch < -1 && end.end < fetchOffset)'),
    ],
  },
  {
    name: 'shows consumers what is not committed',
    edits: [
      edit('replica', 'if (from >= highWatermark) return', 'if (from >= log.logEnd) return'),
      edit('replica', 'return this.#read(from, highWatermark, bytesMax)', 'return this.#read(from, log.logEnd, bytesMax)'),
    ],
  },
]

const controllerBugs: readonly (readonly [string, ControllerBugs])[] = [
  ['elects from outside of the ISR', { electsOutsideIsr: true }],
  ['keeps the epochs of a broker that restarted at once', { keepsEpochAfterRestart: true }],
]

/** The first violation in any seed; undefined if there is none. */
function firstViolation(module: PartitionModule, options: { readonly bugs?: ControllerBugs } = {}): string | undefined {
  for (const seed of SEEDS) {
    const [violation] = torture(module, seed, options).violations
    if (violation !== undefined) return `seed ${seed}: ${violation}`
  }
  return undefined
}

describe('planted bugs', () => {
  it.each(bugs.map(bug => [bug.name, bug] as const))('[RP42] a replica that %s is caught', async (_name, bug) => {
    expect(firstViolation(await loadMutated<PartitionModule>('packages/broker/src/partition/index.ts', bug))).toMatch(/^seed/)
  })

  it.each(controllerBugs)('[RP13] [RP14] [RP42] a controller that %s is caught', (_name, bugs) => {
    expect(firstViolation(broker, { bugs })).toMatch(/^seed/)
  })
})
