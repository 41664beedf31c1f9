// For tests and benchmarks: histories of a correct system. Processes call at random times, each operation takes effect at a
// random instant between its call and its return, on a real object. So the history is linearizable by construction.
import type { Random } from '@atoll/base'
import type { Operation } from '../operation.ts'

export interface Request {
  readonly f: string
  readonly key: string
  readonly input: unknown
}

export interface ExecutionOptions {
  readonly processes: number
  readonly operations: number
  /** Chance that the answer of an operation is lost; half of those never take effect, the others some time later. */
  readonly lost?: number
  /** Mean of the time between two operations of a process, where the mean duration of an operation is 1. */
  readonly pause?: number
}

/** The system: what a process asks next, given its last answer, and what happens. It keeps its own state. */
export interface System {
  draw(random: Random, index: number, lastAnswer: unknown): Request
  execute(request: Request): unknown
}

interface Running {
  readonly request: Request
  readonly operation: number
  readonly process: number
  readonly t0: number
  readonly lost: boolean
}

/** What happens next in one client: it calls, its operation takes effect, or its answer arrives. */
interface Step {
  readonly at: number
  readonly client: number
  readonly running: Running | undefined
  readonly answer?: { readonly output: unknown }
}

export function randomExecution(random: Random, system: System, options: ExecutionOptions): Operation[] {
  const { processes, lost = 0, pause = 0.2 } = options
  const operations: Operation[] = []
  const lastAnswers = new Array<unknown>(processes).fill(null)
  const soon = (from: number, mean: number) => from + 2 * mean * (random.float() + 1e-9)
  let steps = Array.from({ length: processes }, (_, client): Step => ({ at: soon(0, 1), client, running: undefined }))
  let nextProcess = processes
  const processOf = Array.from({ length: processes }, (_, client) => client)
  let called = 0
  while (steps.length > 0) {
    const step = steps.reduce((first, other) => (other.at < first.at ? other : first))
    const { at, client, running, answer } = step
    steps = steps.filter(other => other !== step)
    if (running === undefined) {
      if (called === options.operations) continue
      const started: Running = {
        request: system.draw(random, called, lastAnswers[client]),
        operation: called++,
        process: processOf[client] ?? client,
        t0: at,
        lost: random.float() < lost,
      }
      if (!started.lost || random.below(2) === 0) steps.push({ at: soon(at, started.lost ? 4 : 0.5), client, running: started })
      if (!started.lost) continue
      operations.push(completed(started, 'info', null, Number.POSITIVE_INFINITY))
      processOf[client] = nextProcess++
      steps.push({ at: soon(at, pause + 1), client, running: undefined })
    } else if (answer === undefined) {
      const output = system.execute(running.request)
      if (!running.lost) steps.push({ at: soon(at, 0.5), client, running, answer: { output } })
    } else {
      lastAnswers[client] = answer.output
      operations.push(completed(running, 'ok', answer.output, at))
      steps.push({ at: soon(at, pause), client, running: undefined })
    }
  }
  return operations.sort((a, b) => a.t0 - b.t0)
}

function completed(running: Running, outcome: 'ok' | 'info', output: unknown, t1: number): Operation {
  const { request, process, operation, t0 } = running
  return { ...request, process, operation, node: null, output, outcome, t0, t1, error: outcome === 'info' ? 'timed out' : null }
}
