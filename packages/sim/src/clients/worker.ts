// One thread of a client's program: does one thing after the other until it is told to stop, and records what it was told.
import type { Clock, SeededRandom } from '@atoll/base'
import { AtollError, type Client } from '@atoll/client/core'
import type { RecordedClient } from '@atoll/history'

export interface WorkerParts {
  readonly client: Client
  readonly clock: Clock
  readonly random: SeededRandom
  readonly recorded: RecordedClient
  /** Who works, for a person. */
  readonly name: string
  /** Counts how operations end. */
  readonly count: (what: string) => void
  /** Something that no correct cluster can do. */
  readonly violated: (what: string) => void
  /** True when nothing new is to be begun. */
  readonly stopping: () => boolean
}

export function pause({ clock, random }: Pick<WorkerParts, 'clock' | 'random'>, msMax: number): Promise<void> {
  return new Promise(resolve => clock.after(1 + random.below(msMax), () => resolve()))
}

/**
 * Does `act` and records it as one operation. What it resolves to is the answer; undefined when it failed. Anything but an
 * error of the SDK fails the run.
 */
export async function recorded<T>(
  { recorded: history, count }: WorkerParts,
  f: string,
  key: string,
  value: unknown,
  act: () => Promise<T>,
  answerOf: (answer: T) => unknown,
): Promise<T | undefined> {
  history.invoke(f, key, value)
  let answer: T
  try {
    answer = await act()
  } catch (error) {
    if (!(error instanceof AtollError)) throw error
    count(`${f} ${error.code}`)
    if (error.outcome === 'definite') history.fail(error.code)
    else history.info(error.code)
    return undefined
  }
  count(`${f} ok`)
  history.ok(answerOf(answer))
  return answer
}

/** The same without a record of it. */
export async function attempted<T>({ count }: WorkerParts, f: string, act: () => Promise<T>): Promise<T | AtollError> {
  try {
    const answer = await act()
    count(`${f} ok`)
    return answer
  } catch (error) {
    if (!(error instanceof AtollError)) throw error
    count(`${f} ${error.code}`)
    return error
  }
}
