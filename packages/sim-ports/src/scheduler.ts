// The heart of the simulator: takes the earliest event, runs it, lets every promise it settled run to the end, takes the
// next. Nothing else advances time, so a run is a function of its seed.
// The conditions (design section 3) that this file keeps: one event at a time with all its microtasks; nothing happens
// for a process that is dead; whatever simulated code starts outside the ports fails the run by name.
import { assert } from '@atoll/base'
import { EventQueue, type Queued } from './event-queue.ts'
import { ForeignWork, RealLoop } from './real-loop.ts'
import type { Trace } from './trace.ts'

/** Every kind of event; its place here goes into the trace hash. */
const EVENT_KINDS = [
  'harness',
  'start',
  'stop_request',
  'timer',
  'end_of_turn',
  'listening',
  'listener_closed',
  'syn',
  'accept',
  'connected',
  'refused',
  'connect_timeout',
  'arrive',
  'bytes',
  'finish',
  'reset',
  'readable',
  'room',
  'drain',
  'close',
  'log',
  'rules',
  'life',
  'disk',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]
const KIND_CODES = Object.fromEntries(EVENT_KINDS.map((kind, code) => [kind, code])) as Readonly<Record<EventKind, number>>

/** Whom an event concerns. */
export interface TraceSubject {
  readonly nodeIndex: number
  readonly name: string
}

/** The running program of a node. Its events happen only while it runs, wait while it is paused, are lost when it is dead. */
export interface Owner extends TraceSubject {
  readonly state: 'running' | 'paused' | 'dead'
  /** Takes an event that came due while the owner was paused. */
  hold(event: SimEvent): void
}

export interface SimEvent extends Queued {
  atMs: number
  sequence: number
  readonly kind: EventKind
  /** Undefined: the network, the kernel or the harness, which no process can stop. */
  readonly owner: Owner | undefined
  /** Whom it concerns, for the trace; the owner if there is one. */
  readonly subject: TraceSubject | undefined
  readonly run: () => void
}

export interface RunOptions {
  /** Virtual time to stop at, in milliseconds; events of that very instant still happen. */
  readonly untilMs?: number | undefined
  /** Stops after the first event that makes it true; also asked before the first. */
  readonly until?: (() => boolean) | undefined
  /** Stops after so many events. */
  readonly eventsMax?: number | undefined
}

export interface RunResult {
  /** `idle`: nothing is left to happen. */
  readonly reason: 'until' | 'time' | 'events' | 'idle'
  readonly events: number
}

/** A simulated run went wrong; the message has seed, time and event, the cause is what was thrown. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError'
}

// Times are multiples of 2^-10 ms: their sums and differences are exact, so a timer of 10 ms takes 10 ms and not a bit less.
const TICKS_PER_MS = 1_024
/** Real macrotasks get a turn after so many events: test runners want to speak, rejections want to be noticed. */
const EVENTS_PER_BREATH = 1_000

interface Run extends RunOptions {
  readonly settle: (result: RunResult | SimulationError) => void
  events: number
}

export class Scheduler {
  readonly trace: Trace
  readonly #seed: number
  readonly #queue = new EventQueue<SimEvent>()
  readonly #loop = new RealLoop()
  #sequence = 0
  #nowMs = 0
  #run: Run | undefined
  /** The event whose code or microtasks are running now. */
  #current: SimEvent | undefined
  #last: SimEvent | undefined
  #failure: SimulationError | undefined
  #eventCount = 0

  constructor(seed: number, trace: Trace) {
    this.#seed = seed
    this.trace = trace
  }

  get nowMs(): number {
    return this.#nowMs
  }

  get eventCount(): number {
    return this.#eventCount
  }

