// How what is asked becomes inputs of the core.
import type { Clock, MonotonicMs } from '@atoll/base'
import { BATCH_BYTES_MAX, ENTRY_OVERHEAD_BYTES, logIndex, term } from '@atoll/raft'
import { describe, expect, it } from 'vitest'
import { Callers } from './callers.ts'
import { COMMAND_BYTES_MAX } from './core/index.ts'
import { BATCHES_UNDER_WAY_MAX } from './limits.ts'
import type { Untimed } from './raft-driver.ts'

/** Callers and the core they ask, of which every batch is accepted where the one before ended. */
class Scene {
  readonly batches: (readonly Uint8Array[])[] = []
  readonly refused: unknown[] = []
  readonly callers: Callers<number>
  accepts = true
  #turn: (() => void)[] = []
  #end = 0

  constructor() {
    const clock: Clock = {
      monotonicMs: () => 0 as MonotonicMs,
      wallMs: () => 0 as never,
      after: () => ({ cancel() {} }),
      endOfTurn: task => void this.#turn.push(task),
    }
    this.callers = new Callers(clock, 0, input => this.#input(input))
  }

  /** One turn, in which commands of these sizes are proposed. */
  turn(...sizes: number[]): this {
    for (const size of sizes)
      this.callers.propose(new Uint8Array(size), 1_000).catch((error: unknown) => {
        this.refused.push(error)
      })
    for (const task of this.#turn.splice(0)) task()
    return this
  }

  get sizes(): number[][] {
    return this.batches.map(batch => batch.map(({ byteLength }) => byteLength))
  }

  #input(input: Untimed): void {
    if (input.kind !== 'propose') return
    const { proposalId, commands } = input
    this.batches.push(commands)
    const at = { firstIndex: logIndex(this.#end + 1), lastIndex: logIndex(this.#end + commands.length), term: term(1) }
    if (this.accepts) this.callers.answered({ kind: 'accepted', proposalId, ...at })
    else this.callers.answered({ kind: 'refused', proposalId, reason: 'not_leader', leader: undefined })
    this.#end += commands.length
  }
}

describe('what is proposed', () => {
  it('[SV19] in one turn makes one batch; while batches are under way the next one grows', () => {
    const scene = new Scene().turn(10, 20, 30).turn(40)
    expect(scene.sizes).toEqual([[10, 20, 30], [40]])
    expect(BATCHES_UNDER_WAY_MAX).toBe(2)
    scene.turn(50).turn(60, 70).turn()
    expect(scene.sizes).toHaveLength(2)
    scene.callers.appliedThrough(2)
    expect(scene.turn().sizes).toHaveLength(2)
    scene.callers.appliedThrough(3)
    expect(scene.turn().sizes.at(-1)).toEqual([50, 60, 70])
  })

  it('[SV19] in batches that Raft takes, however large or many the commands are', () => {
    const tiny = Array.from({ length: 5_000 }, () => 50)
    const scene = new Scene().turn(...tiny, COMMAND_BYTES_MAX, ...tiny)
    expect(scene.sizes.flat()).toEqual([...tiny, COMMAND_BYTES_MAX, ...tiny])
    for (const batch of scene.sizes)
      expect(batch.reduce((sum, size) => sum + size + ENTRY_OVERHEAD_BYTES, 0)).toBeLessThanOrEqual(BATCH_BYTES_MAX)
  })

  it('[SV19] and waits is refused when the leadership is lost', async () => {
    const scene = new Scene().turn(1).turn(2).turn(3, 4)
    scene.accepts = false
    scene.callers.abandon()
    scene.turn()
    await Promise.resolve()
    await Promise.resolve()
    expect(scene.refused).toMatchObject([
      { code: 'leadership_lost' },
      { code: 'leadership_lost' },
      { code: 'no_leader' },
      { code: 'no_leader' },
    ])
  })
})
