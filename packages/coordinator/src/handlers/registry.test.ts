// The registry, and what a coordinator says of itself.

import { nodeId } from '@atoll/base'
import { coordinatorStatus, memberList, nodeRegister, nodeRetire, nodeStop } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { never, noLease, SimulatedCoordinators } from '../simulated-coordinators.ts'

const broker = {
  ...never,
  node: nodeId('broker-1'),
  role: 'broker',
  disk: 'disk-1',
  replaces: undefined,
  starts: 1,
  cleanEpoch: 0 as never,
  bootId: 'boot-1',
  incarnation: 1 as never,
  lease: noLease,
  endpoints: [{ protocol: 'native', host: '127.0.0.1', port: 7_301 }],
}

describe('the registry', () => {
  it('[SV18] registers nodes in epochs, and lists them at any coordinator', async () => {
    const scene = await SimulatedCoordinators.ready()
    const first = await scene.ask(scene.leader(), nodeRegister, broker)
    expect(first).toMatchObject({ start: 'first', rebooted: false })
    await scene.ask(scene.leader(), nodeStop, { ...never, node: broker.node, epoch: first.epoch })
    const second = await scene.ask(scene.leader(), nodeRegister, { ...broker, starts: 2, cleanEpoch: first.epoch })
    expect(second).toMatchObject({ start: 'clean', rebooted: false })
    for (const name of scene.names) {
      const { members } = await scene.ask(name, memberList, { consistency: 'linearizable' })
      expect(members.find(member => member.name === broker.node)).toEqual({
        name: broker.node,
        role: 'broker',
        state: 'active',
        leader: false,
        epoch: second.epoch,
        disk: 'disk-1',
        start: 'clean',
        endpoints: broker.endpoints,
      })
    }
    await scene.ask(scene.leader(), nodeRetire, { ...never, node: broker.node, disk: 'disk-1' })
    await expect(scene.ask(scene.leader(), nodeRegister, { ...broker, starts: 3 })).rejects.toMatchObject({ code: 'identity_refused' })
  })

  it('[SV18] is told how a coordinator is, by itself', async () => {
    const scene = await SimulatedCoordinators.ready()
    await scene.run(2_000)
    const statuses = []
    for (const name of scene.names) statuses.push(await scene.ask(name, coordinatorStatus, {}))
    expect(statuses.map(({ node }) => node)).toEqual(scene.names)
    expect(new Set(statuses.map(({ leader }) => leader))).toEqual(new Set([scene.leader()]))
    const ofLeader = statuses.find(({ node }) => node === scene.leader())
    expect(ofLeader?.members.map(({ node, voter, match }) => [node, voter, match > 0])).toEqual(scene.names.map(name => [name, true, true]))
    const applied = new Map(statuses.map(({ appliedIndex, digest }) => [appliedIndex, digest]))
    for (const { appliedIndex, digest } of statuses) expect(applied.get(appliedIndex)).toBe(digest)
  })
})
