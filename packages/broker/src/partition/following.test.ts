// Rules that a follower shows by itself.
import { describe, expect, it } from 'vitest'
import { at, batchOf, epoch, logOf, node, ScriptedReplica } from './scripted-replica.ts'

describe('a follower', () => {
  it('[RP1] keeps what lies above its high watermark, whatever it was before', () => {
    const follower = new ScriptedReplica({ log: logOf(0, 0, 0) }).follow(2, 1)
    expect(follower.replica.highWatermark).toBe(0)
    expect(follower.last?.cut).toBeUndefined()
    expect(follower.replica.position).toMatchObject({ fetchOffset: 3, lastFetchedEpoch: 0 })
    const again = new ScriptedReplica({ log: logOf(0, 0, 0) }).lead(1)
    again.follow(2, 2)
    expect(again.last?.cut).toBeUndefined()
    expect(again.log.logEnd).toBe(3)
  })

  it('[RP1] goes back to where the leader says that the epoch of its last record ended', () => {
    const follower = new ScriptedReplica({ log: logOf(0, 0, 0) }).follow(2, 2)
    follower.fetched({ kind: 'diverging', end: { epoch: epoch(0), end: at(1) } })
    expect(follower.last?.cut).toEqual({ kind: 'truncate', to: 1 })
    expect(follower.replica.position).toBeUndefined()
    follower.cut()
    expect(follower.replica.position).toMatchObject({ fetchOffset: 1, lastFetchedEpoch: 0 })
  })

  it('[RP2] asks again when the leader names an epoch that it does not have', () => {
    // Leaders of 1 and 2 wrote behind the same two records; the follower has what the leader of 3 wrote behind those of 1.
    const follower = new ScriptedReplica({ log: logOf(0, 0, 1, 3, 3) }).follow(2, 4)
    follower.fetched({ kind: 'diverging', end: { epoch: epoch(2), end: at(4) } })
    expect(follower.last?.cut).toEqual({ kind: 'truncate', to: 3 })
    follower.cut()
    expect(follower.replica.position).toMatchObject({ fetchOffset: 3, lastFetchedEpoch: 1 })
    follower.fetched({ kind: 'diverging', end: { epoch: epoch(0), end: at(2) } })
    expect(follower.last?.cut).toEqual({ kind: 'truncate', to: 2 })
    follower.cut()
    follower.copy([{ epoch: 2 }, { epoch: 2 }])
    expect(follower.log.logEnd).toBe(4)
  })

  it('[RP2] with none of the epochs goes back to where the leader begins', () => {
    const follower = new ScriptedReplica({ log: logOf(2, 2) }).follow(2, 4)
    follower.fetched({ kind: 'diverging', end: { epoch: epoch(1), end: at(1) } })
    expect(follower.last?.cut).toEqual({ kind: 'truncate', to: 1 })
  })

  it('[RP34] gives up nothing that it knows to be committed', () => {
    const follower = new ScriptedReplica().follow(2, 1)
    follower.copy([{}, {}, {}], 2)
    follower.follow(3, 2)
    follower.fetched({ kind: 'diverging', end: { epoch: epoch(1), end: at(1) } })
    expect(follower.last?.cut).toBeUndefined()
    expect(follower.events).toContainEqual({ kind: 'committed_missing', highWatermark: 2, to: 1 })
    expect(follower.replica.position).toBeUndefined()
    expect(follower.replica.status.role).toBe('halted')
  })

  it('[RP34] unless a leader from outside of the ISR has given it up for all', () => {
    const follower = new ScriptedReplica().follow(2, 1)
    follower.copy([{}, {}, {}], 2)
    follower.assign(3, 2, [3], { uncleanEpoch: epoch(2) })
    follower.fetched({ kind: 'diverging', end: { epoch: epoch(1), end: at(1) } })
    follower.cut()
    expect(follower.replica.highWatermark).toBe(1)
  })

  it('[RP15] takes nothing from a leader of another epoch, nor an answer to an earlier question', () => {
    const follower = new ScriptedReplica().follow(2, 1)
    const { position } = follower.replica
    const result = { kind: 'records', records: batchOf({ epoch: 1 }), highWatermark: at(0), logStart: at(0) } as const
    follower.follow(3, 2)
    follower.do({ kind: 'fetched', from: node(2), position: position!, result })
    expect(follower.log.logEnd).toBe(0)
    const asked = follower.replica.position!
    follower.do({ kind: 'fetched', from: node(3), position: asked, result })
    follower.do({ kind: 'fetched', from: node(3), position: asked, result })
    expect(follower.log.logEnd).toBe(1)
    follower.do({ kind: 'fetched', from: node(3), position: asked, result: { kind: 'diverging', end: { epoch: epoch(0), end: at(0) } } })
    expect(follower.last?.cut).toBeUndefined()
  })

  it('[RP15] takes no record of a later leader than its own, and asks again later', () => {
    const follower = new ScriptedReplica({ settings: { fetchRetryMs: 100 } }).follow(2, 1)
    follower.copy([{ epoch: 2 }])
    expect(follower.log.logEnd).toBe(0)
    expect(follower.replica.position).toBeUndefined()
    expect(follower.last?.wakeAtMs).toBe(follower.now + 100)
    follower.pass(100)
    expect(follower.replica.position).toBeDefined()
  })

  it('[RP16] told to lead while its log is cut, leads once it is', () => {
    const replica = new ScriptedReplica({ log: logOf(0, 0, 0) }).follow(2, 2)
    const { cut } = replica.fetched({ kind: 'diverging', end: { epoch: epoch(0), end: at(1) } })
    replica.lead(3)
    expect(replica.replica.isLeader).toBe(false)
    replica.last = { ...replica.last!, cut }
    replica.cut()
    expect(replica.replica.isLeader).toBe(true)
    expect(replica.log.epochStarts.at(-1)).toEqual({ epoch: 3, start: 1 })
  })

  it('[RP14] [RP16] told to lead while its log is cut, does not if its broker is registered anew before it is', () => {
    const replica = new ScriptedReplica({ log: logOf(0, 0, 0) }).follow(2, 2)
    const { cut } = replica.fetched({ kind: 'diverging', end: { epoch: epoch(0), end: at(1) } })
    replica.lead(3)
    replica.do({ kind: 'registered' })
    replica.last = { ...replica.last!, cut }
    replica.cut()
    expect(replica.replica.status).toMatchObject({ role: 'idle', leaderEpoch: 3 })
    expect(replica.lead(4).replica.isLeader).toBe(true)
  })

  it('[RP18] drops what its leader dropped, as far as it is committed', () => {
    const follower = new ScriptedReplica().follow()
    follower.copy([{}, {}, {}], 2, 3)
    expect(follower.last?.trim).toBe(2)
    expect(follower.replica.position?.logStart).toBe(2)
  })

  it('[RP19] begins anew where the leader begins, and leaves no hole', () => {
    const follower = new ScriptedReplica({ log: logOf(0, 0, 0) }).follow(2, 2)
    follower.fetched({ kind: 'out_of_range', logStart: at(7), logEnd: at(9) })
    expect(follower.last?.cut).toEqual({ kind: 'restart', at: 7 })
    follower.cut()
    expect(follower.replica.position).toMatchObject({ fetchOffset: 7, lastFetchedEpoch: undefined, logStart: 7 })
    expect(follower.log.batches).toEqual([])
  })

  it('[RP36] reports syncs only to a leader that has found their logs to agree', () => {
    const follower = new ScriptedReplica({ log: logOf(0, 0) }).follow(2, 1)
    expect(follower.replica.durableReport).toBeUndefined()
    follower.copy([{}])
    expect(follower.replica.durableReport).toEqual({ leaderEpoch: 1, durableEnd: 2 })
    follower.sync()
    expect(follower.replica.durableReport).toEqual({ leaderEpoch: 1, durableEnd: 3 })
    follower.follow(3, 2)
    expect(follower.replica.durableReport).toBeUndefined()
  })
})

