// What the operating system calls a failure of a file, in the words of the disk port.
import type { DiskErrorCode } from '@atoll/base'
import { DiskError } from '@atoll/base'

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
  // Past the largest size a file may have here, by its file system or by the process's limit.
  EFBIG: 'disk_full',
  ENOENT: 'not_found',
  ENOTDIR: 'not_found',
  EEXIST: 'exists',
  EIO: 'io',
  EMFILE: 'descriptors_exhausted',
  ENFILE: 'descriptors_exhausted',
  EACCES: 'permission',
  EPERM: 'permission',
  EROFS: 'permission',
}

export function diskError(error: unknown, path: string): DiskError {
  if (error instanceof DiskError) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  return new DiskError(CODES[code] ?? 'other', `${path}: ${message}`, { cause: error })
}
