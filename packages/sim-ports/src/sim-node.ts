// A node of a simulation: what a person at the machine can do with its process, and the ports its program gets.
import type { Clock, Compute, Disk, LogSink, Net, NodeId, Process, Random, SeededRandom } from '@atoll/base'
import { assert, seededRandom } from '@atoll/base'
import { diskPort } from './disk-port.ts'
import type { Machine } from './machine.ts'
import type { Scheduler } from './scheduler.ts'
import { type ClockError, Oscillator, simClock } from './sim-clock.ts'
import { type SimHashes, simCompute } from './sim-compute.ts'
import { type PowerLoss, SimDisk, type SimDiskSettings } from './sim-disk.ts'
import { SimProcess } from './sim-process.ts'
import type { VirtualNet } from './virtual-net.ts'

/** What the program of a node gets, all of it virtual. */
export interface SimPorts {
  readonly clock: Clock
  readonly random: Random
  readonly net: Net
  readonly disk: Disk
  readonly compute: Compute
  readonly process: Process
  readonly logSink: LogSink
}

export type Program = (ports: SimPorts) => void | Promise<void>

export interface NodeContext {
  readonly scheduler: Scheduler
  readonly net: VirtualNet
  readonly seed: number
  /** Decides what is neither a process's own nor the network's. */
  readonly random: Random
  readonly hashes: SimHashes
  readonly logLinesMax: number
}

export type NodeState = 'down' | 'running' | 'paused'

const CLOCK_ORIGIN_MS_MAX = 1_000_000
const FIRST_PID = 1_000

export class SimNode {
  readonly id: NodeId
  readonly machine: Machine
  /** Its own, which its processes come and go on. */
  readonly disk: SimDisk
  readonly #context: NodeContext
  readonly #index: number
  readonly #oscillator: Oscillator
  #process: SimProcess | undefined
  #starts = 0
  /** Starts of the machine. */
  #boots = 1
  #exitCode: number | undefined
  #logLines: string[] = []

  constructor(context: NodeContext, id: NodeId, index: number, machine: Machine, disk: Partial<SimDiskSettings>) {
    this.#context = context
    this.id = id
    this.#index = index
    this.machine = machine
    this.disk = new SimDisk(seededRandom((context.seed ^ Math.imul(index, 0xc2b2ae35)) >>> 0), disk)
    // Somewhere else for every node: monotonic times of two nodes must never be compared.
    this.#oscillator = new Oscillator(context.scheduler, this.#stream().below(CLOCK_ORIGIN_MS_MAX))
  }

  get state(): NodeState {
    const state = this.#process?.state
    return state === undefined || state === 'dead' ? 'down' : state
  }

  /** With what the process ended itself last; undefined when it runs, never ran or was killed. */
  get exitCode(): number | undefined {
    return this.#exitCode
  }

  /** The newest lines of its log, over all its processes. */
  get logLines(): readonly string[] {
    return this.#logLines.slice(-this.#context.logLinesMax)
  }

  /** Starts `program` in an event of its own. A promise it answers that rejects fails the run. */
  start(program: Program): void {
    assert(this.state === 'down', 'a node runs one process at a time')
    assert(this.machine.up, 'a node starts on a machine with power')
    this.#starts++
    this.#exitCode = undefined
    const { scheduler } = this.#context
    const process = new SimProcess(scheduler, this.#index, this.id, FIRST_PID * this.#index + this.#starts)
    this.#process = process
    scheduler.schedule(0, 'start', process, () => {
      const done = program(this.#portsOf(process))
      if (done === undefined) return
      done.catch((error: unknown) => {
        if (process.state !== 'dead') scheduler.fail(error)
      })
    })
  }

  /** Asks the process to stop, as SIGTERM does. One that does not listen goes on. */
  stop(why = 'SIGTERM'): void {
    const process = this.#process
    if (process === undefined) return
    this.#context.scheduler.schedule(0, 'stop_request', process, () => {
      for (const handler of process.stopHandlers) handler(why)
    })
  }

