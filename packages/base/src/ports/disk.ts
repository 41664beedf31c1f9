// The disk port: files below one directory. Writing and reading go through the operating system's page cache, so what
// a port call did is seen by the next one at once and survives the process, but survives the machine only once it
// was synced. What merely moves bytes between this process and that cache is synchronous: it costs microseconds, and
// three times as much through a thread (reference baselines 7c). What waits for the device is a promise.
//
// The rules a caller lives by, all of them true of Linux's file systems and of the simulator:
// - Written bytes survive power loss once a `sync` that began after the write succeeded. Until then each 4 KiB page is
//   kept, lost, or damaged where it was changed, whatever happened to its neighbours.
// - A new, renamed or removed name survives power loss once a `syncDirectory` that began after it succeeded.
// - After a failed `sync` the pages it covered count as clean although they never reached the device: another `sync`
//   succeeds and proves nothing ("Can Applications Recover from fsync Failures?", ATC 2020).

export type DiskErrorCode =
  /** No room left. A write may have put down the beginning of its bytes. */
  | 'disk_full'
  | 'not_found'
  | 'exists'
  /** The device or the file system failed. */
  | 'io'
  | 'descriptors_exhausted'
  | 'permission'
  /** The file was closed by us. */
  | 'closed'
  | 'other'

export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly code: DiskErrorCode
  constructor(code: DiskErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * How a file is opened. `read` and `update` want it to exist, `create` wants it not to, `replace` makes it or empties it.
 * All but `read` may write.
 */
export type OpenMode = 'read' | 'update' | 'create' | 'replace'

export interface DiskFile {
  readonly path: string
  /** Now, in bytes. */
  size(): number
  /** Writes all of `bytes` at byte `position`; what lies between the end and a later position reads as zeros. */
  write(bytes: Uint8Array, position: number): void
  /** Up to `length` bytes from `position`, fewer only at the end of the file. For bytes that need not be in memory. */
  read(position: number, length: number): Promise<Uint8Array>
  /** The same at once, for bytes that were just written or read. Holds the event loop if they have to come from the device. */
  readNow(position: number, length: number): Uint8Array
  /** Cuts or extends (with zeros) to `sizeBytes`. Cutting takes up to 0.2 ms per MiB. */
  truncate(sizeBytes: number): void
  /** Resolves when all that was written before the call, and the size, would survive power loss. Never retried after it failed. */
  sync(): Promise<void>
  /** Idempotent. Calls under way still end. */
  close(): void
}

export interface DiskEntry {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'other'
  /** In bytes; 0 of what is not a file. */
  readonly sizeBytes: number
}

/** Paths are relative to the disk's own directory, with `/` between their parts; none of those is empty, `.` or `..`. '' is that directory. */
export interface Disk {
  open(path: string, mode: OpenMode): DiskFile
  /** Replaces what is at `to`. Both lie in one directory. */
  rename(from: string, to: string): void
  /** Removes a file; a large one takes time. */
  remove(path: string): Promise<void>
  /** Makes the directory and those above it; one that exists is fine. */
  makeDirectory(path: string): void
  /** Removes a directory and all below it; one that does not exist is fine. */
  removeDirectory(path: string): Promise<void>
  /** What the directory holds, in order of names (by code unit). */
  list(path: string): Promise<readonly DiskEntry[]>
  /** Resolves when every name made, changed or removed in the directory before the call would survive power loss. */
  syncDirectory(path: string): Promise<void>
  /** Bytes that may still be written. */
  freeBytes(): Promise<number>
}

/** What chaos commands may do to a node's disk. */
export interface DiskFault {
  /** Writes that need room find none. */
  readonly full?: boolean
  /** Every sync takes this much longer, in milliseconds (0 to 60,000). */
  readonly syncDelayMs?: number
  /** No sync ends until the fault is gone. */
  readonly syncStuck?: boolean
  /** Every sync fails with `io`. */
  readonly syncFails?: boolean
  /** Every write fails with `io`. */
  readonly writeFails?: boolean
  /** Every read fails with `io`. */
  readonly readFails?: boolean
}

/** The hook a Disk implementation offers when it was started with faults allowed. */
export interface DiskFaults {
  /** Replaces the faults; an empty object heals all, and syncs that were stuck go on. */
  replace(fault: DiskFault): void
  readonly present: DiskFault
}

/** Throws a RangeError unless `path` is one that every Disk takes. */
export function checkDiskPath(path: string): void {
  if (path === '') return
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..' || part.includes('\\') || part.includes('\0'))
      throw new RangeError(`not a path on a disk: ${JSON.stringify(path)}`)
  }
}

/** The directory a path lies in. */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}
