// Rules that one server shows by itself.
import { describe, expect, it } from 'vitest'
import { type Batch, makeBatch } from './raft-log.ts'
import { founders, member, ScriptedServer } from './scripted-server.ts'
import { defaultSettings } from './settings.ts'
import { type DiskId, logIndex, term } from './terms.ts'

const bytes = (length: number) => [new Uint8Array(length)]
const command = { kind: 'command', bytes: new Uint8Array(10) } as const

describe('durability', () => {
  it('[RA1] attaches what it promises to the write that makes it true', () => {
    const server = new ScriptedServer()
    const { send, store } = server.hear(2, {
      kind: 'vote_request',
      term: term(3),
      lastIndex: logIndex(0),
      lastTerm: term(0),
      transfer: false,
    })
    expect(send).toEqual([])
    expect(store?.hardState).toEqual({ term: 3, votedFor: member(2) })
    expect(store?.thenSend.map(({ message }) => message)).toEqual([{ kind: 'vote_response', term: 3, granted: true }])
  })

  it('[RA5] confirms nothing before earlier writes, in whatever order they are reported', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'propose', proposalId: 1, commands: bytes(10) })
    server.do({ kind: 'propose', proposalId: 2, commands: bytes(10) })
    const [first, second] = server.writes
    for (const write of server.writes) server.log.perform(write)
    server.do({ kind: 'stored', id: second!.id })
    expect(server.raft.status.durableIndex).toBe(1)
    server.do({ kind: 'stored', id: first!.id })
    expect(server.raft.status.durableIndex).toBe(3)
  })

  it('[RA6] hands out only what is committed and on its own disk', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'propose', proposalId: 1, commands: bytes(10) })
    server.confirm(2)
    server.confirm(3)
    expect(server.raft.commit).toBe(2)
    expect(server.applyThrough).toBe(1)
    server.sync()
    expect(server.applyThrough).toBe(2)
  })

  it('[RA3] alone in its cluster, commits once its own disk has the entry', () => {
    const server = new ScriptedServer({ voters: 1 })
    server.pass(700)
    expect(server.raft.isLeader).toBe(false)
    server.sync()
    expect(server.raft.isLeader).toBe(true)
    server.do({ kind: 'propose', proposalId: 1, commands: bytes(10) })
    expect(server.raft.commit).toBe(1)
    server.sync()
    expect(server.raft.commit).toBe(2)
  })
})

describe('elections', () => {
  it('[RA15] draws a new timeout each time, between the two settings', () => {
    const server = new ScriptedServer()
    const timeouts = Array.from({ length: 50 }, () => {
      const wakeAt = server.do({ kind: 'tick' }).wakeAtMs
      const waited = wakeAt - server.now
      server.pass(waited)
      return waited
    }).slice(1)
    expect(new Set(timeouts).size).toBeGreaterThan(40)
    expect(Math.min(...timeouts)).toBeGreaterThanOrEqual(defaultSettings.electionTimeoutMsMin)
    expect(Math.max(...timeouts)).toBeLessThanOrEqual(defaultSettings.electionTimeoutMsMax)
  })

  it('[RA12] steps down when no majority was heard for an election timeout', () => {
    const server = new ScriptedServer().lead()
    for (let passed = 0; passed < defaultSettings.electionTimeoutMsMax; passed += 50) server.pass(50)
    expect(server.raft.isLeader).toBe(true)
    server.pass(51)
    expect(server.events.at(-2)).toEqual({ kind: 'stepped_down', term: 1, reason: 'quorum_lost' })
  })

  it('[RA70] [RA12] looks at its disk and its majority however many reads bring its heartbeats forward', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'propose', proposalId: 1, commands: bytes(10) })
    for (let passed = 0; passed <= defaultSettings.diskStuckMs + 50; passed += 10) {
      server.pass(10)
      server.do({ kind: 'read', readId: passed })
      const { round } = server.sent('heartbeat').at(-1) as { round: number }
      server.hear(2, { kind: 'heartbeat_response', term: term(1), round })
    }
    expect(server.events.at(-2)).toEqual({ kind: 'stepped_down', term: 1, reason: 'disk_stuck' })
  })

  it('[RA11] ignores a later term of a candidate while its leader is live, unless the leader asked for it', () => {
    const server = new ScriptedServer()
    server.hear(2, { kind: 'heartbeat', term: term(1), commit: logIndex(0), round: 1 })
    const request = { kind: 'vote_request', term: term(5), lastIndex: logIndex(9), lastTerm: term(4) } as const
    server.hear(3, { ...request, transfer: false })
    expect(server.raft.term).toBe(1)
    server.hear(3, { ...request, transfer: true })
    expect(server.raft.term).toBe(5)
  })

  it('[RA13] believes the death only of the leader it has', () => {
    const server = new ScriptedServer()
    server.hear(2, { kind: 'heartbeat', term: term(1), commit: logIndex(0), round: 1 })
    const patient = server.do({ kind: 'leader_gone', leader: member(3).node }).wakeAtMs - server.now
    const alarmed = server.do({ kind: 'leader_gone', leader: member(2).node }).wakeAtMs - server.now
    expect(patient).toBeGreaterThanOrEqual(300)
    expect(alarmed).toBeLessThanOrEqual(50)
  })

  it('[RA16] two leaders of one term stop whoever notices', () => {
    const server = new ScriptedServer()
    server.hear(2, { kind: 'heartbeat', term: term(1), commit: logIndex(0), round: 1 })
    expect(() => server.hear(3, { kind: 'heartbeat', term: term(1), commit: logIndex(0), round: 1 })).toThrow('one leader per term')
  })
})

