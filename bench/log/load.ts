// Keeps so many requests in flight for a while, and counts what was acknowledged. The same loop drives every contender.

export interface Rate {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const WARM_UP_MS = 500
const SAMPLES_MAX = 100_000

/** `request` settles when the n-th is acknowledged. */
export async function load(request: (n: number) => Promise<unknown>, inFlight: number, measureMs: number): Promise<Rate> {
  const startMs = performance.now()
  const fromMs = startMs + WARM_UP_MS
  const untilMs = fromMs + measureMs
  const latencies: number[] = []
  let asked = 0
  let counted = 0
  let lastMs = fromMs
  const lane = async (): Promise<void> => {
    for (let nowMs = startMs; nowMs < untilMs; ) {
      const sentMs = nowMs
      await request(asked++)
      nowMs = performance.now()
      if (nowMs < fromMs) continue
      counted++
      lastMs = nowMs
      if (latencies.length < SAMPLES_MAX) latencies.push(nowMs - sentMs)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { perSecond: (counted * 1_000) / (lastMs - fromMs), p50Ms: at(0.5), p99Ms: at(0.99) }
}