describe('idempotent producers', () => {
  const from = (baseSequence: number, producerEpoch = 0) => ({ producer: { id: 9, epoch: producerEpoch, baseSequence } })

  it('[RP20] are known on a follower as on the leader, so that a failover forgets nobody', () => {
    const replica = new ScriptedReplica().follow(2, 1)
    replica.copy([from(0), from(1)])
    replica.sync()
    replica.lead(2)
    replica.produce(from(1))
    replica.fetchFrom(2, 2)
    replica.fetchFrom(3, 2)
    expect(replica.answers.at(-1)).toMatchObject({ kind: 'produced', firstOffset: 1, duplicate: true })
    expect(replica.log.logEnd).toBe(2)
  })

  it('[RP20] are forgotten with what was cut away', () => {
    const replica = new ScriptedReplica().follow(2, 1)
    replica.copy([from(0), from(1), from(2)])
    replica.follow(3, 2)
    replica.fetched({ kind: 'diverging', end: { epoch: epoch(1), end: at(1) } })
    replica.cut()
    replica.lead(3)
    replica.produce(from(1), 'leader')
    expect(replica.log.logEnd).toBe(2)
  })

  it('[RP21] get the original offset for one of their last five batches', () => {
    const leader = new ScriptedReplica().lead(1, [1, 2, 3])
    for (let sequence = 0; sequence < 6; sequence++) leader.produce(from(sequence), 'leader')
    leader.sync()
    leader.produce(from(1), 'leader')
    expect(leader.answers.at(-1)).toMatchObject({ kind: 'produced', firstOffset: 1, duplicate: true })
    leader.produce(from(0), 'leader')
    expect(leader.answers.at(-1)).toMatchObject({ kind: 'produce_refused', reason: 'out_of_order_sequence' })
    expect(leader.log.logEnd).toBe(6)
  })

  it('[RP21] wait with a duplicate until the original is committed', () => {
    const leader = new ScriptedReplica().lead()
    leader.produce(from(0))
    leader.produce(from(1))
    const again = leader.produce(from(0))
    leader.sync()
    leader.fetchFrom(2, 1)
    expect(leader.answerTo(again)).toBeUndefined()
    leader.fetchFrom(3, 1)
    expect(leader.answerTo(again)).toMatchObject({ firstOffset: 0 })
  })

  it('[RP21] are refused a gap, an old epoch, and a new epoch that does not begin at 0', () => {
    const leader = new ScriptedReplica().lead()
    const outcome = (baseSequence: number, producerEpoch: number) => {
      leader.produce(from(baseSequence, producerEpoch), 'leader')
      leader.sync()
      return leader.answers.at(-1)
    }
    expect(outcome(0, 1)).toMatchObject({ kind: 'produced' })
    expect(outcome(2, 1)).toMatchObject({ reason: 'out_of_order_sequence' })
    expect(outcome(1, 0)).toMatchObject({ reason: 'invalid_producer_epoch' })
    expect(outcome(1, 2)).toMatchObject({ reason: 'out_of_order_sequence' })
    expect(outcome(0, 2)).toMatchObject({ kind: 'produced', duplicate: false })
  })

  it('[RP21] may begin anywhere while nobody knows them, and wrap around after 2^31 - 1', () => {
    const leader = new ScriptedReplica().lead()
    leader.produce(from(0x7fff_ffff), 'leader')
    leader.produce(from(0), 'leader')
    leader.sync()
    expect(leader.answers.map(({ kind }) => kind)).toEqual(['produced', 'produced'])
  })

  it('[RP21] are forgotten after a long silence', () => {
    const leader = new ScriptedReplica({ settings: { producerExpiryMs: 80_000 } }).lead()
    leader.produce(from(0), 'leader')
    leader.pass(100_000)
    expect(leader.replica.status.producers).toBe(0)
  })
})