describe('bounds', () => {
  it('[RA23] no more messages nor bytes in flight to a peer than it may have', () => {
    const server = new ScriptedServer({ settings: { inflightMessagesMax: 3, appendBytesMax: 1, inflightBytesMax: 5_000 } }).lead()
    const toPeer = () =>
      server.envelopes.filter(({ to, message }) => to.node === 'n2' && message.kind === 'append' && message.batches.length > 0).length
    const before = toPeer()
    for (let id = 0; id < 10; id++) server.do({ kind: 'propose', proposalId: id, commands: bytes(10) })
    expect(toPeer() - before).toBe(3)
    server.confirm(2)
    for (let id = 0; id < 10; id++) server.do({ kind: 'propose', proposalId: id, commands: bytes(3_000) })
    const peer = server.raft.status.peers.find(({ node }) => node === 'n2')
    expect(peer?.inflightBytes).toBeLessThanOrEqual(5_000)
  })

  it('[RA24] refuses what would be too much uncommitted, or too large for a batch', () => {
    const server = new ScriptedServer({ settings: { uncommittedBytesMax: 1_600_000 } }).lead()
    const propose = (proposalId: number, length: number) => server.do({ kind: 'propose', proposalId, commands: bytes(length) }).answers[0]
    expect(propose(1, 2 << 20)).toMatchObject({ kind: 'refused', reason: 'too_large' })
    expect(propose(2, 900_000)).toMatchObject({ kind: 'accepted', firstIndex: 2 })
    expect(propose(3, 900_000)).toMatchObject({ kind: 'refused', reason: 'busy' })
    server.sync()
    server.confirm(2)
    expect(propose(4, 900_000)).toMatchObject({ kind: 'accepted', firstIndex: 3 })
  })

  it('[RA26] what was in flight on a connection that ended is sent again', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'propose', proposalId: 1, commands: bytes(10) })
    const before = server.sent('append').length
    server.do({ kind: 'link_reset', peer: member(2).node })
    const again = server.sent('append').slice(before)
    expect(again.map(({ prevIndex, batches }) => [prevIndex, batches.length])).toEqual([[1, 1]])
  })

  it('[RA26] entries that have to be read from the disk first are sent once they are there', () => {
    const server = new ScriptedServer().lead()
    server.log.cold = true
    const before = server.sent('append').length
    server.hear(3, {
      kind: 'append_rejected',
      term: term(1),
      prevIndex: logIndex(0),
      hintIndex: logIndex(0),
      hintTerm: term(0),
      damaged: true,
    })
    expect(server.sent('append')).toHaveLength(before)
    server.log.cold = false
    server.do({ kind: 'log_loaded' })
    expect(server.sent('append').at(-1)).toMatchObject({ prevIndex: 0, batches: [{ firstIndex: 1 }] })
  })

  it('[RA63] starts again with the newest snapshot when the one on its way is gone', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'propose', proposalId: 1, commands: bytes(10) })
    server.sync()
    server.confirm(2)
    const { configuration } = server.log.snapshot
    server.log.snapshot = { index: logIndex(1), term: term(1), configuration, sizeBytes: 1 << 20 }
    server.log.batches = server.log.batches.slice(1)
    server.hear(3, {
      kind: 'append_rejected',
      term: term(1),
      prevIndex: logIndex(0),
      hintIndex: logIndex(0),
      hintTerm: term(0),
      damaged: true,
    })
    expect(server.raft.snapshotsInUse).toEqual([1])
    expect(server.sent('snapshot_chunk')).toHaveLength(defaultSettings.snapshotChunksInflightMax)
    server.log.snapshot = { index: logIndex(2), term: term(1), configuration, sizeBytes: 100 }
    server.log.batches = []
    server.do({ kind: 'snapshot_gone', index: logIndex(1) })
    expect(server.sent('snapshot_chunk').at(-1)).toMatchObject({ snapshot: { index: 2 }, offset: 0, lengthBytes: 100 })
  })

  it('[RA28] a server whose disk is too far behind hears nothing that needs writing', () => {
    const server = new ScriptedServer()
    for (let round = 0; round < 1_100; round++) {
      const batch = makeBatch(term(1), logIndex(round + 1), [command])
      const prev = { prevIndex: logIndex(round), prevTerm: term(Math.min(round, 1)) }
      server.hear(2, { kind: 'append', term: term(1), ...prev, batches: [batch], commit: logIndex(0) })
    }
    expect(server.raft.status.lengths.stores).toBe(1_024)
    expect(server.raft.status.lastIndex).toBe(1_024)
  })

  it('[RA33] a read that is not confirmed in time fails, and says so', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'read', readId: 7 })
    for (let passed = 0; passed <= 600; passed += 50) {
      server.confirm(2)
      server.pass(50)
    }
    expect(server.answers.at(-1)).toMatchObject({ kind: 'read_failed', readId: 7, reason: 'timed_out' })
  })

  it('[RA33] a read fails at once where no leader is known', () => {
    expect(new ScriptedServer().do({ kind: 'read', readId: 1 }).answers).toMatchObject([{ kind: 'read_failed', reason: 'no_leader' }])
  })
})

