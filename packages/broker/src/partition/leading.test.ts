// Rules that a leader shows by itself.
import { describe, expect, it } from 'vitest'
import { PRODUCES_WAITING_MAX } from './limits.ts'
import { MemoryLog } from './memory-log.ts'
import { at, batchOf, epoch, logOf, node, ScriptedReplica } from './scripted-replica.ts'

const produced = (firstOffset: number) => expect.objectContaining({ kind: 'produced', firstOffset })

describe('the high watermark', () => {
  it('[RP5] is what every in-sync replica has on disk, the leader included', () => {
    const leader = new ScriptedReplica().lead()
    leader.produce()
    leader.produce()
    leader.fetchFrom(2, 2)
    leader.fetchFrom(3, 1)
    expect(leader.replica.highWatermark).toBe(0)
    leader.sync()
    expect(leader.replica.highWatermark).toBe(1)
    leader.fetchFrom(3, 2)
    expect(leader.replica.highWatermark).toBe(2)
  })

  it('[RP5] [RP27] waits for disks, not for arrivals: received is not kept', () => {
    const leader = new ScriptedReplica().lead()
    const request = leader.produce()
    leader.sync()
    leader.fetchFrom(2, 1, { durableEnd: at(0) })
    leader.fetchFrom(3, 1, { durableEnd: at(0) })
    expect(leader.answerTo(request)).toBeUndefined()
    const report = { kind: 'follower_durable', leaderEpoch: epoch(1), durableEnd: at(1) } as const
    leader.do({ ...report, follower: node(2), brokerEpoch: 20 })
    leader.do({ ...report, follower: node(3), brokerEpoch: 30 })
    expect(leader.answerTo(request)).toEqual(produced(0))
  })

  it('[RP5] with the page cache trusted counts what has arrived', () => {
    const leader = new ScriptedReplica({ log: new MemoryLog({ trustsPageCache: true }) }).lead()
    const request = leader.produce()
    leader.fetchFrom(2, 1)
    leader.fetchFrom(3, 1)
    expect(leader.answerTo(request)).toEqual(produced(0))
  })

  it('[RP6] never moves back, and a new leader begins with its own', () => {
    const replica = new ScriptedReplica().follow(2, 1)
    replica.copy([{}, {}, {}], 2)
    expect(replica.replica.highWatermark).toBe(2)
    replica.copy([], 1)
    expect(replica.replica.highWatermark).toBe(2)
    replica.sync()
    replica.lead(2)
    expect(replica.replica.highWatermark).toBe(2)
    replica.fetchFrom(2, 1)
    replica.fetchFrom(3, 1)
    expect(replica.replica.highWatermark).toBe(2)
  })

  it('[RP6] reaches a follower with the next answer, as far as its log goes', () => {
    const follower = new ScriptedReplica().follow()
    follower.copy([{}, {}], 7)
    expect(follower.replica.highWatermark).toBe(2)
  })

  it('[RP7] stands still while fewer than the minimum are in sync', () => {
    const leader = new ScriptedReplica({ minInSyncReplicas: 2 }).lead(1, [1])
    leader.produce({}, 'leader')
    leader.sync()
    expect(leader.replica.highWatermark).toBe(0)
    leader.assign(1, 1, [1, 2])
    leader.fetchFrom(2, 1)
    expect(leader.replica.highWatermark).toBe(1)
  })

  it('[RP7] asks for no more replicas than the partition has', () => {
    const leader = new ScriptedReplica({ minInSyncReplicas: 2 }).assign(1, 1, [1], { replicas: [node(1)] })
    leader.produce()
    leader.sync()
    expect(leader.replica.highWatermark).toBe(1)
  })
})

