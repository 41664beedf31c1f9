// Rule RP33: consumers that wait.
import { describe, expect, it } from 'vitest'
import { FETCHES_WAITING_MAX } from './limits.ts'
import { WaitingFetches } from './waiting-fetches.ts'

const fetch = (fetchId: number, partitions: readonly string[], bytesMin = 1, deadlineMs = 500) => ({
  fetchId,
  partitions,
  bytesMin,
  deadlineMs,
})

describe('waiting fetches', () => {
  it('[RP33] are answered when their partitions have enough more, together', () => {
    const waiting = new WaitingFetches<string>()
    waiting.add(fetch(1, ['a', 'b'], 100))
    waiting.add(fetch(2, ['b'], 10))
    expect(waiting.advanced('c', 1_000)).toEqual([])
    expect(waiting.advanced('a', 60)).toEqual([])
    expect(waiting.advanced('b', 40)).toEqual([1, 2])
    expect(waiting.length).toBe(0)
    expect(waiting.advanced('b', 40)).toEqual([])
  })

  it('[RP33] are answered when their time is up, in its order, without a timer for each', () => {
    const waiting = new WaitingFetches<string>()
    const deadlines = [500, 100, 300, 200, 400]
    deadlines.forEach((deadlineMs, index) => waiting.add(fetch(index, ['a'], 1, deadlineMs)))
    expect(waiting.nextDeadlineMs).toBe(100)
    expect(waiting.expired(99)).toEqual([])
    expect(waiting.expired(300)).toEqual([1, 3, 2])
    expect(waiting.nextDeadlineMs).toBe(400)
    waiting.remove(4)
    expect(waiting.expired(1_000)).toEqual([0])
    expect(waiting.nextDeadlineMs).toBe(Number.POSITIVE_INFINITY)
  })

  it('[RP33] are answered when a partition changes its leader', () => {
    const waiting = new WaitingFetches<string>()
    waiting.add(fetch(1, ['a'], 1_000_000))
    expect(waiting.disturbed('a')).toEqual([1])
  })

  it('[RP33] are bounded: one too many is answered at once', () => {
    const waiting = new WaitingFetches<string>()
    for (let fetchId = 0; fetchId < FETCHES_WAITING_MAX; fetchId++) expect(waiting.add(fetch(fetchId, ['a']))).toBe(true)
    expect(waiting.add(fetch(FETCHES_WAITING_MAX, ['a']))).toBe(false)
    waiting.expired(500)
    expect(waiting.add(fetch(FETCHES_WAITING_MAX, ['a']))).toBe(true)
  })
})
