// A node's disk: it outlives the node's processes, loses at power loss what was not synced, and breaks as told. What the
// harness may do stands here; the port that a process gets is disk-port.ts. Counters say which faults really happened.
import type { DiskFault, DiskFaults, Random, SeededRandom } from '@atoll/base'
import { assert, checkDiskPath, DiskError, present } from '@atoll/base'
import type { EventKind } from './scheduler.ts'
import { type Entry, VirtualDirectory } from './virtual-directory.ts'
import { PAGE_BYTES, type PageFate, VirtualFile } from './virtual-file.ts'

export interface SimDiskSettings {
  /** How long a sync takes, uniform, in milliseconds. Default 0.1 to 2. */
  readonly syncMsMin: number
  readonly syncMsMax: number
  /** How long a read that is not `readNow` takes, uniform, in milliseconds. Default 0.01 to 0.2. */
  readonly readMsMin: number
  readonly readMsMax: number
  /** Bytes it holds, in whole pages. Default unbounded. */
  readonly capacityBytes: number
}

/** What power loss leaves of what was not synced. `drawn` decides per file and directory, from the seed. */
export type PowerLoss = PageFate | 'drawn'

/** One call that changed something, or began or ended a sync: the points at which a crash makes a difference. */
export interface DiskOperation {
  readonly kind:
    | 'create'
    | 'empty'
    | 'write'
    | 'truncate'
    | 'rename'
    | 'remove'
    | 'make_directory'
    | 'remove_directory'
    | 'sync_begun'
    | 'sync_ended'
  readonly path: string
}

const SETTINGS_DEFAULT: SimDiskSettings = {
  syncMsMin: 0.1,
  syncMsMax: 2,
  readMsMin: 0.01,
  readMsMax: 0.2,
  capacityBytes: Number.POSITIVE_INFINITY,
}

export interface DiskScheduler {
  schedule(delayMs: number, kind: EventKind, owner: undefined, run: () => void): unknown
}

export class SimDisk implements DiskFaults {
  readonly settings: SimDiskSettings
  readonly random: Random
  /** What happened, in faults that fired. */
  readonly fired = {
    pagesKept: 0,
    pagesDropped: 0,
    pagesTorn: 0,
    pagesGarbled: 0,
    namesLost: 0,
    bitsFlipped: 0,
    writesRefused: 0,
    shortWrites: 0,
    writesFailed: 0,
    readsFailed: 0,
    syncsDelayed: 0,
    syncsStuck: 0,
    syncsFailed: 0,
    pagesLostBySync: 0,
    wiped: 0,
  }
  /** Called after each operation. */
  onOperation: ((operation: DiskOperation) => void) | undefined
  /** Operations so far. */
  operations = 0
  /** Times the power failed: what was under way then never ends. */
  powerCycles = 0
  readonly #stuck = new Set<() => void>()
  #root = new VirtualDirectory()
  #present: DiskFault = {}
  #capacityBytes: number
  #syncsToFail = { count: 0, prefix: '' }

  constructor(random: SeededRandom, settings: Partial<SimDiskSettings> = {}) {
    this.random = random
    this.settings = { ...SETTINGS_DEFAULT, ...settings }
    this.#capacityBytes = this.settings.capacityBytes
  }

  get present(): DiskFault {
    return this.#present
  }