describe('the in-sync set', () => {
  it('[RP8] takes in who has all that is committed, and all that earlier leaders wrote', () => {
    const leader = new ScriptedReplica({ log: logOf(0, 0, 0) }).lead(1, [1, 2])
    expect(leader.fetchFrom(3, 2)).toEqual({ kind: 'accepted' })
    expect(leader.last?.proposal).toBeUndefined()
    leader.fetchFrom(3, 3, { durableEnd: at(2) })
    expect(leader.last?.proposal).toBeUndefined()
    leader.fetchFrom(3, 3)
    expect(leader.last?.proposal?.isr.map(member => member.node)).toEqual([node(1), node(2), node(3)])
  })

  it('[RP8] takes in nobody who is fenced, or fetches under another registration than its current one', () => {
    const leader = new ScriptedReplica().lead(1, [1, 2])
    leader.fenced.add(node(3))
    leader.fetchFrom(3, 0)
    expect(leader.last?.proposal).toBeUndefined()
    leader.fenced.clear()
    leader.brokerEpochs.set(node(3), 31)
    leader.do({ kind: 'brokers_changed' })
    expect(leader.last?.proposal).toBeUndefined()
    leader.fetchFrom(3, 0)
    expect(leader.last?.proposal?.isr.at(-1)).toEqual({ node: node(3), brokerEpoch: 31 })
  })

  it('[RP8] forgets what a follower had before it registered anew', () => {
    const leader = new ScriptedReplica({ log: logOf(0, 0) }).lead(1, [1, 2])
    leader.fenced.add(node(3))
    leader.fetchFrom(3, 2)
    leader.fenced.clear()
    leader.brokerEpochs.set(node(3), 31)
    leader.fetchFrom(3, 0)
    expect(leader.last?.proposal).toBeUndefined()
    leader.do({ kind: 'follower_durable', follower: node(3), brokerEpoch: 30, leaderEpoch: epoch(1), durableEnd: at(2) })
    expect(leader.last?.proposal).toBeUndefined()
  })

  it('[RP9] drops who has not caught up for too long, whether it fetches or not', () => {
    const leader = new ScriptedReplica({ settings: { replicaLagMsMax: 10_000 } }).lead()
    for (let second = 0; second < 12; second++) {
      leader.produce({}, 'leader')
      leader.sync()
      leader.fetchFrom(2, leader.log.logEnd)
      // It fetches on and on, and is always some records behind.
      leader.fetchFrom(3, Math.min(second, 1))
      leader.pass(1_000)
      if (leader.last?.proposal !== undefined) break
    }
    expect(leader.last?.proposal?.isr.map(member => member.node)).toEqual([node(1), node(2)])
  })

  it('[RP9] keeps who is always a little behind what keeps coming', () => {
    const leader = new ScriptedReplica({ settings: { replicaLagMsMax: 10_000 } }).lead()
    for (let second = 0; second < 30; second++) {
      leader.produce({}, 'leader')
      leader.sync()
      leader.fetchFrom(2, leader.log.logEnd)
      leader.fetchFrom(3, Math.max(0, leader.log.logEnd - 2))
      leader.pass(1_000)
      expect(leader.last?.proposal).toBeUndefined()
    }
  })

  it('[RP9] says when it will look again, and drops nobody of an idle partition', () => {
    const leader = new ScriptedReplica().lead()
    leader.fetchFrom(2, 0)
    leader.fetchFrom(3, 0)
    expect(leader.last?.wakeAtMs).toBe(Number.POSITIVE_INFINITY)
    leader.pass(3_600_000)
    expect(leader.last?.proposal).toBeUndefined()
    leader.produce({}, 'leader')
    leader.sync()
    expect(leader.last?.wakeAtMs).toBe(leader.now + 10_000)
  })

  it('[RP10] counts a removal once it is committed, and an addition from the moment it is asked for', () => {
    const leader = new ScriptedReplica().lead(1, [1, 2])
    leader.fetchFrom(2, 0)
    leader.fetchFrom(3, 0)
    expect(leader.last?.proposal?.isr).toHaveLength(3)
    leader.produce()
    leader.sync()
    leader.fetchFrom(2, 1)
    expect(leader.replica.highWatermark).toBe(0)
    // Whoever was asked for holds the high watermark back, also when it has fallen silent since.
    leader.pass(11_000)
    leader.fetchFrom(2, 1)
    expect(leader.replica.highWatermark).toBe(0)
  })

  it('[RP10] lets go of who was asked for in vain only with a new partition epoch', () => {
    const leader = new ScriptedReplica().lead(1, [1, 2])
    leader.fetchFrom(2, 0)
    leader.fetchFrom(3, 0)
    leader.produce()
    leader.sync()
    leader.fetchFrom(2, 1)
    leader.fenced.add(node(3))
    leader.do({ kind: 'proposal_answered', answer: { leaderEpoch: epoch(1), refusal: 'ineligible', assignment: undefined } })
    expect(leader.replica.highWatermark).toBe(0)
    leader.pass(600)
    expect(leader.last?.proposal?.isr.map(member => member.node)).toEqual([node(1), node(2)])
    leader.commitProposal()
    expect(leader.replica.highWatermark).toBe(1)
  })

  it('[RP10] sends a proposal without an answer again, from the same partition epoch', () => {
    const leader = new ScriptedReplica().lead(1, [1, 2])
    leader.fetchFrom(3, 0)
    const first = leader.last?.proposal
    leader.pass(100)
    expect(leader.last?.proposal).toBeUndefined()
    leader.pass(500)
    expect(leader.last?.proposal).toEqual(first)
  })

  it('[RP10] takes a committed state from the answer, and gives up when another leads', () => {
    const leader = new ScriptedReplica().lead(1, [1, 2])
    leader.fetchFrom(3, 0)
    const answer = { leaderEpoch: epoch(0), refusal: 'deposed', assignment: undefined } as const
    leader.do({ kind: 'proposal_answered', answer })
    expect(leader.replica.isLeader).toBe(true)
    leader.do({ kind: 'proposal_answered', answer: { ...answer, leaderEpoch: epoch(1) } })
    expect(leader.replica.isLeader).toBe(false)
  })

  it('[RP5] [RP10] waits for who is about to join, but not for ever', () => {
    const leader = new ScriptedReplica({ log: logOf(0, 0) }).lead(1, [1, 2])
    leader.fetchFrom(3, 1)
    leader.fetchFrom(2, 2)
    expect(leader.last?.proposal).toBeUndefined()
    expect(leader.replica.highWatermark).toBe(1)
    leader.pass(10_000)
    expect(leader.replica.highWatermark).toBe(2)
  })
})

