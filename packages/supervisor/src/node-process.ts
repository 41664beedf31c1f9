// One node and its process: started, paused, resumed, stopped and killed here, and nowhere else. A node that ends stays
// ended until somebody asks for a restart; it never takes another one with it.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { assert } from '@atoll/base'
import { type EndpointRow, ProtocolError, type SupervisedNode } from '@atoll/protocol'
import type { FrontPort, PlannedNode, ToNode, ToParent } from '@atoll/service'
import { isStopped, settles, signalGroup, until } from './processes.ts'
import { openStderr } from './state-directory.ts'

export type NodeState = SupervisedNode['state']

/** How a node's process is started. */
export interface NodeCommand {
  /** Arguments of Node for a process that tries these ports first: its native one and those of its front doors. */
  readonly arguments: (port: number, fronts: readonly FrontPort[]) => readonly string[]
  /** Where its standard output and error go; the file of the process before is kept beside it. */
  readonly stderrPath: string
}

export interface NodeEvents {
  /** Before the process exists. Answers the environment it gets. */
  starting(node: NodeProcess): NodeJS.ProcessEnv
  started(node: NodeProcess, pid: number): void
  bound(node: NodeProcess): void
  ended(node: NodeProcess, pid: number | undefined): void
}

/** SIGSTOP and SIGCONT act at once; this only bounds the wait for the machine to say so, in milliseconds. */
const SIGNAL_SEEN_TIMEOUT_MS = 2_000
/** A process that got SIGKILL and is still there after this long hangs in the kernel, in milliseconds. */
const KILLED_TIMEOUT_MS = 5_000

export class NodeProcess {
  readonly plan: PlannedNode
  readonly #command: NodeCommand
  readonly #events: NodeEvents
  #state: NodeState = 'stopped'
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  /** What was asked of the present process; undefined when it should live. */
  #asked: 'stop' | 'kill' | undefined
  #isBound = false
  #stateBeforePause: NodeState = 'running'
  #fatal: string | undefined
  /** Wall time, for people. */
  #startedAtMs: number | undefined
  /** Monotonic time, for waiting. */
  #startedOnClockMs: number | undefined
  #exit: string | undefined
  #endpoints: readonly EndpointRow[] = []
  #takenPort: number | undefined
  #onRunning: (() => void)[] = []

  constructor(plan: PlannedNode, command: NodeCommand, events: NodeEvents) {
    this.plan = plan
    this.#command = command
    this.#events = events
  }

  get state(): NodeState {
    return this.#state
  }
  get pid(): number | undefined {
    return this.#child?.pid
  }
  /** It listens: its endpoints are those of the present process. */
  get isBound(): boolean {
    return this.#isBound
  }
  get hasProcess(): boolean {
    return this.#child !== undefined
  }
  get startedAtMs(): number | undefined {
    return this.#startedAtMs
  }
  /** Milliseconds since its last start; 0 before the first. */
  get sinceStartMs(): number {
    return this.#startedOnClockMs === undefined ? 0 : performance.now() - this.#startedOnClockMs
  }
  /** How its last process ended. */
  get exit(): string | undefined {
    return this.#exit
  }
  get takenPort(): number | undefined {
    return this.#takenPort
  }
  /** Where it listens, or listened last. */
  get endpoints(): readonly EndpointRow[] {
    return this.#endpoints
  }

