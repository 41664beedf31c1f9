// A request of the peer's, by itself: its signal and its deadline.
import type { Incarnation } from '@atoll/base'
import { nodeId } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { Deadlines } from './deadlines.ts'
import { ProtocolError } from './errors.ts'
import { FakeClock } from './fakes.ts'
import { ServedRequest } from './served-request.ts'

const peer = { node: nodeId('peer'), role: 'client', incarnation: 0 as Incarnation, version: 1, remote: '' }

function served(deadlineMs: number) {
  const clock = new FakeClock()
  return { clock, request: new ServedRequest(peer, new Deadlines(clock), () => clock.monotonicMs(), deadlineMs) }
}

describe('a served request', () => {
  it('[RQ3] aborts its signal when the deadline passes, and needs no timer when nobody asked for one', () => {
    const { clock, request } = served(100)
    expect(clock.timerCount).toBe(0)
    clock.advance(40)
    expect(request.remainingMs()).toBe(60)
    const { signal } = request
    clock.advance(59)
    expect(signal.aborted).toBe(false)
    clock.advance(10)
    expect(signal.reason).toMatchObject({ code: 'request_timed_out' })
    expect(request.remainingMs()).toBe(0)
    expect(clock.timerCount).toBe(0)
  })

  it('[RQ3] without a deadline has all the time there is', () => {
    const { clock, request } = served(0)
    expect(request.remainingMs()).toBe(Number.POSITIVE_INFINITY)
    expect(request.signal.aborted).toBe(false)
    expect(clock.timerCount).toBe(0)
  })

  it('[RQ4] that was given up has an aborted signal, also for who asks later', () => {
    const { request } = served(100)
    const gone = new ProtocolError('request_cancelled')
    request.giveUp(gone)
    request.giveUp(new ProtocolError('connection_lost'))
    expect(request.signal.reason).toBe(gone)
  })

  it('[RQ9] that was answered sets no timer and aborts nothing any more', () => {
    const { clock, request } = served(100)
    request.answered()
    expect(request.signal.aborted).toBe(false)
    expect(clock.timerCount).toBe(0)
    request.giveUp(new ProtocolError('connection_lost'))
    expect(request.signal.aborted).toBe(false)
  })
})
