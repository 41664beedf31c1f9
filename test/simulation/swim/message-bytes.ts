// About how many bytes a message takes on the wire: a frame of 25 bytes and msgpack arrays of the fields' values.
import type { SwimMessage } from '@atoll/swim'

const FRAME_BYTES = 25
const stateBytes = new Set(['alive', 'suspect', 'dead', 'left'])

export function messageBytes(message: SwimMessage): number {
  return FRAME_BYTES + bytesOf(message) - bytesOf(message.kind)
}

function bytesOf(value: unknown): number {
  if (typeof value === 'string') return stateBytes.has(value) ? 1 : value.length + (value.length < 32 ? 1 : 2)
  if (typeof value === 'number') return value < 128 ? 1 : value < 256 ? 2 : value < 65_536 ? 3 : 5
  if (typeof value !== 'object' || value === null) return 1
  const items: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
  return items.reduce<number>((sum, item) => sum + bytesOf(item), items.length < 16 ? 1 : 3)
}
