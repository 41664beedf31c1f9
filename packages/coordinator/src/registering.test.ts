// Nodes that register with the coordinators, the coordinators themselves first of all: whole processes on simulated disks.
import { type NodeId, present } from '@atoll/base'
import { memberList, nodeRegister, nodeRetire, nodeStatus, type RequestOf, type Revision } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { never, noLease, SimulatedCoordinators } from './simulated-coordinators.ts'

const registrationOf = (scene: SimulatedCoordinators, name: NodeId) => scene.running.get(name)?.registration
const epochOf = (scene: SimulatedCoordinators, name: NodeId): number => registrationOf(scene, name)?.believed?.epoch ?? 0

/** All three run, follow a leader and are registered. */
async function registered(): Promise<SimulatedCoordinators> {
  const scene = await SimulatedCoordinators.ready()
  await scene.until(() => scene.names.every(name => epochOf(scene, name) > 0), 'all are registered')
  return scene
}

async function startAgain(scene: SimulatedCoordinators, name: NodeId): Promise<void> {
  scene.start(name)
  await scene.until(() => epochOf(scene, name) > 0, 'it is registered again')
}

async function member(scene: SimulatedCoordinators, name: NodeId) {
  const { members } = await scene.ask(scene.leader(), memberList, { consistency: 'linearizable' })
  const found = members.find(row => row.name === name)
  if (found === undefined) throw new Error(`${name} never registered`)
  return found
}

const log = (scene: SimulatedCoordinators, name: NodeId) =>
  scene.machine(name).logLines.map(line => JSON.parse(line) as { readonly event: string; readonly code?: string })

/** What the process of `name` would say of itself, apart from `change`. */
async function asIf(
  scene: SimulatedCoordinators,
  name: NodeId,
  change: Partial<RequestOf<typeof nodeRegister>>,
): Promise<RequestOf<typeof nodeRegister>> {
  const { role, disk } = await member(scene, name)
  const about = { node: name, role, disk, replaces: undefined, starts: 1, cleanEpoch: 0 as Revision, bootId: 'boot', endpoints: [] }
  return { ...never, ...about, incarnation: 0 as never, lease: noLease, ...change }
}

