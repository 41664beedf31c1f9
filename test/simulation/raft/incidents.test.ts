// What happened to other systems, and does not happen here. The B numbers are those of our list of bug classes found in them.
import * as raft from '@atoll/raft'
import { describe, expect, it } from 'vitest'
import * as stories from './scenarios.ts'

describe('incidents', () => {
  it('[RA4] B6: pauses and a power loss leave one history', () => expect(stories.pausesAndPowerLoss(raft)).toEqual([]))
  it('[RA72] B8: a damaged snapshot is refilled, and nothing is deleted for it', () => expect(stories.damagedSnapshot(raft)).toEqual([]))
  it('[RA40] B10: changes of membership under cuts and crashes lose nothing', () => expect(stories.changesUnderFire(raft)).toEqual([]))
  it('[RA12] B11: an old leader that wakes up does no harm', () => expect(stories.twoLeaders(raft)).toEqual([]))
  it('[RA62] B12: a crash at any step of a snapshot leaves no gap', () => expect(stories.crashesInSnapshots(raft)).toEqual([]))
  it('[RA30] B20: a paused leader serves no stale read', () => expect(stories.pausedReader(raft)).toEqual([]))
  it('[RA62] B25: two snapshots in quick succession', () => expect(stories.twoSnapshots(raft)).toEqual([]))
  it('[RA70] [RA71] B26: a leader whose disk hangs or is full makes way', () => expect(stories.zombieLeader(raft)).toEqual([]))
  it('[RA12] B27: partial partitions end with one leader that stays', () => expect(stories.partialPartitions(raft)).toEqual([]))
  it('[RA73] B28: a wiped voter is replaced under its new identity', () => expect(stories.wipedVoter(raft)).toEqual([]))
  it('[RA14] a server in a later term finds its way back', () => expect(stories.stuckInLaterTerm(raft)).toEqual([]))
  it('[RA44] a removal that is open does not stop a cluster of two', () => expect(stories.removalLeftOpen(raft)).toEqual([]))
})