  /** Events are cancelled through `cancel`; `delayMs` is 0 or more. */
  schedule(
    delayMs: number,
    kind: EventKind,
    owner: Owner | undefined,
    run: () => void,
    subject: TraceSubject | undefined = owner,
  ): SimEvent {
    assert(delayMs >= 0, 'events lie in the future')
    const atMs = this.#nowMs + Math.ceil(delayMs * TICKS_PER_MS) / TICKS_PER_MS
    const event: SimEvent = { atMs, sequence: this.#sequence++, place: -1, kind, owner, subject, run }
    this.#queue.push(event)
    return event
  }

  cancel(event: SimEvent): void {
    this.#queue.remove(event)
  }

  /** Lets an event that a paused owner held happen now. */
  release(event: SimEvent): void {
    event.atMs = this.#nowMs
    event.sequence = this.#sequence++
    this.#queue.push(event)
  }

  /** Folds something that is not an event of its own into the trace. */
  note(kind: EventKind, subject: TraceSubject | undefined, bytes?: Uint8Array): void {
    this.trace.record(this.#nowMs, subject?.nodeIndex ?? 0, subject?.name ?? '', kind, KIND_CODES[kind], bytes)
  }

  /**
   * Every port call goes through here. False: the caller's process is dead and the call does nothing. Throws when no
   * event is running: then something other than a port woke the caller, and the run is not reproducible.
   */
  permits(owner: Owner, call: string): boolean {
    if (owner.state === 'dead') return false
    if (this.#current !== undefined) return true
    const error = new ForeignWork(`port call outside of an event: ${owner.name} called ${call}; something awaited a foreign promise`)
    this.fail(error)
    throw error
  }

  /** Ends the run; the first failure counts. */
  fail(cause: unknown): void {
    if (this.#failure !== undefined) return
    const event = this.#current ?? this.#last
    const where = event === undefined ? 'before the first event' : `${event.subject?.name ?? 'network'}, ${event.kind}`
    const what = cause instanceof Error ? cause.message : String(cause)
    this.#failure = new SimulationError(`seed ${this.#seed}, ${this.#nowMs.toFixed(3)} ms, ${where}: ${what}`, { cause })
  }

  run(options: RunOptions): Promise<RunResult> {
    assert(this.#run === undefined, 'a simulation runs once at a time')
    const { untilMs, until, eventsMax } = options
    return new Promise<RunResult>((resolve, reject) => {
      const settle = (result: RunResult | SimulationError): void => {
        stopWatch()
        this.#run = undefined
        if (result instanceof SimulationError) reject(result)
        else resolve(result)
      }
      this.#run = { untilMs, until, eventsMax, settle, events: 0 }
      const start = (): void => this.#loop.atMacrotask(this.#step)
      const stopWatch = this.#loop.watch(
        start,
        () => this.#current !== undefined,
        error => this.fail(error),
      )
    })
  }

  /** Runs the next event, and itself again once all microtasks are done. */
  readonly #step = (): void => {
    const run = this.#run as Run
    this.#current = undefined
    const event = this.#next(run)
    if (event === undefined) return
    this.#begin(event)
    try {
      event.run()
    } catch (error) {
      this.fail(error)
    }
    this.#loop.afterMicrotasks(++run.events % EVENTS_PER_BREATH === 0 ? this.#breathe : this.#step)
  }

  readonly #breathe = (): void => {
    this.#current = undefined
    this.#loop.atMacrotask(this.#step)
  }

  #begin(event: SimEvent): void {
    this.#eventCount++
    this.#current = event
    this.#last = event
    this.note(event.kind, event.subject)
  }

  /** The next event that happens, with time moved on to it; undefined when the run is over. */
  #next(run: Run): SimEvent | undefined {
    for (;;) {
      if (this.#failure !== undefined) return this.#finish(run, 'idle')
      if (run.until?.() === true) return this.#finish(run, 'until')
      if (run.eventsMax !== undefined && run.events >= run.eventsMax) return this.#finish(run, 'events')
      const untilMs = run.untilMs ?? Number.POSITIVE_INFINITY
      if (this.#queue.nextMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return this.#finish(run, 'time')
      }
      const event = this.#queue.pop()
      if (event === undefined) return this.#finish(run, 'idle')
      this.#nowMs = event.atMs
      if (event.owner === undefined || event.owner.state === 'running') return event
      if (event.owner.state === 'paused') event.owner.hold(event)
    }
  }

  /** Ends after one more macrotask, in which foreign promises and unhandled rejections show themselves. */
  #finish(run: Run, reason: RunResult['reason']): undefined {
    this.#loop.atMacrotask(() => run.settle(this.#failure ?? { reason, events: run.events }))
  }
}