  replace(fault: DiskFault): void {
    this.#present = { ...fault }
    if (fault.syncStuck === true) return
    for (const goOn of this.#stuck) goOn()
    this.#stuck.clear()
  }

  /** The next `count` syncs of paths that begin with `prefix` fail with `io`; those after them succeed again. */
  failNextSyncs(count: number, prefix = ''): void {
    this.#syncsToFail = { count, prefix }
  }

  /** Bytes it holds from now on. */
  setCapacity(bytes: number): void {
    this.#capacityBytes = bytes
  }

  /** In whole pages. */
  get usedBytes(): number {
    let used = 0
    for (const [, entry] of this.#root.walk()) if (entry instanceof VirtualFile) used += entry.usedBytes
    return used
  }

  get freeBytes(): number {
    return this.#present.full === true ? 0 : Math.max(0, this.#capacityBytes - this.usedBytes)
  }

  /** Every file, by path. */
  files(): ReadonlyMap<string, VirtualFile> {
    return new Map([...this.#root.walk()].flatMap(([path, entry]) => (entry instanceof VirtualFile ? [[path, entry] as const] : [])))
  }

  /** Flips one bit at byte `position` of a file, or at a random place of it. The file is not empty. */
  flipBit(path: string, position?: number): void {
    const file = present(this.files().get(path), `file ${path}`)
    assert(file.sizeBytes > 0, 'a bit is flipped in a file that has some')
    file.flipBit(position ?? this.random.below(file.sizeBytes), this.random.below(8))
    this.fired.bitsFlipped++
  }

  /** A new, empty disk in the place of this one. */
  wipe(): void {
    this.#root = new VirtualDirectory()
    this.fired.wiped++
  }

  /** The machine is off: what was not synced meets its fate. */
  losePower(how: PowerLoss = 'drawn'): void {
    this.#stuck.clear()
    this.powerCycles++
    const directories = [this.#root, ...[...this.#root.walk()].flatMap(([, entry]) => (entry instanceof VirtualDirectory ? [entry] : []))]
    for (const directory of directories) {
      const keep = how === 'kept' ? 'all' : how === 'dropped' ? 'none' : 'some'
      this.fired.namesLost += directory.losePower(keep, this.random)
    }
    for (const file of this.files().values()) file.losePower(how === 'drawn' ? drawFate(this.random) : how, this.random, this.fired)
  }

  /** The entry at `path`, if there is one. */
  find(path: string): Entry | undefined {
    checkDiskPath(path)
    let entry: Entry | undefined = this.#root
    for (const part of path === '' ? [] : path.split('/')) {
      if (!(entry instanceof VirtualDirectory)) return undefined
      entry = entry.get(part)
    }
    return entry
  }

  directory(path: string): VirtualDirectory {
    const entry = this.find(path)
    if (entry instanceof VirtualDirectory) return entry
    throw new DiskError('not_found', `${path}: no such directory`)
  }

  /** Throws, or answers how many of `wanted` bytes a write may still take: fewer than all when the disk fills up in its middle. */
  roomFor(file: VirtualFile, position: number, wanted: number): number {
    if (this.#present.full !== true && this.#capacityBytes === Number.POSITIVE_INFINITY) return wanted
    const grows = Math.ceil((position + wanted) / PAGE_BYTES) * PAGE_BYTES - file.usedBytes
    if (grows <= 0 || grows <= this.freeBytes) return wanted
    this.fired.writesRefused++
    // Up to the end of the last page it has, and anywhere before that.
    const fits = Math.max(0, Math.min(wanted, file.usedBytes - position + this.freeBytes))
    return fits === 0 ? 0 : this.random.below(fits + 1)
  }

  /** Called by the port when a sync is to end: after its time, and after what holds it up. */
  whenDeviceAnswers(scheduler: DiskScheduler, path: string, answer: (fails: boolean) => void): void {
    const { syncMsMin, syncMsMax } = this.settings
    const delayMs = this.#present.syncDelayMs ?? 0
    if (delayMs > 0) this.fired.syncsDelayed++
    const ask = (): void => {
      if (this.#present.syncStuck === true) {
        this.fired.syncsStuck++
        this.#stuck.add(() => scheduler.schedule(0, 'disk', undefined, ask))
        return
      }
      const { count, prefix } = this.#syncsToFail
      const chosen = count > 0 && path.startsWith(prefix)
      if (chosen) this.#syncsToFail = { count: count - 1, prefix }
      const fails = chosen || this.#present.syncFails === true
      if (fails) this.fired.syncsFailed++
      answer(fails)
    }
    scheduler.schedule(delayMs + syncMsMin + this.random.float() * (syncMsMax - syncMsMin), 'disk', undefined, ask)
  }

  performed(kind: DiskOperation['kind'], path: string): void {
    this.operations++
    this.onOperation?.({ kind, path })
  }
}

/** Some files lose all of it, some nothing, most a bit here and there. */
function drawFate(random: Random): PageFate {
  const draw = random.below(8)
  if (draw < 2) return 'dropped'
  return draw === 2 ? 'kept' : 'mixed'
}