describe('a registration', () => {
  it('[RE1] is made by every process by itself, each in an epoch of its own, and says where it is', async () => {
    const scene = await registered()
    expect(new Set(scene.names.map(name => epochOf(scene, name))).size).toBe(3)
    const { members } = await scene.ask(scene.leader(), memberList, { consistency: 'linearizable' })
    expect(members.map(({ name, role, state, start }) => ({ name, role, state, start }))).toEqual(
      scene.names.map(name => ({ name, role: 'coordinator', state: 'active', start: 'first' })),
    )
    expect(members.filter(({ leader }) => leader).map(({ name }) => name)).toEqual([scene.leader()])
    expect(members[0]?.endpoints).toEqual([{ protocol: 'native', ...scene.at(scene.names[0] as NodeId) }])
    const { epoch, unregistered } = await scene.ask(scene.names[0] as NodeId, nodeStatus, {})
    expect([epoch, unregistered]).toEqual([epochOf(scene, scene.names[0] as NodeId), undefined])
  })

  it('[RE2] tells a start after a stop in order from one after a death, each in a higher epoch', async () => {
    const scene = await registered()
    const name = scene.follower()
    const first = epochOf(scene, name)
    scene.machine(name).stop()
    await scene.until(() => scene.machine(name).state === 'down', 'it stops')
    scene.running.delete(name)
    expect((await member(scene, name)).state).toBe('stopped')
    await startAgain(scene, name)
    const second = registrationOf(scene, name)?.believed
    expect(second).toMatchObject({ start: 'clean', rebooted: false })
    scene.crash(name)
    await startAgain(scene, name)
    const third = registrationOf(scene, name)?.believed
    expect(third).toMatchObject({ start: 'unclean', rebooted: false })
    scene.machine(name).losePower()
    scene.running.delete(name)
    await startAgain(scene, name)
    const fourth = registrationOf(scene, name)?.believed
    expect(fourth).toMatchObject({ start: 'unclean', rebooted: true })
    const epochs = [first, second?.epoch, third?.epoch, fourth?.epoch]
    expect(epochs.toSorted((a, b) => Number(a) - Number(b))).toEqual(epochs)
  })

  it('[RE2] of a process that stopped in order while nobody led still counts as clean', async () => {
    const scene = await registered()
    for (const name of scene.names) scene.machine(name).stop()
    await scene.until(() => scene.names.every(name => scene.machine(name).state === 'down'), 'all stop')
    scene.running.clear()
    for (const name of scene.names) scene.start(name)
    await scene.until(() => scene.names.every(name => epochOf(scene, name) > 0), 'all are registered')
    for (const name of scene.names) expect(registrationOf(scene, name)?.believed?.start).toBe('clean')
  })

  it('[RE3] ends with its lease; the process notices before it does anything else, and registers anew', async () => {
    const scene = await registered()
    const name = scene.follower()
    const before = epochOf(scene, name)
    const fenced: number[] = []
    registrationOf(scene, name)?.onFenced(epoch => fenced.push(epoch))
    scene.machine(name).pause()
    await scene.run(8_000)
    expect((await member(scene, name)).state).toBe('fenced')
    scene.machine(name).resume()
    await scene.run(1)
    expect(epochOf(scene, name)).toBe(0)
    expect(fenced).toEqual([before])
    await scene.until(() => epochOf(scene, name) > before, 'it is registered again')
    expect((await member(scene, name)).state).toBe('active')
  })

  it('[RE3] that took most of its first term to be made is renewed before that is over', async () => {
    const scene = await registered()
    const name = scene.follower()
    scene.crash(name)
    scene.cutOff(name)
    scene.start(name)
    await scene.run(2_200)
    scene.cutOff()
    await scene.until(() => epochOf(scene, name) > 0, 'it is registered again')
    await scene.run(3_000)
    expect(log(scene, name).filter(({ event }) => event === 'fenced')).toEqual([])
  })

  it('[RE3] outlives pauses shorter than its lease, and a change of leader', async () => {
    const scene = await registered()
    const before = scene.names.map(name => epochOf(scene, name))
    const leader = scene.leader()
    scene.machine(leader).pause()
    await scene.run(1_200)
    scene.machine(leader).resume()
    await scene.run(10_000)
    expect(scene.names.map(name => epochOf(scene, name))).toEqual(before)
  })

  it('[RE3] waits for a majority, and says so', async () => {
    const scene = await registered()
    const [name, ...others] = scene.names as [NodeId, ...NodeId[]]
    for (const other of others) scene.crash(other)
    await scene.run(10_000)
    const status = await scene.ask(name, nodeStatus, {})
    expect([status.epoch, status.unregistered]).toEqual([0, expect.stringContaining('no leader')])
    for (const other of others) scene.start(other)
    await scene.until(() => scene.names.every(one => epochOf(scene, one) > 0), 'all are registered')
  })

  it('[RE4] of a second process with the same disk voids the first, which is refused from then on', async () => {
    const scene = await registered()
    const name = scene.follower()
    const first = epochOf(scene, name)
    const second = await scene.ask(scene.leader(), nodeRegister, await asIf(scene, name, { starts: 2 }))
    expect(second.epoch).toBeGreaterThan(first)
    await scene.until(() => log(scene, name).some(({ event }) => event === 'registration_refused'), 'the first is refused')
    expect(log(scene, name).find(({ event }) => event === 'registration_refused')?.code).toBe('stale_registration')
    expect(epochOf(scene, name)).toBe(0)
    expect((await scene.ask(name, nodeStatus, {})).unregistered).toContain('was started again since')
  })

  it('[RE4] of a name with another disk is refused', async () => {
    const scene = await registered()
    const request = await asIf(scene, scene.follower(), { disk: 'another' })
    await expect(scene.ask(scene.leader(), nodeRegister, request)).rejects.toMatchObject({ code: 'identity_refused' })
  })

  it('[RE4] of a coordinator that lost its disk waits until that is replaced', async () => {
    const scene = await registered()
    const name = scene.follower()
    const { disk } = await member(scene, name)
    scene.crash(name)
    scene.machine(name).disk.wipe()
    await startAgain(scene, name)
    expect(registrationOf(scene, name)?.believed?.start).toBe('new_disk')
    expect((await member(scene, name)).disk).not.toBe(disk)
    await expect(scene.ask(scene.leader(), nodeRegister, await asIf(scene, name, { disk }))).rejects.toMatchObject({
      code: 'identity_refused',
    })
  })

  it('[CO11] of a coordinator waits until its disk is a member, though the disk before is retired', async () => {
    const scene = await registered()
    const name = scene.follower()
    const { disk } = await member(scene, name)
    scene.crash(name)
    scene.machine(name).disk.wipe()
    await scene.ask(scene.leader(), nodeRetire, { ...never, node: name, disk })
    await expect(scene.ask(scene.leader(), nodeRegister, await asIf(scene, name, { disk: 'passing' }))).rejects.toMatchObject({
      code: 'identity_refused',
    })
    await startAgain(scene, name)
    expect(registrationOf(scene, name)?.believed?.start).toBe('new_disk')
  })

  it('[CO11] of a coordinator is not kept from its name by a disk that was lost and registers too late', async () => {
    const scene = await registered()
    const name = scene.follower()
    const { disk } = await member(scene, name)
    scene.crash(name)
    scene.machine(name).disk.wipe()
    await scene.ask(scene.leader(), nodeRetire, { ...never, node: name, disk })
    // Proposed by a leader that still took it for a member.
    const { machine, driver } = present(scene.running.get(scene.leader()), 'the leader').agreement
    const late = machine.codec.encode({ kind: 'node_register', ...(await asIf(scene, name, { disk: 'passing' })) })
    await scene.doing(() => present(driver, 'its driver').propose(late, 1_000))
    expect(await member(scene, name)).toMatchObject({ disk: 'passing', state: 'active' })
    await startAgain(scene, name)
    expect(await member(scene, name)).toMatchObject({ disk: scene.running.get(name)?.agreement.self.disk, state: 'active' })
    await expect(scene.ask(scene.leader(), nodeRegister, await asIf(scene, name, { disk: 'passing' }))).rejects.toMatchObject({
      code: 'identity_refused',
    })
  })

  it('[RE5] is not made by a process whose disk does not say who it is', async () => {
    const scene = await registered()
    const name = scene.follower()
    scene.crash(name)
    scene.machine(name).disk.flipBit('standing')
    scene.start(name)
    await scene.run(5_000)
    expect(epochOf(scene, name)).toBe(0)
    expect((await scene.ask(name, nodeStatus, {})).unregistered).toContain('standing')
  })
})
