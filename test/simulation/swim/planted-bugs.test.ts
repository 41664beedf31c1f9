// Bugs planted into the core must be caught by the scenarios that the real core passes, within the same few seeds.
import * as swim from '@atoll/swim'
import { describe, expect, it } from 'vitest'
import { loadMutated, type Mutation } from '../mutation.ts'
import type { SwimModule } from './cluster.ts'
import { oneAccuserNeedsPatience, probingIsFair, torture } from './torture.ts'

const SEEDS = Array.from({ length: 24 }, (_, index) => index + 1)
const FAIRNESS_SEEDS = [1, 2]

const edit = (file: string, find: string, replace: string) => ({ file: `packages/swim/src/${file}`, find, replace })
const load = (mutation: Mutation) => loadMutated<SwimModule>('packages/swim/src/index.ts', mutation)

const droppedRefutation: Mutation = {
  name: 'a dropped refutation',
  edits: [
    edit(
      'membership.ts',
      'if (this.#self.leaving || !isAttainable(update.incarnation)) return undefined',
      "if (this.#self.leaving || update.state !== 'alive') return undefined",
    ),
  ],
}

const bugs: readonly Mutation[] = [
  droppedRefutation,
  {
    name: 'an incarnation not raised',
    edits: [edit('self-record.ts', 'Math.max(this.#incarnation, claimed) + 1', 'Math.max(this.#incarnation, claimed)')],
  },
  {
    name: 'gossip to the dead forgotten',
    edits: [edit('gossiper.ts', 'const member = list.randomDead()', 'const member = undefined')],
  },
  {
    name: 'a probe list not shuffled',
    edits: [edit('probe-schedule.ts', 'shuffle(this.#order, this.#random)', '')],
  },
  {
    name: 'a suspicion not ended by its refutation',
    edits: [edit('member-list.ts', 'this.#suspects.delete(member)', '')],
  },
  {
    name: 'an accuser counted each time it repeats itself',
    edits: [
      edit('suspicion.ts', 'if (this.#accusers.has(accuser)) return false', ''),
      edit('suspicion.ts', 'this.#accusers.add(accuser)', 'this.#accusers.add(accuser + this.#accusers.size)'),
    ],
  },
  {
    name: 'a death that outranks a later sign of life',
    edits: [
      edit(
        'precedence.ts',
        'if (claim.incarnation !== known.incarnation)',
        "if (claim.state === 'dead') return known.state !== 'dead'\n  if (claim.incarnation !== known.incarnation)",
      ),
    ],
  },
  {
    name: 'an own pause not noticed',
    edits: [edit('own-clock.ts', 'pausedMs > LATE_MS ? pausedMs : 0', '0')],
  },
  {
    name: 'a farewell not told',
    edits: [
      edit(
        'swim.ts',
        'this.#gossiper.tellDirectly(this.#self.update(), FAREWELLS_MAX)\n    this.#rumours.tell(this.#self.update(), true)',
        '',
      ),
    ],
  },
]

/** The first violation in any scenario and seed; undefined if there is none. */
function firstViolation(module: SwimModule, mute: SwimModule): string | undefined {
  for (const seed of FAIRNESS_SEEDS) {
    const [violation] = [...oneAccuserNeedsPatience(module, mute, seed), ...probingIsFair(module, seed)]
    if (violation !== undefined) return `seed ${seed}: ${violation}`
  }
  for (const seed of SEEDS) {
    const [violation] = torture(module, seed)
    if (violation !== undefined) return `seed ${seed}: ${violation}`
  }
  return undefined
}

describe('planted bugs', async () => {
  const mute = await load(droppedRefutation)

  it('[SW74] [SW75] [SW76] [SW20] without one, every scenario and seed passes', () => {
    expect(firstViolation(swim, mute)).toBeUndefined()
  })

  it.each(bugs.map(bug => [bug.name, bug] as const))('%s is caught', async (_name, bug) => {
    expect(firstViolation(await load(bug), mute)).toMatch(/^seed/)
  })

  it('cannot be planted where the source has changed', async () => {
    const gone: Mutation = { name: 'nothing', edits: [edit('swim.ts', 'no such line', '')] }
    await expect(load(gone)).rejects.toThrow('occurs 0 times')
    const elsewhere: Mutation = { name: 'nothing', edits: [edit('../../base/src/wait.test.ts', 'x', '')] }
    await expect(load(elsewhere)).rejects.toThrow('does not import')
  })
})
