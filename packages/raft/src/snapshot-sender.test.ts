// Chunks on their way to one peer.
import { describe, expect, it } from 'vitest'
import { founders } from './scripted-server.ts'
import { defaultSettings } from './settings.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'
import { SnapshotSender } from './snapshot-sender.ts'
import { logIndex, term } from './terms.ts'

const settings = { ...defaultSettings, snapshotChunkBytes: 10, snapshotChunksInflightMax: 2 }
const snapshot = (index: number, sizeBytes: number) => ({ index: logIndex(index), term: term(1), configuration: founders(3), sizeBytes })
const chunk = (of: ReturnType<typeof snapshot>, offset: number, lengthBytes: number, leaderTerm = 1) =>
  ({ kind: 'snapshot_chunk', term: term(leaderTerm), snapshot: of, offset, lengthBytes }) as const

describe('SnapshotSender', () => {
  it('[RA60] keeps no more than the window in flight', () => {
    const sender = new SnapshotSender(snapshot(9, 35), settings, 0)
    expect(sender.nextChunks(0)).toEqual([
      { offset: 0, lengthBytes: 10 },
      { offset: 10, lengthBytes: 10 },
    ])
    expect(sender.nextChunks(1)).toEqual([])
    sender.answered(10, 2)
    expect(sender.nextChunks(2)).toEqual([{ offset: 20, lengthBytes: 10 }])
    sender.answered(30, 3)
    expect(sender.nextChunks(3)).toEqual([{ offset: 30, lengthBytes: 5 }])
  })

  it('[RA60] sends again from the last answer when none comes', () => {
    const sender = new SnapshotSender(snapshot(9, 35), settings, 0)
    sender.nextChunks(0)
    sender.answered(10, 5)
    sender.nextChunks(5)
    expect(sender.nextChunks(400).map(({ offset }) => offset)).toEqual([10, 20])
  })

  it('[RA60] sends an empty snapshot as one empty chunk', () => {
    expect(new SnapshotSender(snapshot(9, 0), settings, 0).nextChunks(0)).toEqual([{ offset: 0, lengthBytes: 0 }])
  })
})

describe('SnapshotReceiver', () => {
  it('[RA62] begins anew with a newer snapshot, and ignores what is left of the older', () => {
    const receiver = new SnapshotReceiver()
    expect(receiver.accept(chunk(snapshot(5, 20), 0, 10))).toBe(true)
    expect(receiver.accept(chunk(snapshot(9, 10), 0, 10))).toBe(true)
    expect(receiver.accept(chunk(snapshot(5, 20), 10, 10))).toBe(false)
    expect(receiver.takeComplete()?.index).toBe(9)
    expect(receiver.takeComplete()).toBeUndefined()
  })

  it('[RA62] begins anew with another leader, whose bytes may differ', () => {
    const receiver = new SnapshotReceiver()
    receiver.accept(chunk(snapshot(5, 20), 0, 10, 1))
    expect(receiver.accept(chunk(snapshot(5, 20), 10, 10, 2))).toBe(false)
    expect(receiver.accept(chunk(snapshot(5, 20), 0, 10, 2))).toBe(true)
  })
})
