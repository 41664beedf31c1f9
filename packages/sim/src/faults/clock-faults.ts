// Clocks that run fast or slow, and wall clocks that jump. Monotonic time never goes back; nothing may rest on wall time.
import type { ClockError } from '@atoll/sim-ports'
import { type DrawFault, type Drawing, drawVictim } from './fault.ts'

const wrong =
  (what: string, errorOf: (drawing: Drawing) => ClockError, healed: ClockError): DrawFault =>
  drawing => {
    const victim = drawVictim(drawing)
    const error = errorOf(drawing)
    return {
      what: `${what} ${victim.text}`,
      begin(cluster) {
        const name = victim.in(cluster)
        cluster.setClock(name, error)
        return () => cluster.setClock(name, healed)
      },
    }
  }

/** A tenth either way: far worse than any machine's, and less than what the election timeouts allow for. */
const SKEW_PPM_MAX = 100_000
const JUMP_MS_MAX = 86_400_000

export const clockFaults = {
  clock_skew: wrong('wrong rate of the clock of', ({ random }) => ({ skewPpm: random.below(2 * SKEW_PPM_MAX) - SKEW_PPM_MAX }), {
    skewPpm: 0,
  }),
  clock_jump: wrong('wall clock jumps at', ({ random }) => ({ wallOffsetMs: random.below(2 * JUMP_MS_MAX) - JUMP_MS_MAX }), {
    wallOffsetMs: 0,
  }),
} as const
