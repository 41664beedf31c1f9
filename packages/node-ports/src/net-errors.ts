// From the operating system's error names to those of the Net port. What is not listed proves nothing, so it is `other`.
import type { NetErrorCode } from '@atoll/base'
import { NetError } from '@atoll/base'

const CODES: Readonly<Record<string, NetErrorCode>> = {
  ECONNREFUSED: 'refused',
  // No socket file: nobody listens at that path.
  ENOENT: 'refused',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timed_out',
  // A Unix socket whose backlog is full, which a stopped process lets happen. Not `refused`: somebody does listen.
  EAGAIN: 'timed_out',
  EHOSTUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRINUSE: 'address_in_use',
  EADDRNOTAVAIL: 'address_not_available',
  EINVAL: 'address_not_available',
  ENAMETOOLONG: 'address_not_available',
  ENOTDIR: 'address_not_available',
  EACCES: 'permission',
  EPERM: 'permission',
  EMFILE: 'descriptors_exhausted',
  ENFILE: 'descriptors_exhausted',
}

/** `error` as the port tells it; the system's own error is the `cause`. */
export function netError(error: unknown): NetError {
  if (error instanceof NetError) return error
  if (!(error instanceof Error)) return new NetError('other', String(error), { cause: error })
  const { code } = error as NodeJS.ErrnoException
  return new NetError((code === undefined ? undefined : CODES[code]) ?? 'other', error.message, { cause: error })
}
