// The encoding of commands, and that logs of earlier versions are read as they were meant.
import { added, BodyCodec, field, i53, str, u32 } from '@atoll/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Command, CommandCodec, commandTable } from './commands.ts'
import { anyCommand } from './random-commands.ts'
import { put, ScriptedState } from './scripted-state.ts'

const body = new BodyCodec()

describe('a command', () => {
  it('[CM1] comes back from the log as it was', () => {
    const codec = new CommandCodec()
    fc.assert(
      fc.property(anyCommand, command => {
        expect(codec.decode(codec.encode(command))).toEqual(command)
      }),
      { seed: 51, numRuns: 300 },
    )
  })

  it('[CM1] has a number of its own that never changes', () => {
    expect(Object.entries(commandTable).map(([kind, { number }]) => `${number} ${kind}`)).toEqual([
      '1 put',
      '2 delete',
      '3 transaction',
      '4 compact',
      '5 keep_history',
      '6 session_open',
      '7 lease_grant',
      '8 lease_revoke',
      '9 lease_expire',
      '10 lock_acquire',
      '11 lock_release',
      '12 election_campaign',
      '13 election_proclaim',
      '14 election_resign',
      '15 node_register',
      '16 node_stop',
      '17 node_retire',
      '18 node_fence',
      '19 coordinator_retire',
      '40 topic_create',
      '41 topic_delete',
      '42 topic_configure',
      '43 topic_grow',
      '44 isr_change',
      '45 broker_ready',
      '46 broker_leave',
      '47 replicas_yield',
      '48 leaders_elect',
      '49 partitions_reassign',
      '50 producer_ids',
      '51 partitions_settle',
      '52 topic_sweep',
    ])
  })

  it('[CM1] keeps its bytes: a log of version 1 is read for ever', () => {
    const codec = new CommandCodec()
    const bytes = Uint8Array.from([0x99, 1, 1, 0, 0, 0, 0xa1, 0x61, 0xc4, 1, 0x31, 0, 0xc2])
    expect(codec.encode(put('a', '1'))).toEqual(bytes)
    const one = new ScriptedState()
    one.state.apply(codec.decode(bytes), 1)
    expect(one.value('a')).toBe('1')
  })

  it('[CM2] of an older log has the meaning its silence had', () => {
    const fields = { ttlMs: field(u32(), 'Term.') }
    const row = (more: object) => ({
      session_open: { number: 6, fields: { ...fields, ...more }, answer: { session: field(i53(), 'It.') } },
    })
    const old = new CommandCodec(row({}), 1)
    const later = new CommandCodec(row({ owner: added(2, str({ max: 8 }), 'nobody', 'Who.') }), 2)
    const command = { kind: 'session_open', ttlMs: 500 } as const
    expect(later.decode(old.encode(command))).toEqual({ ...command, owner: 'nobody' })
    const newer = { ...command, owner: 'me' } as Command
    expect(later.decode(later.encode(newer))).toEqual(newer)
    // While an old coordinator may still read it, the leader writes what that one reads.
    expect(old.decode(later.encode(newer, 1))).toEqual(command)
  })

  it('[CM3] that this build does not know stops it instead of being guessed at', () => {
    const codec = new CommandCodec()
    for (const wire of [
      [2, 1, 0, 0, 0, 'a', new Uint8Array(1), 0, false],
      [1, 99],
    ])
      expect(() => codec.decode(body.encode(wire))).toThrow(expect.objectContaining({ code: 'unsupported_version' }))
  })

  it('[CM4] of damaged bytes is refused with a typed error, whatever they are', () => {
    const codec = new CommandCodec()
    fc.assert(
      fc.property(anyCommand, fc.nat(), fc.integer({ min: 1, max: 255 }), (command, where, flip) => {
        const bytes = codec.encode(command)
        bytes[where % bytes.length] = (bytes[where % bytes.length] ?? 0) ^ flip
        try {
          codec.decode(bytes)
        } catch (error) {
          expect(error).toMatchObject({ name: 'ProtocolError' })
        }
      }),
      { seed: 52, numRuns: 300 },
    )
  })
})
