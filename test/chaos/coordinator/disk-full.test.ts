// A coordinator whose disk is really full: a file system of a few MiB under its data, filled by what it writes itself. It
// needs the right to mount one; without it there is nothing to try, and the simulator tells the same story.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { ChaosCluster, NAMES } from './cluster.ts'
import { Workload } from './workload.ts'

const FULL_MIB = 12
/** Takes what is left. */
const BALLAST = 'ballast'

/** Small file systems that stand in for the data of nodes; gone at the end of their scope. */
class SmallDisks implements Disposable {
  readonly #home = mkdtempSync(join(tmpdir(), 'atoll-small-disks-'))
  readonly #mounted: string[] = []

  /** Makes `path` lead to a new one. */
  put(name: string, path: string): void {
    const place = join(this.#home, name)
    mkdirSync(place)
    mkdirSync(dirname(path), { recursive: true })
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${FULL_MIB}m,mode=0700`, 'tmpfs', place], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`cannot mount: ${stderr}`)
    this.#mounted.push(place)
    symlinkSync(place, path)
  }

  [Symbol.dispose](): void {
    // Lazily, so that nothing which still looks at it keeps it.
    for (const place of this.#mounted) spawnSync('umount', ['-l', place])
    rmSync(this.#home, { recursive: true })
  }
}

const allowed = process.platform === 'linux' && process.getuid?.() === 0

it.runIf(allowed)(
  '[CO4] B26: a leader whose disk is full makes way, keeps what it acknowledged, and is back when there is room',
  async () => {
    using disks = new SmallDisks()
    await using cluster = await ChaosCluster.start(({ path }) => {
      for (const name of NAMES) disks.put(name, join(path, 'data', name))
    })
    const load = await new Workload(cluster).start()
    const { node: leader, term } = await cluster.leadership()
    const ballast = join(cluster.directory.path, 'data', leader, BALLAST)
    fill(ballast)
    await cluster.leadership(NAMES, term)
    expect(await cluster.leader()).not.toBe(leader)
    await load.progress()
    rmSync(ballast)
    await load.progress()
    expect(
      cluster
        .node(leader)
        .log()
        .map(({ event }) => event),
    ).toContain('disk_full')
    // Now the others need it.
    const [gone] = NAMES.filter(name => name !== leader) as [string]
    await cluster.converged()
    await cluster.kill(gone)
    await load.progress()
    await cluster.restart(gone)
    expect(await load.verdict()).toEqual([])
  },
)

/** Takes all the room there is. */
function fill(path: string): void {
  const piece = new Uint8Array(4_096)
  try {
    for (;;) writeFileSync(path, piece, { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
