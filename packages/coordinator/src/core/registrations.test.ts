// Registrations: epochs, clean and unclean starts, and identities that come and go.
import type { NodeId } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import type { Command, CommandOf } from './commands.ts'
import { NODE_PREFIX, type Registration } from './registrations.ts'
import { expire, grantLease, onceOf, register, rev, ScriptedState } from './scripted-state.ts'

const broker = 'broker-1' as NodeId
const never = onceOf(0, 0, 0)
const stop = (epoch: number): CommandOf<'node_stop'> => ({ kind: 'node_stop', ...never, node: broker, epoch: rev(epoch) })
const retire = (disk: string): CommandOf<'node_retire'> => ({ kind: 'node_retire', ...never, node: broker, disk })
const fence = (epoch: number): CommandOf<'node_fence'> => ({ kind: 'node_fence', node: broker, epoch: rev(epoch) })

function stored(one: ScriptedState): Registration | undefined {
  const version = one.state.store.get(NODE_PREFIX + broker)
  return version === undefined ? undefined : one.state.registrations.read(version)
}

describe('a registration', () => {
  it('[RG1] gets an epoch above all before, and voids them', () => {
    const one = new ScriptedState()
    const first = one.do(register(broker, 'disk-1', 1))
    const other = one.do(register('broker-2', 'disk-9', 1))
    const second = one.do(register(broker, 'disk-1', 2))
    expect([first.start, other.epoch > first.epoch, second.epoch > other.epoch]).toEqual(['first', true, true])
    expect(one.refusal(stop(first.epoch))).toBe('stale_registration')
    one.do(fence(first.epoch))
    expect(stored(one)).toMatchObject({ state: 'active', epoch: second.epoch })
  })

  it('[RG2] counts as clean only if the disk remembers the very epoch before', () => {
    const one = new ScriptedState()
    const first = one.do(register(broker, 'disk-1', 1)).epoch
    one.do(stop(first))
    expect(stored(one)?.state).toBe('stopped')
    const second = one.do(register(broker, 'disk-1', 2, { cleanEpoch: first }))
    expect(second.start).toBe('clean')
    // A disk that was put back from an old copy remembers an older one.
    expect(one.do(register(broker, 'disk-1', 3, { cleanEpoch: first })).start).toBe('unclean')
    expect(one.do(register(broker, 'disk-1', 4, { bootId: 'boot-2' }))).toMatchObject({ start: 'unclean', rebooted: true })
  })

  it('[RG3] of the same process, after it was fenced, keeps what its start counted as', () => {
    const one = new ScriptedState()
    one.do(register(broker, 'disk-1', 1))
    const { epoch } = one.do(register(broker, 'disk-1', 2))
    one.do(fence(epoch))
    expect(stored(one)).toMatchObject({ state: 'fenced', start: 'unclean' })
    // It is still to be acted upon, whatever it says now.
    expect(one.do(register(broker, 'disk-1', 2, { cleanEpoch: epoch })).start).toBe('unclean')
  })

  it('[RG4] of an earlier process that arrives late is refused', () => {
    const one = new ScriptedState()
    one.do(register(broker, 'disk-1', 5))
    expect(one.refusal(register(broker, 'disk-1', 4))).toBe('stale_registration')
    expect(stored(one)?.starts).toBe(5)
  })

  it('[RG5] ends as fenced when its lease does, in the same revision', () => {
    const one = new ScriptedState()
    const { lease } = one.do(grantLease())
    one.do(register(broker, 'disk-1', 1, { lease }))
    one.apply(expire(lease))
    expect(stored(one)).toMatchObject({ state: 'fenced', lease: 0 })
    expect(one.refusal(register(broker, 'disk-1', 1, { lease }))).toBe('lease_not_found')
    const next = one.do(grantLease()).lease
    one.do(register(broker, 'disk-1', 1, { lease: next }))
    expect(stored(one)?.state).toBe('active')
  })

  it('[RG6] B28: a node that returns without its disk is refused, and so is a disk that was given up', () => {
    const one = new ScriptedState()
    one.do(register(broker, 'disk-1', 7, { role: 'coordinator' }))
    // Wiped: the directory is new, so it has a new identity, and must not speak for the old one, whatever it says.
    expect(one.refusal(register(broker, 'disk-2', 1, { role: 'coordinator' }))).toBe('identity_refused')
    expect(one.refusal(register(broker, 'disk-2', 1, { role: 'coordinator', replaces: 'disk-1' }))).toBe('identity_refused')
    one.do(retire('disk-1'))
    expect(one.refusal(register(broker, 'disk-1', 8, { role: 'coordinator' }))).toBe('identity_refused')
    expect(one.do(register(broker, 'disk-2', 1, { role: 'coordinator' })).start).toBe('new_disk')
    // Found again in a drawer.
    expect(one.refusal(register(broker, 'disk-1', 9, { role: 'coordinator' }))).toBe('identity_refused')
    expect(one.restored().refusal(register(broker, 'disk-1', 9, { role: 'coordinator' }))).toBe('identity_refused')
  })

  it('[RG7] of a broker may replace a lost disk by naming it; that counts as a new disk', () => {
    const one = new ScriptedState()
    one.do(register(broker, 'disk-1', 3))
    expect(one.refusal(register(broker, 'disk-2', 1))).toBe('identity_refused')
    expect(one.refusal(register(broker, 'disk-2', 1, { replaces: 'disk-0' }))).toBe('identity_refused')
    expect(one.do(register(broker, 'disk-2', 1, { replaces: 'disk-1' })).start).toBe('new_disk')
    expect(stored(one)?.retiredDisks).toEqual(['disk-1'])
    expect(one.refusal(register(broker, 'disk-1', 4, { replaces: 'disk-2' }))).toBe('identity_refused')
    expect(one.refusal(register(broker, 'disk-2', 2, { role: 'cache' }))).toBe('identity_refused')
  })

  it('[RG8] that never was cannot be stopped or retired', () => {
    const one = new ScriptedState()
    expect([one.refusal(stop(1)), one.refusal(retire('disk-1'))]).toEqual(['unknown_node', 'unknown_node'])
    expect(one.do(fence(1)).revision).toBe(0)
    one.do(register(broker, 'disk-1', 1))
    expect(one.refusal(retire('disk-7'))).toBe('identity_refused')
  })

  it('[RG9] of a coordinator whose disk was given up before it arrived is refused, whoever has the name by then', () => {
    const one = new ScriptedState()
    const giveUp = (disk: string): Command => ({ kind: 'coordinator_retire', node: broker, disk })
    const coordinator = (disk: string) => register(broker, disk, 1, { role: 'coordinator' })
    one.apply(giveUp('disk-1'))
    expect(one.refusal(coordinator('disk-1'))).toBe('identity_refused')
    expect(one.restored().refusal(coordinator('disk-1'))).toBe('identity_refused')
    expect(one.do(coordinator('disk-2'))).toMatchObject({ start: 'new_disk', rebooted: false })
    one.apply(giveUp('disk-3'))
    expect(stored(one)).toMatchObject({ state: 'active', disk: 'disk-2', retiredDisks: ['disk-1', 'disk-3'] })
    one.apply(giveUp('disk-2'))
    expect(stored(one)?.state).toBe('retired')
    expect(one.refusal(coordinator('disk-3'))).toBe('identity_refused')
    expect(one.do(coordinator('disk-4')).start).toBe('new_disk')
  })
})
