// The disk port of a simulated process: calls on its node's disk, which end in events of their own. The kernel ends a
// sync that began before the process died; the process never hears of it.
import type { Disk, DiskEntry, DiskFile, OpenMode } from '@atoll/base'
import { assert, DiskError, directoryOf } from '@atoll/base'
import type { Scheduler } from './scheduler.ts'
import type { SimDisk } from './sim-disk.ts'
import type { SimProcess } from './sim-process.ts'
import { VirtualDirectory } from './virtual-directory.ts'
import { type FileSync, VirtualFile } from './virtual-file.ts'

interface Context {
  readonly scheduler: Scheduler
  readonly process: SimProcess
  readonly disk: SimDisk
}

export function diskPort(scheduler: Scheduler, process: SimProcess, disk: SimDisk): Disk {
  return new DiskPort({ scheduler, process, disk })
}

class DiskPort implements Disk {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  open(path: string, mode: OpenMode): DiskFile {
    const { disk } = this.#context
    const alive = permits(this.#context, 'open')
    const found = disk.find(path)
    if (found instanceof VirtualDirectory) throw new DiskError('other', `${path} is a directory`)
    if (found !== undefined && mode === 'create') throw new DiskError('exists', `${path} exists`)
    if (found === undefined && (mode === 'read' || mode === 'update')) throw new DiskError('not_found', `${path}: no such file`)
    let file = found
    if (file === undefined) {
      const directory = disk.directory(directoryOf(path))
      if (disk.present.full === true) refuse(this.#context, path)
      file = new VirtualFile()
      if (alive) {
        directory.change({ name: nameOf(path), entry: file })
        disk.performed('create', path)
      }
    } else if (mode === 'replace' && alive) {
      file.truncate(0)
      disk.performed('empty', path)
    }
    return new PortFile(this.#context, path, file, mode !== 'read')
  }

  rename(from: string, to: string): void {
    const { disk } = this.#context
    assert(directoryOf(from) === directoryOf(to), 'a rename stays in its directory')
    if (!permits(this.#context, 'rename')) return
    const entry = disk.find(from)
    if (entry === undefined) throw new DiskError('not_found', `${from}: no such file`)
    disk.directory(directoryOf(from)).change({ name: nameOf(from), entry: undefined }, { name: nameOf(to), entry })
    disk.performed('rename', to)
  }

  remove(path: string): Promise<void> {
    return this.#later('remove', () => {
      const { disk } = this.#context
      if (!(disk.find(path) instanceof VirtualFile)) throw new DiskError('not_found', `${path}: no such file`)
      disk.directory(directoryOf(path)).change({ name: nameOf(path), entry: undefined })
      disk.performed('remove', path)
    })
  }

  makeDirectory(path: string): void {
    const { disk } = this.#context
    if (!permits(this.#context, 'makeDirectory')) return
    const parts = path.split('/')
    for (let depth = 1; depth <= parts.length; depth++) {
      const here = parts.slice(0, depth).join('/')
      const found = disk.find(here)
      if (found instanceof VirtualFile) throw new DiskError('exists', `${here} is a file`)
      if (found !== undefined) continue
      disk.directory(directoryOf(here)).change({ name: nameOf(here), entry: new VirtualDirectory() })
      disk.performed('make_directory', here)
    }
  }

  removeDirectory(path: string): Promise<void> {
    assert(path !== '', "the disk's own directory stays")
    return this.#later('removeDirectory', () => {
      const { disk } = this.#context
      if (disk.find(path) === undefined) return
      disk.directory(directoryOf(path)).change({ name: nameOf(path), entry: undefined })
      disk.performed('remove_directory', path)
    })
  }

  list(path: string): Promise<readonly DiskEntry[]> {
    return this.#later('list', () =>
      this.#context.disk
        .directory(path)
        .entries()
        .map(([name, entry]): DiskEntry => {
          const isFile = entry instanceof VirtualFile
          return { name, kind: isFile ? 'file' : 'directory', sizeBytes: isFile ? entry.sizeBytes : 0 }
        }),
    )
  }

  syncDirectory(path: string): Promise<void> {
    const { disk } = this.#context
    return syncLater(this.#context, path, () => {
      const directory = disk.directory(path)
      const through = directory.stepsDone
      return (fails, ended) => {
        if (!fails) directory.settle(through)
        ended(fails)
      }
    })
  }

  freeBytes(): Promise<number> {
    return this.#later('freeBytes', () => this.#context.disk.freeBytes)
  }

