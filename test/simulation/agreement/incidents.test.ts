// What happened to other systems, told again with whole coordinators: core, driver, log, snapshots and gossip together. The
// B numbers are those of our list of bug classes; the Raft core alone goes through the same in test/simulation/raft.
import { type LinkRule, type NodeId, present, seededRandom } from '@atoll/base'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { topologies } from '../raft/topologies.ts'
import { Scene } from './scene.ts'

const hashes = await createSimHashes()

/** Files of the Raft log of a node, the newest segment last. */
function segmentsOf(scene: Scene, name: NodeId): readonly string[] {
  return [...scene.cluster.diskOf(name).files().keys()].filter(path => /^raft\/.*\.log$/.test(path)).toSorted()
}

function snapshotsOf(scene: Scene, name: NodeId): readonly string[] {
  return [...scene.cluster.diskOf(name).files().keys()].filter(path => path.endsWith('.checkpoint')).toSorted()
}

/** Cuts the directed links that `isCut` names. */
function cut(scene: Scene, isCut: (from: string, to: string) => boolean): readonly LinkRule[] {
  const rules = scene.names.flatMap(from =>
    scene.names.flatMap((to): LinkRule[] => (from !== to && isCut(from, to) ? [{ from, to, fault: { cut: true } }] : [])),
  )
  scene.cluster.breakLinks(rules)
  return rules
}

describe('pauses, power and disks', () => {
  it.each([3, 5])('[CO4] B6: pauses and a loss of power leave one history with %i', async nodes => {
    const scene = await Scene.established(hashes, nodes)
    for (let round = 0; round < 3; round++) {
      const [first, second, third] = [0, 1, 2].map(place => scene.names[(round + place) % nodes]) as [NodeId, NodeId, NodeId]
      scene.cluster.pause(first)
      await scene.busy(300)
      scene.cluster.losePower(second)
      await scene.busy(300)
      scene.cluster.resume(first)
      scene.cluster.pause(third)
      scene.cluster.start(second)
      await scene.busy(1_500)
      scene.cluster.resume(third)
      await scene.mustAcknowledge('after pauses and a power loss')
    }
    await scene.converge()
    expect(scene.wrong).toEqual([])
  })

  it.each([1, 2, 3])(
    '[CO4] B7: a flipped bit in a log costs no acknowledged write, and is mended from the others (seed %i)',
    async seed => {
      const scene = await Scene.established(hashes, 3, seed)
      const victim = await scene.aFollower()
      // More than the record of the durable end leaves open.
      scene.cluster.crash(victim)
      await scene.busy(300)
      const disk = scene.cluster.diskOf(victim)
      disk.flipBit(present(segmentsOf(scene, victim)[0], 'a segment'), 200 + seed * 31)
      scene.cluster.start(victim)
      await scene.until('the damage is mended', () => scene.cluster.logOf(victim).some(line => line.includes('"repaired"')), 10_000)
      // Now it has to stand in for one that is gone.
      const gone = present(
        scene.names.find(name => name !== victim),
        'another',
      )
      scene.cluster.crash(gone)
      await scene.mustAcknowledge('with the mended one')
      await scene.converge(scene.names.filter(name => name !== gone))
      expect(scene.wrong).toEqual([])
    },
  )

  it('[CO4] B8: one with a damaged snapshot does not start and deletes nothing, and the others go on', async () => {
    const scene = await Scene.established(hashes)
    const victim = await scene.aFollower()
    await scene.busy(1_000)
    scene.cluster.crash(victim)
    const disk = scene.cluster.diskOf(victim)
    disk.flipBit(present(snapshotsOf(scene, victim).at(-1), 'a snapshot'))
    const before = [...disk.files()].map(([path, file]) => `${path} ${file.sizeBytes}`)
    scene.cluster.start(victim)
    await scene.busy(1_000)
    expect(scene.cluster.stateOf(victim)).toBe('down')
    expect([...disk.files()].map(([path, file]) => `${path} ${file.sizeBytes}`)).toEqual(before)
    await scene.mustAcknowledge('beside one that cannot start')
    await scene.converge(scene.names.filter(name => name !== victim))
    expect(scene.wrong).toEqual([])
  })

  it('[CO4] B9: what is there stays there through one kill after the other', async () => {
    const scene = await Scene.established(hashes)
    for (let round = 0; round < 12; round++) {
      const [one, other] = [scene.names[round % 3], scene.names[(round * 2 + 1) % 3]] as [NodeId, NodeId]
      scene.cluster.crash(one)
      if (other !== one) scene.cluster.crash(other)
      await scene.runFor(50)
      scene.cluster.start(one)
      if (other !== one) scene.cluster.start(other)
      await scene.mustAcknowledge('after a kill')
    }
    await scene.converge()
    expect(scene.wrong).toEqual([])
  })

  it('[CO4] B21: what was read is read again after all lost their power', async () => {
    const scene = await Scene.established(hashes)
    for (let round = 0; round < 5; round++) {
      await scene.busy(150)
      for (const name of scene.names) scene.cluster.losePower(name)
      scene.cluster.startAll()
      await scene.mustAcknowledge('after all lost their power')
    }
    await scene.converge()
    expect(scene.wrong).toEqual([])
  })

  it.each([1, 2, 3, 4])('[CO4] B22: a single one keeps the last write it acknowledged (seed %i)', async seed => {
    const scene = await Scene.established(hashes, 1, seed)
    for (let round = 0; round < 5; round++) {
      const before = scene.acknowledged.size
      await scene.theLeader()
      scene.write(scene.names[0] as NodeId)
      await scene.until('it is acknowledged', () => scene.acknowledged.size > before)
      scene.cluster.losePower(scene.names[0] as NodeId)
      scene.cluster.startAll()
      await scene.converge()
    }
    expect(scene.wrong).toEqual([])
  })

  it('[CO4] B23: no revision goes back or changes its meaning when power fails around compactions', async () => {
    const scene = await Scene.established(hashes)
    for (let round = 0; round < 6; round++) {
      scene.compact(await scene.theLeader())
      // Before it is committed, while it is, and when it is applied.
      await scene.runFor(round)
      for (const name of scene.names) scene.cluster.losePower(name)
      scene.cluster.startAll()
      await scene.mustAcknowledge('after a compaction and a power loss')
    }
    await scene.converge()
    expect(scene.wrong).toEqual([])
  })

  it.each(['stuck', 'full'] as const)('[CO4] B26: a leader whose disk is %s makes way, and follows when it works again', async how => {
    const scene = await Scene.established(hashes)
    const zombie = await scene.theLeader()
    scene.cluster.diskOf(zombie).replace(how === 'full' ? { full: true } : { syncStuck: true })
    // What is left of its last page may still take a write or two.
    await scene.busy(3_000)
    expect(scene.leader).not.toBe(zombie)
    await scene.mustAcknowledge(`while the disk of one is ${how}`)
    scene.cluster.diskOf(zombie).replace({})
    await scene.converge()
    expect(scene.wrong).toEqual([])
  })
})

