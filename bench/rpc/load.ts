// Keeps so many requests in flight and counts what comes back. The same loop drives every contender.

export interface Rate {
  /** Answered in all, those of the warm-up included. */
  readonly requests: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const WARM_UP_MS = 300
/** Every so many-th answer's latency is kept. */
const SAMPLE_EVERY = 32

/** `request` settles when its answer has come. Resolves with the rate once all requests in flight are done. */
export function loadWith(request: (n: number) => Promise<unknown>, inFlight: number, measureMs: number): Promise<Rate> {
  return new Promise((resolve, reject) => {
    const latencies: number[] = []
    let asked = 0
    let answered = 0
    let running = inFlight
    let countedFrom = Number.POSITIVE_INFINITY
    let countedTo = Number.POSITIVE_INFINITY
    let counted = 0
    const one = (): void => {
      const sentMs = performance.now()
      request(asked++).then(() => {
        answered++
        if (answered % SAMPLE_EVERY === 0) {
          const nowMs = performance.now()
          if (nowMs >= countedFrom) latencies.push(nowMs - sentMs)
        }
        if (countedTo === 0) finish()
        else one()
      }, reject)
    }
    const finish = (): void => {
      if (--running > 0) return
      latencies.sort((a, b) => a - b)
      const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
      resolve({ requests: answered, perSecond: counted, p50Ms: at(0.5), p99Ms: at(0.99) })
    }
    for (let i = 0; i < inFlight; i++) one()
    setTimeout(() => {
      const before = answered
      countedFrom = performance.now()
      setTimeout(() => {
        counted = Math.round(((answered - before) * 1000) / (performance.now() - countedFrom))
        countedTo = 0
      }, measureMs)
    }, WARM_UP_MS)
  })
}