describe('producers', () => {
  it('[RP11] are refused before anything is appended while too few replicas are in sync', () => {
    const leader = new ScriptedReplica({ minInSyncReplicas: 2 }).lead(1, [1])
    const request = leader.produce()
    expect(leader.answerTo(request)).toEqual({ kind: 'produce_refused', requestId: request, reason: 'not_enough_replicas' })
    expect(leader.log.logEnd).toBe(0)
  })

  it('[RP11] are told when too few are left after the append: the batch stays', () => {
    const leader = new ScriptedReplica({ minInSyncReplicas: 2 }).lead(1, [1, 2])
    const request = leader.produce()
    leader.sync()
    leader.assign(1, 1, [1])
    expect(leader.answerTo(request)).toMatchObject({ kind: 'produce_doubtful', reason: 'not_enough_replicas_after_append' })
    expect(leader.log.logEnd).toBe(1)
  })

  it('[RP11] hear after their deadline that nobody knows', () => {
    const leader = new ScriptedReplica().lead()
    const request = leader.produce({}, 'all', 200)
    expect(leader.last?.wakeAtMs).toBe(leader.now + 200)
    leader.pass(200)
    expect(leader.answerTo(request)).toMatchObject({ kind: 'produce_doubtful', reason: 'request_timed_out' })
  })

  it('[RP12] that ask only the leader are answered once its own disk has the batch', () => {
    const leader = new ScriptedReplica().lead()
    const request = leader.produce({}, 'leader')
    expect(leader.answerTo(request)).toBeUndefined()
    leader.sync()
    expect(leader.answerTo(request)).toEqual(produced(0))
    const silent = leader.produce({}, 'none')
    leader.sync()
    expect(leader.answerTo(silent)).toBeUndefined()
  })

  it('[RP15] of a deposed leader are not answered as if all were well', () => {
    const leader = new ScriptedReplica().lead()
    const request = leader.produce()
    leader.assign(2, 2)
    expect(leader.answerTo(request)).toMatchObject({ kind: 'produce_doubtful', reason: 'leadership_lost' })
    expect(leader.answerTo(leader.produce())).toMatchObject({ kind: 'produce_refused', reason: 'not_leader' })
  })

  it('[RP14] [RP15] are in doubt, and the next ones refused, once its broker is registered anew', () => {
    const leader = new ScriptedReplica().lead()
    const request = leader.produce()
    leader.do({ kind: 'registered' })
    expect(leader.answerTo(request)).toMatchObject({ kind: 'produce_doubtful', reason: 'leadership_lost' })
    expect(leader.answerTo(leader.produce())).toMatchObject({ kind: 'produce_refused', reason: 'not_leader' })
    expect(leader.events.at(-1)).toMatchObject({ kind: 'became_idle', epoch: 1 })
    expect(leader.lead(2).replica.isLeader).toBe(true)
  })

  it('[RP30] of one partition are bounded: one too many is refused before it is appended', () => {
    const leader = new ScriptedReplica().lead()
    for (let count = 0; count < PRODUCES_WAITING_MAX; count++) leader.produce()
    const { logEnd } = leader.log
    expect(leader.answerTo(leader.produce())).toMatchObject({ kind: 'produce_refused', reason: 'too_many_requests' })
    expect(leader.log.logEnd).toBe(logEnd)
  })
})

