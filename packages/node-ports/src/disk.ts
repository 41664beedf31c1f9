// The disk port on Node.js. Writes are pwrite on the calling thread (3 us for 100 bytes, where a thread costs 40);
// syncs and reads that may wait for the device go to libuv's pool. Faults are applied here, before the call.
import {
  close as closeLater,
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  mkdirSync,
  open,
  openSync,
  read as readLater,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { readdir, rm, stat, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Disk, DiskEntry, DiskFault, DiskFaults, DiskFile, OpenMode } from '@atoll/base'
import { assert, checkDiskPath, DiskError, directoryOf } from '@atoll/base'
import { diskError } from './disk-errors.ts'

export interface DiskOptions {
  /** The directory all paths are relative to; made if it is not there. */
  readonly directory: string
  /** Allows faults: off unless the cluster was started with it. */
  readonly faults: boolean
  readonly clock: Clock
}

export interface NodeDisk {
  readonly disk: Disk
  /** Undefined unless faults were allowed. */
  readonly faults: DiskFaults | undefined
}

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  replace: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
}
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

export function createDisk({ directory, faults, clock }: DiskOptions): NodeDisk {
  mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE })
  const state = new FaultState(clock)
  return { disk: new FileSystemDisk(directory, state), faults: faults ? state : undefined }
}

class FileSystemDisk implements Disk {
  readonly #directory: string
  readonly #faults: FaultState

  constructor(directory: string, faults: FaultState) {
    this.#directory = directory
    this.#faults = faults
  }