describe('the log', () => {
  const append = (prev: number, of: number, batches: ReturnType<typeof makeBatch>[], leaderTerm = 2) =>
    ({ kind: 'append', term: term(leaderTerm), prevIndex: logIndex(prev), prevTerm: term(of), batches, commit: logIndex(0) }) as const

  it('[RA25] replaces whole batches, and keeps what is there already', () => {
    const server = new ScriptedServer()
    const [first, second] = [makeBatch(term(1), logIndex(1), [command, command]), makeBatch(term(1), logIndex(3), [command])]
    server.hear(2, append(0, 0, [first, second], 1))
    server.sync()
    expect(server.hear(2, append(0, 0, [first], 1)).store).toBeUndefined()
    expect(server.raft.status.lastIndex).toBe(3)
    const other = makeBatch(term(2), logIndex(3), [command, command])
    expect(server.hear(3, append(2, 1, [other])).store?.batches).toEqual([other])
    expect(server.sync().log.batches).toEqual([first, other])
  })

  it('[RA25] leaves alone what no leader sends', () => {
    const server = new ScriptedServer()
    const torn = { ...makeBatch(term(2), logIndex(1), [command]), lastIndex: logIndex(2) }
    server.hear(2, append(0, 0, [torn]))
    server.hear(2, append(0, 0, [makeBatch(term(2), logIndex(5), [command])]))
    expect(server.events.filter(({ kind }) => kind === 'malformed_message')).toHaveLength(2)
    expect(server.raft.status.lastIndex).toBe(0)
  })

  it('[RA27] stops rather than truncate what is committed', () => {
    const server = new ScriptedServer()
    const first = makeBatch(term(1), logIndex(1), [command])
    server.hear(2, { ...append(0, 0, [first], 1), commit: logIndex(1) })
    expect(server.raft.commit).toBe(1)
    expect(() => server.do({ kind: 'applied', index: logIndex(1) })).toThrow('committed and durable')
    server.sync()
    server.do({ kind: 'applied', index: logIndex(1) })
    // A later leader that does not have entry 1 cannot be elected; if it were, its append would be answered, not obeyed.
    server.hear(3, append(0, 0, [makeBatch(term(2), logIndex(1), [command])]))
    expect(server.sync().log.batches).toEqual([first])
  })
})

