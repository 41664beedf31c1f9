// What a remembered answer counts in bytes: its entries; the rest is small.
import type { KeyEntry } from '@atoll/protocol'
import { VERSION_OVERHEAD_BYTES } from './limits.ts'
import type { Answer } from './sessions.ts'

/** Every answer costs its place in a session’s table. */
const ANSWER_OVERHEAD_BYTES = 128

export function answerBytes(answer: Answer): number {
  if (!answer.ok) return ANSWER_OVERHEAD_BYTES + answer.message.length
  const { value } = answer
  if ('results' in value)
    return value.results.reduce((sum, { entries }) => sum + ANSWER_OVERHEAD_BYTES + sizeOf(entries), ANSWER_OVERHEAD_BYTES)
  if ('outcomes' in value) return ANSWER_OVERHEAD_BYTES * (1 + value.outcomes.length)
  if ('deleted' in value) return ANSWER_OVERHEAD_BYTES + sizeOf(value.previous)
  if ('previous' in value && value.previous !== undefined) return ANSWER_OVERHEAD_BYTES + sizeOf([value.previous])
  return ANSWER_OVERHEAD_BYTES
}

function sizeOf(entries: readonly KeyEntry[]): number {
  return entries.reduce((sum, { key, value }) => sum + VERSION_OVERHEAD_BYTES + key.length + value.byteLength, 0)
}
