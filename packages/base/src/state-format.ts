// What a cluster's state directory says of it: the identity in `cluster.json` and the secret. One rule for whoever writes
// them and whoever reads them.
import { type ClusterId, clusterId, isDnsLabel } from './brand.ts'

/** The format of the state directory that this build reads and writes; raised when an older version would misread what is new. */
export const STATE_FORMAT = 1

/** Bytes of a cluster's secret, written as twice as many lower-case hex digits. */
export const SECRET_BYTES = 32

const SECRET = new RegExp(`^[0-9a-f]{${2 * SECRET_BYTES}}$`)

/** What is wrong with a file of the state directory, in a sentence without the file's name. */
export class StateFormatError extends Error {
  override readonly name = 'StateFormatError'
}

/** The identity in the text of `cluster.json`. Throws a StateFormatError when a newer version wrote it, or when it is damaged. */
export function clusterIdIn(text: string): ClusterId {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new StateFormatError(`is damaged: ${(error as Error).message}`, { cause: error })
  }
  const { format, clusterId: id } = (typeof value === 'object' && value !== null ? value : {}) as { format?: unknown; clusterId?: unknown }
  if (typeof format === 'number' && format > STATE_FORMAT)
    throw new StateFormatError(`was written by a newer version (format ${format}, this version knows ${STATE_FORMAT}); nothing was touched`)
  if (format !== STATE_FORMAT || typeof id !== 'string' || !isDnsLabel(id))
    throw new StateFormatError(`is damaged: want {"format":${STATE_FORMAT},"clusterId":"…"}`)
  return clusterId(id)
}

/** The bytes of the secret in its file's text. Throws a StateFormatError for anything else. */
export function secretIn(text: string): Uint8Array {
  const digits = text.trim()
  if (!SECRET.test(digits)) throw new StateFormatError(`does not hold a secret: want ${2 * SECRET_BYTES} lower-case hex digits`)
  return Uint8Array.from(digits.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
}
