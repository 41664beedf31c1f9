// Disks that are full, slow, stuck, that fail, that lose bits, and that are gone.
import { type DiskFault, type NodeId, nodeId } from '@atoll/base'
import { type DrawFault, type Drawing, drawVictim } from './fault.ts'

const broken =
  (what: string, faultOf: (drawing: Drawing) => DiskFault, leaderShare?: number): DrawFault =>
  drawing => {
    const victim = drawVictim(drawing, leaderShare)
    const fault = faultOf(drawing)
    return { what: `${what} ${victim.text}`, begin: cluster => cluster.breakDisk(victim.in(cluster), fault) }
  }

/** The next syncs fail and those after them do not: what they did not write is never written, and nothing says so again. */
const failedSyncs: DrawFault = drawing => {
  const victim = drawVictim(drawing)
  const count = 1 + drawing.random.below(2)
  return {
    what: `fail ${count} syncs of ${victim.text}`,
    begin(cluster) {
      const name = victim.in(cluster)
      cluster.diskOf(name).failNextSyncs(count)
      return () => cluster.diskOf(name).failNextSyncs(0)
    },
  }
}

/** Room for a little more, so that a write ends in its middle. */
const littleRoom: DrawFault = drawing => {
  const victim = drawVictim(drawing)
  const bytes = drawing.random.below(3) * 4_096
  return {
    what: `${bytes} bytes of room on the disk of ${victim.text}`,
    begin(cluster) {
      const disk = cluster.diskOf(victim.in(cluster))
      disk.setCapacity(disk.usedBytes + bytes)
      return () => disk.setCapacity(Number.POSITIVE_INFINITY)
    },
  }
}

/** One of the few whose disk may lose what it holds. */
function fragileOne({ fragile, random, names }: Drawing): NodeId {
  return fragile[random.below(fragile.length)] ?? nodeId(names[0] as string)
}

/** A bit of what was written long ago turns over while the machine is off. */
const bitFlip: DrawFault = drawing => {
  const name = fragileOne(drawing)
  const [draw, place] = [drawing.random.float(), drawing.random.float()]
  return {
    what: `flip a bit on the disk of ${name}`,
    begin(cluster) {
      const disk = cluster.diskOf(name)
      const segments = [...disk.files()].filter(([path, file]) => path.endsWith('.log') && file.sizeBytes > 0)
      const [path, file] = segments[Math.floor(draw * segments.length)] ?? []
      if (path === undefined || file === undefined) return undefined
      const release = cluster.holdDown(name)
      cluster.crash(name)
      disk.flipBit(path, Math.floor(place * file.sizeBytes))
      return release
    },
  }
}

/** The disk is gone: a new, empty one is in its place, and whoever starts on it has to be taken in anew. */
const wipe: DrawFault = drawing => {
  const name = fragileOne(drawing)
  return {
    what: `lose the disk of ${name}`,
    begin(cluster) {
      const release = cluster.holdDown(name)
      cluster.crash(name)
      cluster.wipe(name)
      return release
    },
  }
}

export const diskFaults = {
  full_disk: broken('fill the disk of', () => ({ full: true }), 0.6),
  little_room: littleRoom,
  stuck_disk: broken('no sync ends on the disk of', () => ({ syncStuck: true }), 0.6),
  slow_disk: broken('slow syncs on the disk of', ({ random }) => ({ syncDelayMs: 20 + random.below(300) })),
  failed_syncs: failedSyncs,
  failed_writes: broken('fail the writes of', () => ({ writeFails: true })),
  failed_reads: broken('fail the reads of', () => ({ readFails: true })),
  bit_flip: bitFlip,
  wipe,
} as const