describe('readers', () => {
  it('[RP12] see nothing that is not committed, not even as the latest offset', () => {
    const leader = new ScriptedReplica().lead()
    leader.produce()
    leader.produce()
    leader.sync()
    leader.fetchFrom(2, 1)
    leader.fetchFrom(3, 1)
    expect(leader.replica.readForConsumer(undefined, at(0), 10_000)).toMatchObject({ kind: 'batches', batches: [expect.anything()] })
    expect(leader.replica.readForConsumer(undefined, at(1), 10_000)).toMatchObject({ kind: 'batches', batches: [] })
    expect(leader.replica.readForConsumer(undefined, at(2), 10_000)).toMatchObject({ kind: 'batches', batches: [] })
    expect(leader.replica.readForConsumer(undefined, at(3), 10_000)).toMatchObject({ kind: 'refused', reason: 'out_of_range' })
    expect(leader.replica.listOffset('latest')).toBe(1)
    expect(leader.replica.readForFollower(epoch(1), at(1), 10_000)).toMatchObject({ batches: [expect.anything()] })
  })

  it('[RP35] are not told a latest offset by a new leader that may not know it yet', () => {
    const leader = new ScriptedReplica({ log: logOf(0, 0) }).lead(1)
    expect(leader.replica.listOffset('latest')).toBe('offset_not_available')
    expect(leader.replica.listOffset('earliest')).toBe(0)
    leader.fetchFrom(2, 2)
    leader.fetchFrom(3, 2)
    expect(leader.replica.listOffset('latest')).toBe(2)
  })

  it('[RP15] of another epoch are refused: the one behind and the one ahead', () => {
    const leader = new ScriptedReplica().lead(5)
    expect(leader.replica.readForConsumer(epoch(4), at(0), 1)).toMatchObject({ reason: 'fenced_leader_epoch' })
    expect(leader.replica.readForConsumer(epoch(6), at(0), 1)).toMatchObject({ reason: 'unknown_leader_epoch' })
    expect(leader.replica.listOffset('latest', epoch(4))).toBe('fenced_leader_epoch')
    expect(leader.replica.endOfEpoch(epoch(5), epoch(6))).toBe('unknown_leader_epoch')
    expect(leader.replica.endOfEpoch(epoch(5), epoch(5))).toEqual({ epoch: 5, end: 0 })
  })
})

describe('fences', () => {
  it('[RP15] refuse fetches and reports of another leader epoch', () => {
    const leader = new ScriptedReplica().lead(5)
    expect(leader.fetchFrom(2, 0, { leaderEpoch: epoch(4) })).toEqual({ kind: 'refused', reason: 'fenced_leader_epoch' })
    expect(leader.fetchFrom(2, 0, { leaderEpoch: epoch(6) })).toEqual({ kind: 'refused', reason: 'unknown_leader_epoch' })
    leader.produce({}, 'leader')
    leader.sync()
    leader.fetchFrom(2, 0)
    leader.fetchFrom(3, 1)
    leader.do({ kind: 'follower_durable', follower: node(2), brokerEpoch: 20, leaderEpoch: epoch(4), durableEnd: at(1) })
    expect(leader.replica.highWatermark).toBe(0)
  })

  it('[RP16] refuse a broker that registered anew since, and whoever is no replica', () => {
    const leader = new ScriptedReplica().lead()
    leader.brokerEpochs.set(node(2), 21)
    const position = leader.position(0)
    const fetch = { kind: 'follower_fetch', follower: node(2), position } as const
    expect(leader.do({ ...fetch, brokerEpoch: 20 }).check).toEqual({ kind: 'refused', reason: 'stale_broker_epoch' })
    expect(leader.do({ ...fetch, follower: node(9), brokerEpoch: 90 }).check).toEqual({ kind: 'refused', reason: 'not_a_replica' })
  })

  it('[RP16] ignore what the controller said before what is known', () => {
    const leader = new ScriptedReplica().lead(5)
    leader.assign(2, 4, [1, 2, 3], { partitionEpoch: 0 })
    expect(leader.replica.isLeader).toBe(true)
    expect(leader.replica.leaderEpoch).toBe(5)
  })
})

