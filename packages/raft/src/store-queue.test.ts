// Which writes count as durable.
import { describe, expect, it } from 'vitest'
import { makeBatch } from './raft-log.ts'
import { StoreQueue } from './store-queue.ts'
import { logIndex, term } from './terms.ts'

const write = (id: number, at: number, of: number) => ({
  id,
  hardState: undefined,
  install: undefined,
  batches: [makeBatch(term(of), logIndex(at), [{ kind: 'empty' }])],
  thenSend: [],
})

describe('StoreQueue', () => {
  it('[RA4] the first of three writes to one index does not make the third durable', () => {
    const queue = new StoreQueue()
    queue.add(write(1, 5, 1), 0)
    queue.add(write(2, 5, 2), 0)
    queue.add(write(3, 5, 1), 0)
    queue.finished(1)
    expect(queue.durableIndex(logIndex(5))).toBe(4)
    queue.finished(2)
    expect(queue.durableIndex(logIndex(5))).toBe(4)
    queue.finished(3)
    expect(queue.durableIndex(logIndex(5))).toBe(5)
  })

  it('[RA5] a report that overtakes counts when those before it came', () => {
    const queue = new StoreQueue()
    queue.add(write(1, 5, 1), 0)
    queue.add(write(2, 6, 1), 0)
    expect(queue.finished(2)).toEqual([])
    expect(queue.durableIndex(logIndex(6))).toBe(4)
    expect(queue.finished(1).map(({ id }) => id)).toEqual([1, 2])
    expect(queue.durableIndex(logIndex(6))).toBe(6)
  })
})