describe('members', () => {
  it('[RA45] learners receive everything and count for nothing', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'change_membership', proposalId: 1, change: { kind: 'add_learner', member: member(4) } })
    server.sync()
    expect(server.envelopes.some(({ to, message }) => to.node === 'n4' && message.kind === 'append')).toBe(true)
    server.confirm(4)
    expect(server.raft.commit).toBe(1)
    server.confirm(2)
    expect(server.raft.commit).toBe(2)
  })

  it('[RA43] a learner that lags is not made a voter', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'change_membership', proposalId: 1, change: { kind: 'add_learner', member: member(4) } })
    server.sync()
    server.confirm(2)
    const promote = () =>
      server.do({ kind: 'change_membership', proposalId: 2, change: { kind: 'promote', node: member(4).node } }).answers[0]
    expect(promote()).toMatchObject({ kind: 'refused', reason: 'not_caught_up' })
    server.confirm(4)
    expect(promote()).toMatchObject({ kind: 'accepted' })
  })

  it('[RA46] answers from another disk than the one that was asked are not counted', () => {
    const server = new ScriptedServer({ settings: { electionTimeoutMsMax: 600 } })
    server.pass(700)
    server.do({
      kind: 'message',
      envelope: {
        from: { ...member(2), disk: 'new' as DiskId },
        to: member(1),
        message: { kind: 'pre_vote_response', term: term(1), granted: true },
      },
    })
    expect(server.raft.term).toBe(0)
    expect(server.events.at(-1)).toMatchObject({ kind: 'identity_refused', meant: member(2) })
  })

  it('[RA46] who is not in the configuration never stands', () => {
    const server = new ScriptedServer({ voters: 3 })
    server.log.snapshot = { ...server.log.snapshot, configuration: founders(3) }
    const outsider = new ScriptedServer({ voters: 0 })
    outsider.pass(5_000)
    expect(outsider.sent('pre_vote_request')).toEqual([])
    expect(outsider.writes).toEqual([])
  })
})

describe('trouble of its own', () => {
  it('[RA71] a full disk ends its office at once, asks a successor to stand, and keeps it from standing', () => {
    const server = new ScriptedServer().lead()
    server.do({ kind: 'disk_full', full: true })
    expect(server.raft.isLeader).toBe(false)
    expect(server.sent('timeout_now')).toHaveLength(1)
    server.envelopes = []
    server.pass(5_000)
    server.sync()
    expect(server.sent('pre_vote_request')).toEqual([])
    server.do({ kind: 'disk_full', full: false })
    server.pass(700)
    server.sync()
    expect(server.sent('pre_vote_request')).toHaveLength(2)
  })

  it('[RA72] damaged, it accepts entries as uncounted, votes for nobody, and is repaired by a later term', () => {
    const server = new ScriptedServer({ recordedEnd: 5, hardState: { term: term(2), votedFor: undefined } })
    server.hear(3, { kind: 'vote_request', term: term(3), lastIndex: logIndex(9), lastTerm: term(3), transfer: false })
    server.sync()
    expect(server.sent('vote_response')).toMatchObject([{ granted: false }])
    const batch = makeBatch(term(3), logIndex(1), [command])
    server.hear(2, { kind: 'append', term: term(3), prevIndex: logIndex(0), prevTerm: term(0), batches: [batch], commit: logIndex(1) })
    server.sync()
    expect(server.sent('append_accepted')).toMatchObject([{ match: 1, damaged: true }])
    expect(server.raft.status.damaged).toBe(false)
  })
})

describe('a loss that only the leader can tell', () => {
  it('[RA72] is damage: the server votes for nobody until it holds everything again that it may have confirmed', () => {
    const server = new ScriptedServer()
    const vote = () =>
      server.hear(3, { kind: 'vote_request', term: term(1), lastIndex: logIndex(9), lastTerm: term(1), transfer: true }).store
    server.hear(2, { kind: 'heartbeat', term: term(1), commit: logIndex(2), round: 1 })
    expect(server.raft.status).toMatchObject({ damaged: true, commit: 0 })
    const batch = (first: number) => makeBatch(term(1), logIndex(first), [command])
    const append = (prevIndex: number, batches: readonly Batch[]) =>
      server.hear(2, {
        kind: 'append',
        term: term(1),
        prevIndex: logIndex(prevIndex),
        prevTerm: term(prevIndex === 0 ? 0 : 1),
        commit: logIndex(2),
        batches,
      })
    // It had confirmed up to 3, of which 2 were committed.
    append(3, [])
    append(0, [batch(1), batch(2)])
    server.sync()
    expect(server.raft.status).toMatchObject({ damaged: true, lastIndex: 2 })
    expect(vote()).toBeUndefined()
    append(2, [batch(3)])
    server.sync()
    expect(server.raft.status).toMatchObject({ damaged: false, commit: 2 })
  })
})