describe('divergence', () => {
  it('[RP3] is answered without data, and is no progress', () => {
    const leader = new ScriptedReplica({ log: logOf(0, 0, 2) }).lead(3)
    expect(leader.fetchFrom(2, 3, { lastFetchedEpoch: epoch(1) })).toEqual({ kind: 'diverging', end: { epoch: 0, end: 2 } })
    expect(leader.fetchFrom(2, 3, { lastFetchedEpoch: epoch(0) })).toEqual({ kind: 'diverging', end: { epoch: 0, end: 2 } })
    leader.do({ kind: 'follower_durable', follower: node(2), brokerEpoch: 20, leaderEpoch: epoch(3), durableEnd: at(3) })
    expect(leader.replica.status.followers[0]).toMatchObject({ node: node(2), durableEnd: 0 })
  })

  it('[RP4] shows against a leader that has written nothing yet', () => {
    const leader = new ScriptedReplica({ log: logOf(0, 0) }).lead(3)
    expect(leader.log.epochStarts.at(-1)).toEqual({ epoch: 3, start: 2 })
    expect(leader.fetchFrom(2, 4, { lastFetchedEpoch: epoch(2) })).toEqual({ kind: 'diverging', end: { epoch: 0, end: 2 } })
  })

  it('[RP4] is not made up by an epoch that was led without a word', () => {
    const replica = new ScriptedReplica({ log: logOf(0, 0) }).lead(3)
    replica.follow(2, 4)
    replica.copy([{ epoch: 2 }, { epoch: 4 }])
    expect(replica.log.logEnd).toBe(4)
    expect(replica.events.filter(({ kind }) => kind === 'invalid_records')).toEqual([])
  })

  it('[RP3] is found also where the leader has forgotten the epochs before its start', () => {
    const log = logOf(0, 1, 1, 3)
    log.deleteBefore(at(3))
    const leader = new ScriptedReplica({ log }).lead(5)
    expect(leader.fetchFrom(2, 4, { lastFetchedEpoch: epoch(1) })).toEqual({ kind: 'diverging', end: { epoch: -1, end: 3 } })
    expect(leader.fetchFrom(2, 3, { lastFetchedEpoch: epoch(1) })).toEqual({ kind: 'accepted' })
    expect(leader.fetchFrom(2, 2, { lastFetchedEpoch: epoch(1) })).toMatchObject({ kind: 'out_of_range', logStart: 3 })
  })
})

describe('deletion', () => {
  const committed = () => {
    const leader = new ScriptedReplica().lead()
    for (let count = 0; count < 4; count++) leader.produce({ records: 2 })
    leader.sync()
    leader.fetchFrom(2, 6)
    leader.fetchFrom(3, 6)
    return leader
  }
  const remove = { kind: 'delete_records', requestId: 99, deadlineMs: 9_000 } as const

  it('[RP18] never passes the high watermark', () => {
    const leader = committed()
    leader.do({ ...remove, before: at(7) })
    expect(leader.answerTo(99)).toMatchObject({ kind: 'delete_refused', reason: 'out_of_range' })
    leader.do({ kind: 'retain', from: at(8) })
    expect(leader.last?.trim).toBe(6)
  })

  it('[RP18] is done when no live replica has the records any more', () => {
    const leader = committed()
    leader.do({ ...remove, before: undefined })
    expect(leader.last?.trim).toBe(6)
    leader.fetchFrom(2, 6, { logStart: at(6) })
    expect(leader.answerTo(99)).toBeUndefined()
    leader.fenced.add(node(3))
    leader.fetchFrom(2, 6, { logStart: at(6) })
    expect(leader.answerTo(99)).toEqual({ kind: 'deleted', requestId: 99, lowWatermark: 6 })
  })

  it('[RP18] hides the beginning of a batch that is kept for its end', () => {
    const leader = committed()
    leader.do({ ...remove, before: at(3) })
    leader.log.deleteBefore(at(3))
    expect(leader.log.logStart).toBe(2)
    expect(leader.replica.listOffset('earliest')).toBe(3)
    expect(leader.replica.readForConsumer(undefined, at(2), 10)).toMatchObject({ reason: 'out_of_range' })
    expect(leader.fetchFrom(3, 0)).toMatchObject({ kind: 'out_of_range', logStart: 2 })
  })
})