  #later<T>(call: string, act: () => T): Promise<T> {
    return later(this.#context, call, act)
  }
}

class PortFile implements DiskFile {
  readonly path: string
  readonly #context: Context
  readonly #file: VirtualFile
  readonly #writable: boolean
  #closed = false

  constructor(context: Context, path: string, file: VirtualFile, writable: boolean) {
    this.#context = context
    this.path = path
    this.#file = file
    this.#writable = writable
  }

  size(): number {
    permits(this.#context, 'size')
    this.#checkOpen()
    return this.#file.sizeBytes
  }

  write(bytes: Uint8Array, position: number): void {
    const { disk, scheduler, process } = this.#context
    if (!permits(this.#context, 'write')) return
    this.#checkOpen()
    assert(this.#writable, 'a file opened for reading is not written')
    if (disk.present.writeFails === true) {
      disk.fired.writesFailed++
      throw new DiskError('io', `${this.path}: write failed (by fault)`)
    }
    const room = disk.roomFor(this.#file, position, bytes.length)
    scheduler.note('disk', process, bytes)
    if (room > 0 || bytes.length === 0) this.#file.write(bytes.subarray(0, room), position)
    if (room > 0 && room < bytes.length) disk.fired.shortWrites++
    disk.performed('write', this.path)
    if (room < bytes.length) throw new DiskError('disk_full', `${this.path}: no space left (by fault)`)
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return later(this.#context, 'read', () => {
      this.#checkRead()
      return this.#file.read(position, length)
    })
  }

  readNow(position: number, length: number): Uint8Array {
    permits(this.#context, 'readNow')
    this.#checkOpen()
    this.#checkRead()
    return this.#file.read(position, length)
  }

  truncate(sizeBytes: number): void {
    if (!permits(this.#context, 'truncate')) return
    this.#checkOpen()
    assert(this.#writable, 'a file opened for reading is not cut')
    this.#file.truncate(sizeBytes)
    this.#context.disk.performed('truncate', this.path)
  }

  sync(): Promise<void> {
    const { disk } = this.#context
    const file = this.#file
    return syncLater(this.#context, this.path, () => {
      this.#checkOpen()
      const sync: FileSync = file.beginSync()
      return (fails, ended) => {
        if (fails) sync.fails = true
        file.endSync(sync, disk.random, pagesLost => {
          disk.fired.pagesLostBySync += pagesLost
          ended(sync.fails)
        })
      }
    })
  }

  close(): void {
    this.#closed = true
  }

  #checkOpen(): void {
    if (this.#closed) throw new DiskError('closed', `${this.path} is closed`)
  }

  #checkRead(): void {
    const { disk } = this.#context
    if (disk.present.readFails !== true) return
    disk.fired.readsFailed++
    throw new DiskError('io', `${this.path}: read failed (by fault)`)
  }
}

function permits({ scheduler, process }: Context, call: string): boolean {
  return scheduler.permits(process, `disk.${call}`)
}

function refuse({ disk }: Context, path: string): never {
  disk.fired.writesRefused++
  throw new DiskError('disk_full', `${path}: no space left (by fault)`)
}

/** Does `act` in an event of the process after a read's time, and settles there. */
function later<T>(context: Context, call: string, act: () => T): Promise<T> {
  const { scheduler, process, disk } = context
  if (!permits(context, call)) return new Promise(() => {})
  const { readMsMin, readMsMax } = disk.settings
  return new Promise((resolve, reject) => {
    scheduler.schedule(readMsMin + disk.random.float() * (readMsMax - readMsMin), 'disk', process, () => {
      try {
        resolve(act())
      } catch (error) {
        reject(error as Error)
      }
    })
  })
}

/** Ends a sync whose device has answered, and calls `ended` when that is so. */
type EndSync = (fails: boolean, ended: (failed: boolean) => void) => void

/** Begins a sync now; the kernel ends it, then the process hears of it in an event of its own. */
function syncLater(context: Context, path: string, begin: () => EndSync): Promise<void> {
  const { scheduler, process, disk } = context
  if (!permits(context, 'sync')) return new Promise(() => {})
  return new Promise((resolve, reject) => {
    let end: EndSync
    try {
      end = begin()
    } catch (error) {
      reject(error as Error)
      return
    }
    const power = disk.powerCycles
    disk.performed('sync_begun', path)
    disk.whenDeviceAnswers(scheduler, path, fails => {
      if (disk.powerCycles !== power) return
      end(fails, failed => {
        disk.performed('sync_ended', path)
        scheduler.schedule(0, 'disk', process, () => {
          if (failed) reject(new DiskError('io', `${path}: sync failed (by fault)`))
          else resolve()
        })
      })
    })
  })
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
