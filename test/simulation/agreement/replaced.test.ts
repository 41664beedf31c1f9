// Coordinators lose their disks one after the other, while others are killed, stopped, cut off and without power: each comes
// back under a new identity and votes again, and what was acknowledged is there. Raft's invariants hold after every step.
import { type LinkRule, type NodeId, type SeededRandom, seededRandom } from '@atoll/base'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { Scene } from './scene.ts'

const hashes = await createSimHashes()
const SEEDS = 25
const LOSSES = 4
/** Once nothing else is disturbed, in virtual milliseconds. */
const REPLACED_MS = 15_000

/** What is done to a machine wakes others, in the event in which it is done. */
function now({ cluster }: Scene, act: () => void): void {
  cluster.simulation.at(cluster.simulation.nowMs, act)
}

/** Its process dies and its directory is gone. */
function loseDisk({ cluster, invariants }: Scene, victim: NodeId): void {
  cluster.losePower(victim)
  cluster.diskOf(victim).wipe()
  invariants.raft.wiped(victim)
}

/** Something else that goes wrong for a while: with nobody but `victim` for good. */
async function disturb(scene: Scene, victim: NodeId, random: SeededRandom): Promise<void> {
  const { cluster } = scene
  const other = scene.names.filter(name => name !== victim)[random.below(scene.names.length - 1)] as NodeId
  const forMs = 100 + random.below(2_000)
  const inEvent = (act: () => void): void => now(scene, act)
  switch (random.below(5)) {
    case 0:
      inEvent(() => cluster.crash(other))
      await scene.busy(forMs)
      return inEvent(() => cluster.start(other))
    case 1:
      inEvent(() => cluster.pause(other))
      await scene.busy(forMs)
      return inEvent(() => cluster.resume(other))
    case 2: {
      const rules: LinkRule[] = [
        { from: other, to: victim, fault: { cut: true } },
        { from: victim, to: other, fault: { cut: true } },
      ]
      inEvent(() => cluster.breakLinks(rules))
      await scene.busy(forMs)
      return inEvent(() => cluster.healLinks(rules))
    }
    case 3:
      // Itself, on its way.
      inEvent(() => cluster.losePower(victim))
      await scene.busy(forMs)
      return inEvent(() => cluster.start(victim))
    default:
      return scene.busy(forMs)
  }
}

/** Everybody has a leader in whose configuration all vote, each on the disk it has. */
function allVote(scene: Scene): boolean {
  return scene.names.every(name => {
    const voters = scene.status(name)?.configuration.voters
    const disks = scene.names.map(other => scene.cluster.coordinator(other)?.agreement.self.disk)
    return voters?.length === scene.names.length && voters.every(({ disk }) => disks.includes(disk))
  })
}

describe('coordinators that lose their disks', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('[CO8] seed %i: all vote again, and nothing is lost', async seed => {
    const random = seededRandom(seed)
    const scene = await Scene.established(hashes, random.below(3) === 0 ? 5 : 3, seed)
    for (let loss = 0; loss < LOSSES; loss++) {
      const victim = random.below(3) === 0 ? await scene.theLeader() : (scene.names[random.below(scene.names.length)] as NodeId)
      now(scene, () => loseDisk(scene, victim))
      await scene.busy(random.below(1_000))
      now(scene, () => scene.cluster.start(victim))
      for (let i = random.below(4); i > 0; i--) await disturb(scene, victim, random)
      await scene.until(`${victim} votes again`, () => allVote(scene), REPLACED_MS)
      await scene.mustAcknowledge('with the new disk')
    }
    await scene.converge()
    expect(scene.wrong).toEqual([])
    expect(scene.acknowledged.size).toBeGreaterThan(100)
  })
})