describe('a leader in trouble', () => {
  it('[RP31] asks to be replaced while its disk hangs, and no longer than that', () => {
    const leader = new ScriptedReplica({ settings: { diskStuckMs: 3_000 } }).lead()
    leader.produce()
    leader.pass(2_999)
    expect(leader.last?.resignation).toBeUndefined()
    leader.pass(1)
    expect(leader.last?.resignation).toBe('disk_stuck')
    leader.sync()
    leader.pass(5_000)
    expect(leader.last?.resignation).toBeUndefined()
  })

  it('[RP31] is not called stuck by a disk that keeps up with a steady load', () => {
    const leader = new ScriptedReplica({ settings: { diskStuckMs: 3_000 } }).lead()
    for (let second = 0; second < 20; second++) {
      const syncing = leader.log.sync()
      leader.produce()
      syncing()
      leader.do({ kind: 'durable' })
      leader.pass(1_000)
      expect(leader.last?.resignation).toBeUndefined()
    }
  })

  it('[RP31] refuses producers and asks to be replaced while its disk is full, and tries again', () => {
    const leader = new ScriptedReplica({ settings: { diskFullRetryMs: 1_000 } }).lead()
    leader.log.full = true
    expect(leader.answerTo(leader.produce())).toMatchObject({ kind: 'produce_refused', reason: 'disk_full' })
    expect(leader.last?.resignation).toBe('disk_full')
    leader.log.full = false
    expect(leader.answerTo(leader.produce())).toMatchObject({ reason: 'disk_full' })
    leader.pass(1_000)
    leader.produce({}, 'leader')
    leader.sync()
    expect(leader.answers.at(-1)).toEqual(produced(0))
    leader.pass(10)
    expect(leader.last?.resignation).toBeUndefined()
  })

  it('[RP31] with a failed disk answers nothing as kept any more', () => {
    const leader = new ScriptedReplica().lead()
    const request = leader.produce()
    leader.log.failed = true
    leader.do({ kind: 'log_failed' })
    expect(leader.answerTo(request)).toMatchObject({ kind: 'produce_doubtful', reason: 'disk_failed' })
    expect(leader.last?.resignation).toBe('disk_failed')
    expect(leader.answerTo(leader.produce())).toMatchObject({ kind: 'produce_refused', reason: 'disk_failed' })
  })

  it('[RP31] that is to stop asks to be replaced, and leads on until it is', () => {
    const leader = new ScriptedReplica().lead()
    expect(leader.do({ kind: 'resign' }).resignation).toBe('shutting_down')
    leader.pass(500)
    expect(leader.last?.resignation).toBe('shutting_down')
    const request = leader.produce({}, 'leader')
    leader.sync()
    expect(leader.answerTo(request)).toEqual(produced(0))
  })
})

it('[RP30] keeps what it takes of a batch to its place: offset and epoch are written into the bytes given', () => {
  const leader = new ScriptedReplica({ log: logOf(0) }).lead(7)
  const batch = batchOf({ records: 2 })
  const before = batch.slice(21)
  leader.do({
    kind: 'produce',
    requestId: 1,
    batch,
    header: { ...leader.log.batches[0]!.header, producerId: -1 },
    acks: 'none',
    deadlineMs: 5_000,
  })
  expect(leader.log.batches[1]?.bytes).toBe(batch)
  expect(leader.log.batches[1]?.header).toMatchObject({ baseOffset: 1, lastOffset: 2, leaderEpoch: 7 })
  expect(batch.slice(21)).toEqual(before)
})