  /** The process dies as by `kill -9`; the kernel closes its connections and keeps what was written. */
  crash(): void {
    this.#note('crash')
    this.#process?.die({ power: false })
  }

  /** Part of its machine losing power: nobody is told, and what was not synced meets its fate. */
  losePower(unsynced: PowerLoss = 'drawn'): void {
    this.#note('lose power')
    this.#process?.die({ power: true })
    this.#boots++
    this.disk.losePower(unsynced)
  }

  /** The process stands still as by SIGSTOP: its kernel accepts and buffers, its events wait. */
  pause(): void {
    this.#note('pause')
    this.#process?.pause()
  }

  resume(): void {
    this.#note('resume')
    this.#process?.resume({ networkFirst: this.#context.random.below(2) === 0 })
  }

  /** Makes the machine's clocks as seen by this node run wrong from now on. */
  setClock(error: ClockError): void {
    this.#oscillator.set(error)
  }

  #portsOf(process: SimProcess): SimPorts {
    const { scheduler, net, hashes } = this.#context
    const random = this.#stream()
    return {
      clock: simClock(scheduler, process, this.#oscillator),
      random: new ProcessRandom(scheduler, process, random.fork()),
      net: net.portOf(process, this.id, this.machine),
      disk: diskPort(scheduler, process, this.disk),
      compute: simCompute(scheduler, process, hashes, random.fork()),
      process: this.#processPort(process),
      logSink: this.#logSink(process),
    }
  }

  #processPort(process: SimProcess): Process {
    const { scheduler } = this.#context
    return {
      pid: process.pid,
      bootId: `${this.id} boot ${this.#boots}`,
      usage: () => ({ residentBytes: 0, heapBytes: 0, cpuMs: 0 }),
      onStopRequest(handler) {
        if (scheduler.permits(process, 'process.onStopRequest')) process.stopHandlers.push(handler)
      },
      exit: code => {
        if (!scheduler.permits(process, 'process.exit')) return
        this.#exitCode = code
        this.#note(`exit ${code}`)
        process.die({ power: false })
      },
    }
  }

  #logSink(process: SimProcess): LogSink {
    const { scheduler, logLinesMax } = this.#context
    return {
      write: line => {
        if (!scheduler.permits(process, 'logSink.write')) return
        scheduler.note('log', process, new TextEncoder().encode(line))
        this.#logLines.push(line)
        if (this.#logLines.length >= 2 * logLinesMax) this.#logLines = this.#logLines.slice(-logLinesMax)
      },
      flush() {
        // A line is kept the moment it is written.
      },
    }
  }

  /** Randomness of this node's present process: another node, or another start, does not shift it. */
  #stream(): SeededRandom {
    const { seed } = this.#context
    return seededRandom((seed ^ Math.imul(this.#index, 0x9e3779b1) ^ Math.imul(this.#starts, 0x85ebca77)) >>> 0)
  }

  #note(what: string): void {
    this.#context.scheduler.note('life', { nodeIndex: this.#index, name: this.id }, new TextEncoder().encode(what))
  }
}

/** A process's own generator, which only events may draw from. */
class ProcessRandom implements Random {
  readonly #scheduler: Scheduler
  readonly #process: SimProcess
  readonly #random: Random

  constructor(scheduler: Scheduler, process: SimProcess, random: Random) {
    this.#scheduler = scheduler
    this.#process = process
    this.#random = random
  }

  u32(): number {
    this.#scheduler.permits(this.#process, 'random.u32')
    return this.#random.u32()
  }

  float(): number {
    this.#scheduler.permits(this.#process, 'random.float')
    return this.#random.float()
  }

  below(bound: number): number {
    this.#scheduler.permits(this.#process, 'random.below')
    return this.#random.below(bound)
  }

  bytes(length: number): Uint8Array {
    this.#scheduler.permits(this.#process, 'random.bytes')
    return this.#random.bytes(length)
  }
}
