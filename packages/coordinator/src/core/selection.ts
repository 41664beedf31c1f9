// Which keys a request is about, and which keys are the coordinator's own.
import type { KeySelection } from '@atoll/protocol'

/** Keys below this are written by the coordinator alone and read by anybody: who holds a lock, who is registered. */
export const RESERVED_PREFIX = '$atoll/'

export const isReserved = (key: string): boolean => key.startsWith(RESERVED_PREFIX)

/** False once no later key can be selected. */
export function reaches({ kind, key, end }: KeySelection, candidate: string): boolean {
  switch (kind) {
    case 'one':
      return candidate === key
    case 'prefix':
      return candidate.startsWith(key)
    case 'between':
      return end === '' || candidate < end
  }
}

export function selects(selection: KeySelection, candidate: string): boolean {
  return candidate >= selection.key && reaches(selection, candidate)
}

export const oneKey = (key: string): KeySelection => ({ kind: 'one', key, end: '' })
export const allWith = (prefix: string): KeySelection => ({ kind: 'prefix', key: prefix, end: '' })