describe('snapshots', () => {
  it('[CO4] B12: a crash after any step of taking a snapshot leaves no gap', async () => {
    for (let step = 1; step <= 30; step++) {
      const scene = await Scene.established(hashes, 3, step)
      const victim = await scene.aFollower()
      const disk = scene.cluster.diskOf(victim)
      const before = snapshotsOf(scene, victim).length === 0 ? undefined : snapshotsOf(scene, victim).at(-1)
      let left = step
      disk.onOperation = ({ path }) => {
        // From the first byte of a new one to the end of what is discarded for it.
        const begun = path.includes('snapshots') && path !== before
        if ((begun || left < step) && --left === 0)
          scene.cluster.simulation.at(scene.cluster.simulation.nowMs, () => scene.cluster.losePower(victim))
      }
      await scene.busy(1_200)
      disk.onOperation = undefined
      expect(left, 'the power failed').toBeLessThan(1)
      scene.cluster.start(victim)
      await scene.converge()
      expect(scene.wrong).toEqual([])
    }
  })

  it('[CO4] B25: one that needs a snapshot, and the next before it is done with it, catches up', async () => {
    const scene = await Scene.established(hashes)
    const victim = await scene.aFollower()
    for (let round = 0; round < 4; round++) {
      const rules = cut(scene, (from, to) => from === victim || to === victim)
      await scene.busy(1_500)
      scene.cluster.healLinks(rules)
      await scene.busy(40 + round * 20)
    }
    await scene.converge()
    expect(scene.cluster.logOf(victim).filter(line => line.includes('snapshot_installed')).length).toBeGreaterThan(1)
    expect(scene.wrong).toEqual([])
  })
})

describe('leaders', () => {
  it('[CO4] B11: an old leader that wakes up, or is linked again, adds nothing of its own', async () => {
    const scene = await Scene.established(hashes, 5)
    for (let round = 0; round < 4; round++) {
      const old = await scene.theLeader()
      const rules = round % 2 === 0 ? [] : cut(scene, (from, to) => from === old || to === old)
      if (round % 2 === 0) scene.cluster.pause(old)
      await scene.busy(2_000)
      scene.cluster.resume(old)
      scene.cluster.healLinks(rules)
      await scene.mustAcknowledge('after the old leader came back')
    }
    await scene.converge()
    expect(scene.wrong).toEqual([])
  })

  it('[CO4] B20: a leader that was stopped answers no read with what it held', async () => {
    const scene = await Scene.established(hashes)
    for (let round = 0; round < 5; round++) {
      const old = await scene.theLeader()
      scene.read(old)
      scene.cluster.pause(old)
      await scene.until('another one leads', () => scene.leader !== undefined && scene.leader !== old)
      await scene.busy(300)
      scene.cluster.resume(old)
      for (let tries = 0; tries < 20; tries++) {
        scene.read(old)
        await scene.runFor(2)
      }
      await scene.mustAcknowledge('after a paused reader')
    }
    await scene.converge()
    expect(scene.wrong).toEqual([])
  })

  it.each(['leader_deaf', 'leader_mute', 'bridge', 'chain', 'ring', 'star'])(
    '[CO4] B27: under partial connectivity (%s) one leads, and stays',
    async topology => {
      for (const nodes of topology === 'chain' ? [3] : [3, 5]) {
        const scene = await Scene.established(hashes, nodes)
        const isCut = present(topologies[topology], 'a topology')(scene.names, seededRandom(nodes), await scene.theLeader())
        const rules = cut(scene, isCut)
        await scene.busy(2_000)
        await scene.mustAcknowledge(`in a ${topology} of ${nodes}`)
        const { terms } = scene.invariants
        await scene.busy(5_000)
        expect(scene.invariants.terms - terms, `changes of leader in a ${topology} of ${nodes}`).toBeLessThanOrEqual(1)
        scene.cluster.healLinks(rules)
        await scene.converge()
        expect(scene.wrong).toEqual([])
      }
    },
  )
})
