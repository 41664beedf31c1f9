// Rules RE1 to RE4: revisions never go back.
import { seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { randomExecution } from './linearizability/random-execution.ts'
import { storeSystem } from './linearizability/random-systems.ts'
import type { Operation } from './operation.ts'
import { checkRevisions, type RevisionSeen } from './revisions.ts'
import { type Line, script } from './script.ts'

const read = ({ output }: Operation) => output as RevisionSeen
const get = (at: Line['at'], revision: number, keyRevision?: number, key = 'k'): Line => ({
  f: 'get',
  at,
  key,
  output: { revision, wrote: false, keyRevision },
})
const put = (at: Line['at'], revision: number): Line => ({ f: 'put', at, output: { revision, wrote: true } })
const found = (...lines: readonly Line[]) => checkRevisions(script(...lines), read).violations.map(({ rule }) => rule)

describe('revisions', () => {
  it('[RE1] of the store never go back in real time, and may differ while concurrent', () => {
    expect(found(get([0, 1], 4), get([2, 3], 4), get([4, 5], 9))).toEqual([])
    expect(found(get([0, 1], 4), get([2, 3], 3))).toEqual(['revision went back'])
    expect(found(get([0, 3], 4), get([2, 5], 3))).toEqual([])
    // Behind the greatest, not only behind the one before.
    expect(found(get([0, 1], 9), get([0, 3], 2), get([4, 5], 5))).toEqual(['revision went back'])
  })

  it('[RE2] are written once, and not before they are seen', () => {
    expect(found(put([0, 1], 4), get([2, 3], 4), put([4, 5], 5))).toEqual([])
    expect(found(put([0, 3], 4), put([2, 5], 4))).toEqual(['revision written twice'])
    expect(found(get([0, 1], 4), put([2, 3], 4))).toEqual(['write without a new revision'])
  })

  it('[RE3] of a key never go back, nor pass the store', () => {
    expect(found(get([0, 1], 9, 4), get([2, 3], 9, 4), get([4, 5], 9, 1, 'other'))).toEqual([])
    expect(found(get([0, 1], 9, 4), get([2, 3], 9, 3))).toEqual(['key revision went back'])
    expect(found(get([0, 1], 3, 4))).toEqual(['key revision ahead of the store'])
  })

  it('[RE4] accepts a correct store', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const history = randomExecution(seededRandom(seed), storeSystem(4), { processes: 8, operations: 200, lost: 0.02 })
      const seen = ({ f, output }: Operation): RevisionSeen => {
        const { revision, entry } = output as { revision: number; entry?: { modRevision: number } | null }
        return { revision, wrote: f === 'put', keyRevision: entry?.modRevision }
      }
      expect(checkRevisions(history, seen), `seed ${seed}`).toEqual({ violations: [], count: 0 })
    }
  })
})