  /** Starts its process, which tries `port` and `fronts` first. It has none now. */
  start(port: number, fronts: readonly FrontPort[]): void {
    assert(this.#child === undefined, 'a node has one process')
    this.#asked = undefined
    this.#isBound = false
    this.#fatal = undefined
    this.#takenPort = undefined
    this.#exit = undefined
    this.#state = 'starting'
    this.#startedAtMs = Date.now()
    this.#startedOnClockMs = performance.now()
    const args = this.#command.arguments(port, fronts)
    const env = this.#events.starting(this)
    const output = openStderr(this.#command.stderrPath)
    // A group of its own, so that a signal reaches everything it starts and nothing of ours.
    const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', output, output, 'ipc'], serialization: 'json', env })
    closeSync(output)
    this.#child = child
    child.on('message', message => this.#onMessage(child, message))
    this.#ended = new Promise(resolve => {
      child.once('exit', (code, signal) => {
        this.#onEnded(child, code, signal)
        resolve()
      })
      child.once('error', error => {
        if (child.pid !== undefined) return // a signal that could not be sent; the process is there
        this.#fatal = error.message
        this.#onEnded(child, null, null)
        resolve()
      })
    })
    if (child.pid !== undefined) this.#events.started(this, child.pid)
  }

  /** Resolves when the node says that it serves; rejects with `not_ready` when its process ends before, or takes too long. */
  async whenRunning(timeoutMs: number): Promise<void> {
    if (this.#state === 'running') return
    const running = new Promise<void>(resolve => this.#onRunning.push(resolve))
    const inTime = await settles(Promise.race([running, this.#ended]), timeoutMs)
    if (!inTime) throw new ProtocolError('not_ready', `${this.plan.name} was not up within ${Math.round(timeoutMs)} ms`)
    if (this.#child === undefined) throw new ProtocolError('not_ready', `${this.plan.name} ended while it started: ${this.#exit}`)
  }

  /** Looks whether somebody else has stopped the process, or let it go on. */
  observe(): void {
    const pid = this.pid
    if (pid === undefined) return
    const stopped = isStopped(pid)
    if (this.#state === 'paused' && !stopped) this.#state = this.#stateBeforePause
    if (this.#state === 'running' && stopped) {
      this.#stateBeforePause = this.#state
      this.#state = 'paused'
    }
  }

  /** Tells the node where others listen. */
  sendSeeds(message: ToNode): void {
    // It may be ending; that is noticed elsewhere.
    if (this.#child?.connected === true) this.#child.send(message, () => {})
  }

  /** Stops the process where it stands. Resolves once the machine says so. */
  async pause(): Promise<void> {
    const child = this.#childOrRefuse('pause')
    if (this.#state === 'paused') return
    if (this.#state === 'stopping') throw new ProtocolError('wrong_state', `${this.plan.name} is stopping`)
    this.#stateBeforePause = this.#state
    this.#state = 'paused'
    this.#signal(child, 'SIGSTOP')
    await until(() => this.#child !== child || (child.pid !== undefined && isStopped(child.pid)), SIGNAL_SEEN_TIMEOUT_MS, 1)
  }

  /** Lets a paused process go on. */
  async resume(): Promise<void> {
    const child = this.#childOrRefuse('resume')
    this.#signal(child, 'SIGCONT')
    if (this.#state === 'paused') this.#state = this.#stateBeforePause
    await until(() => this.#child !== child || (child.pid !== undefined && !isStopped(child.pid)), SIGNAL_SEEN_TIMEOUT_MS, 1)
  }

  /** Ends the process with SIGKILL; resolves when it is gone. Does nothing without one. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#asked = 'kill'
    this.#signal(child, 'SIGKILL')
    await settles(this.#ended, KILLED_TIMEOUT_MS)
  }

  /** Stops the process in order, with SIGKILL after `graceMs`. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#asked ??= 'stop'
    const wasPaused = this.#state === 'paused'
    this.#state = 'stopping'
    this.#signal(child, 'SIGTERM')
    if (wasPaused) this.#signal(child, 'SIGCONT')
    if (await settles(this.#ended, graceMs)) return
    this.#signal(child, 'SIGKILL')
    await settles(this.#ended, KILLED_TIMEOUT_MS)
  }

  #childOrRefuse(verb: string): ChildProcess {
    if (this.#child === undefined) throw new ProtocolError('wrong_state', `cannot ${verb} ${this.plan.name}: it is ${this.#state}`)
    return this.#child
  }

  #signal(child: ChildProcess, signal: NodeJS.Signals): void {
    if (child.pid !== undefined) signalGroup(child.pid, signal)
  }

  #onMessage(child: ChildProcess, value: unknown): void {
    if (child !== this.#child) return
    const message = value as ToParent
    switch (message.kind) {
      case 'bound':
        this.#endpoints = message.endpoints.map(endpoint => ({ ...endpoint, wanted: wantedPort(this.plan, endpoint.protocol) }))
        this.#isBound = true
        this.#events.bound(this)
        break
      case 'running':
        if (this.#state === 'starting') this.#state = 'running'
        if (this.#state === 'paused') this.#stateBeforePause = 'running'
        for (const resolve of this.#onRunning.splice(0)) resolve()
        break
      case 'fatal':
        this.#fatal = message.message
        this.#takenPort = message.portTaken
        break
      default:
        break // a message that this version does not know
    }
  }

  #onEnded(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (child !== this.#child) return
    this.#child = undefined
    this.#isBound = false
    // Whatever it had started itself goes with it.
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
    this.#state = this.#asked === 'kill' ? 'killed' : this.#asked === 'stop' ? 'stopped' : signal === 'SIGKILL' ? 'killed' : 'failed'
    const how = signal === null ? (code === null ? 'could not be started' : `exit code ${code}`) : signal
    this.#exit = (this.#fatal === undefined ? how : `${how}: ${this.#fatal}`).slice(0, 200)
    this.#onRunning = []
    this.#events.ended(this, child.pid)
  }
}

/** The port that the configuration gives a node for a protocol. */
export function wantedPort({ nativePort, fronts }: PlannedNode, protocol: string): number {
  return fronts.find(front => front.protocol === protocol)?.port ?? nativePort
}
