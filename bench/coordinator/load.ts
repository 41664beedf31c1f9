// Load for whoever is compared: one thing after the other, or so many at a time.
import type { Subject } from './subject.ts'

export interface Serial {
  readonly p50Ms: number
  readonly p99Ms: number
}

export async function serial(count: number, act: (index: number) => Promise<void>): Promise<Serial> {
  const spentMs: number[] = []
  for (let index = 0; index < count; index++) {
    const startMs = performance.now()
    await act(index)
    spentMs.push(performance.now() - startMs)
  }
  spentMs.sort((a, b) => a - b)
  const at = (share: number): number => spentMs[Math.min(spentMs.length - 1, Math.floor(spentMs.length * share))] as number
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** Per second, with `inFlight` at any time. */
export async function concurrent(count: number, inFlight: number, act: (index: number) => Promise<void>): Promise<number> {
  let next = 0
  const startMs = performance.now()
  const worker = async (): Promise<void> => {
    while (next < count) await act(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return (count / (performance.now() - startMs)) * 1_000
}

/** Keys of 11 bytes, a thousand different ones, as etcd's own benchmark writes them by default: values of 100 bytes. */
const KEYS = 1_000
export const VALUE = new Uint8Array(100).fill(118)
export const keyOf = (index: number): string => `bench/${String(index % KEYS).padStart(5, '0')}`

/** Every key that is read is there. */
export async function fill(subject: Subject): Promise<void> {
  await concurrent(KEYS, 50, index => subject.put(keyOf(index), VALUE))
}