  open(path: string, mode: OpenMode): DiskFile {
    const place = this.#place(path)
    if (mode === 'create' || mode === 'replace') this.#faults.checkRoom(path)
    const descriptor = attempt(path, () => openSync(place, FLAGS[mode], FILE_MODE))
    return new FileSystemFile(path, descriptor, this.#faults)
  }

  rename(from: string, to: string): void {
    assert(directoryOf(from) === directoryOf(to), 'a rename stays in its directory')
    attempt(from, () => renameSync(this.#place(from), this.#place(to)))
  }

  async remove(path: string): Promise<void> {
    await attemptLater(path, unlink(this.#place(path)))
  }

  makeDirectory(path: string): void {
    attempt(path, () => mkdirSync(this.#place(path), { recursive: true, mode: DIRECTORY_MODE }))
  }

  async removeDirectory(path: string): Promise<void> {
    assert(path !== '', "the disk's own directory stays")
    await attemptLater(path, rm(this.#place(path), { recursive: true, force: true }))
  }

  async list(path: string): Promise<readonly DiskEntry[]> {
    const place = this.#place(path)
    const found = await attemptLater(path, readdir(place, { withFileTypes: true }))
    const entries = await Promise.all(
      found.map(async (entry): Promise<DiskEntry | undefined> => {
        if (!entry.isFile()) return { name: entry.name, kind: entry.isDirectory() ? 'directory' : 'other', sizeBytes: 0 }
        const sizeBytes = await sizeOf(join(place, entry.name))
        return sizeBytes === undefined ? undefined : { name: entry.name, kind: 'file', sizeBytes }
      }),
    )
    return entries.filter(entry => entry !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#faults.beforeSync(path)
    await new Promise<void>((resolve, reject) => {
      const settle = (error: NodeJS.ErrnoException | null): void => (error === null ? resolve() : reject(diskError(error, path)))
      open(this.#place(path), constants.O_RDONLY, (openError, descriptor) => {
        if (openError !== null) return settle(openError)
        fsync(descriptor, syncError => closeLater(descriptor, closeError => settle(syncError ?? closeError)))
      })
    })
  }

  async freeBytes(): Promise<number> {
    if (this.#faults.present.full === true) return 0
    const { bavail, bsize } = await attemptLater('', statfs(this.#directory))
    return bavail * bsize
  }

  #place(path: string): string {
    checkDiskPath(path)
    return join(this.#directory, path)
  }
}

class FileSystemFile implements DiskFile {
  readonly path: string
  readonly #faults: FaultState
  readonly #descriptor: number
  /** Calls in the pool that still need the descriptor: closing it under them could hand its number to another file. */
  #underWay = 0
  #closed = false

  constructor(path: string, descriptor: number, faults: FaultState) {
    this.path = path
    this.#descriptor = descriptor
    this.#faults = faults
  }

  size(): number {
    this.#checkOpen()
    return attempt(this.path, () => fstatSync(this.#descriptor).size)
  }

  write(bytes: Uint8Array, position: number): void {
    this.#checkOpen()
    this.#faults.checkWrite(this.path)
    try {
      // A disk that fills up, or a signal, may take a part only.
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done)
      }
    } catch (error) {
      throw diskError(error, this.path)
    }
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    this.#checkOpen()
    this.#faults.checkRead(this.path)
    const bytes = uninitialised(length)
    this.#underWay++
    try {
      for (let done = 0; done < length; ) {
        const count = await this.#readPart(bytes, done, position + done)
        if (count === 0) return bytes.subarray(0, done)
        done += count
      }
      return bytes
    } finally {
      this.#finished()
    }
  }

  readNow(position: number, length: number): Uint8Array {
    this.#checkOpen()
    this.#faults.checkRead(this.path)
    const bytes = uninitialised(length)
    try {
      for (let done = 0; done < length; ) {
        const count = readSync(this.#descriptor, bytes, done, length - done, position + done)
        if (count === 0) return bytes.subarray(0, done)
        done += count
      }
      return bytes
    } catch (error) {
      throw diskError(error, this.path)
    }
  }

  truncate(sizeBytes: number): void {
    this.#checkOpen()
    attempt(this.path, () => ftruncateSync(this.#descriptor, sizeBytes))
  }

  async sync(): Promise<void> {
    this.#checkOpen()
    this.#underWay++
    try {
      await this.#faults.beforeSync(this.path)
      await new Promise<void>((resolve, reject) => {
        fdatasync(this.#descriptor, error => (error === null ? resolve() : reject(diskError(error, this.path))))
      })
    } finally {
      this.#finished()
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#underWay === 0) this.#release()
  }

  #readPart(bytes: Uint8Array, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      readLater(this.#descriptor, bytes, offset, bytes.length - offset, position, (error, count) =>
        error === null ? resolve(count) : reject(diskError(error, this.path)),
      )
    })
  }

  #checkOpen(): void {
    if (this.#closed) throw new DiskError('closed', `${this.path} is closed`)
  }

  #finished(): void {
    this.#underWay--
    if (this.#closed && this.#underWay === 0) this.#release()
  }

  #release(): void {
    attempt(this.path, () => closeSync(this.#descriptor))
  }
}

/** The faults in force, and the syncs that wait for one of them to go. */
class FaultState implements DiskFaults {
  readonly #clock: Clock
  readonly #stuck = new Set<() => void>()
  #present: DiskFault = {}

  constructor(clock: Clock) {
    this.#clock = clock
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

  checkRoom(path: string): void {
    if (this.#present.full === true) throw new DiskError('disk_full', `${path}: no space left (by fault)`)
  }

  checkWrite(path: string): void {
    this.checkRoom(path)
    if (this.#present.writeFails === true) throw new DiskError('io', `${path}: write failed (by fault)`)
  }

  checkRead(path: string): void {
    if (this.#present.readFails === true) throw new DiskError('io', `${path}: read failed (by fault)`)
  }

  /** Undefined, and no turn lost, when nothing is wrong. */
  async beforeSync(path: string): Promise<void> {
    while (this.#present.syncStuck === true) await new Promise<void>(resolve => this.#stuck.add(resolve))
    const delayMs = this.#present.syncDelayMs ?? 0
    if (delayMs > 0) await new Promise<void>(resolve => this.#clock.after(delayMs, resolve))
    if (this.#present.syncFails === true) throw new DiskError('io', `${path}: sync failed (by fault)`)
  }
}

/** A plain Uint8Array, as in the simulator: `slice` of a Buffer would share its memory. What is not read is cut off before anybody sees it. */
function uninitialised(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer, 0, length)
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw diskError(error, path)
  }
}

async function attemptLater<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw diskError(error, path)
  }
}

/** Undefined when the file is gone meanwhile. */
async function sizeOf(place: string): Promise<number | undefined> {
  try {
    return (await stat(place)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw diskError(error, place)
  }
}
