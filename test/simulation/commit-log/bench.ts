// A machine with a log store on a simulated disk, and a model of what its logs have to hold after any crash.
import { nodeId } from '@atoll/base'
import type * as engine from '@atoll/commit-log'
import { type CommitLog, type LogStore, openLogStore } from '@atoll/commit-log'
import { decodeRecords, encodeBatch, type LeaderEpoch, leaderEpoch, type Offset, offset, splitBatches } from '@atoll/records'
import {
  createSimHashes,
  createSimulation,
  type PowerLoss,
  type SimDiskSettings,
  type SimNode,
  type SimPorts,
  type Simulation,
} from '@atoll/sim-ports'

export type Engine = Pick<typeof engine, 'openLogStore'>

const hashes = await createSimHashes()
export const { crc32c } = hashes
export const epoch = leaderEpoch
export const at = offset

/** How a process ends: killed, with what it wrote kept by the kernel, or with the power. */
export type Crash = 'kill' | PowerLoss

export class LogBench {
  readonly simulation: Simulation
  readonly node: SimNode

  constructor(seed: number, disk: Partial<SimDiskSettings> = {}) {
    this.simulation = createSimulation({ seed, hashes })
    this.node = this.simulation.addNode(nodeId('a'), { disk })
  }

  get disk() {
    return this.node.disk
  }

  /** Runs `body` as the node's process until it returns or the process is gone. True when it returned. */
  async run(body: (ports: SimPorts) => Promise<void>): Promise<boolean> {
    let done = false
    this.node.start(async ports => {
      await body(ports)
      done = true
    })
    const { reason } = await this.simulation.run({ until: () => done || this.node.state === 'down', eventsMax: 1_000_000 })
    if (reason !== 'until') throw new Error(`the process waits for ever: ${reason}`)
    return done
  }

  /** Runs `body`, then ends the process. */
  async life(body: (ports: SimPorts) => Promise<void>, crash: Crash = 'kill'): Promise<void> {
    await this.run(body)
    this.end(crash)
  }

  end(crash: Crash): void {
    if (crash === 'kill') this.node.crash()
    else this.node.losePower(crash)
  }

  /** Ends the process after `count` more operations on the disk, if it gets that far. */
  endAfter(count: number, crash: Crash): void {
    const last = this.disk.operations + count
    this.disk.onOperation = () => {
      if (this.disk.operations === last) this.end(crash)
    }
  }

  /** Operations that `body` does. */
  async operationsOf(body: (ports: SimPorts) => Promise<void>): Promise<number> {
    const before = this.disk.operations
    await this.run(body)
    this.end('kill')
    return this.disk.operations - before
  }
}

export function openStore(ports: SimPorts, { openLogStore: open }: Engine = { openLogStore }, options: object = {}): Promise<LogStore> {
  return open({ disk: ports.disk, clock: ports.clock, compute: ports.compute, directory: 'logs', ...options })
}

/** A batch of one record per value. */
export function batch(...values: readonly string[]): Uint8Array {
  const text = new TextEncoder()
  return encodeBatch(
    values.map((value, index) => ({ timestampMs: 1_000 + index, value: text.encode(value) })),
    { crc32c },
  )
}

export interface Held {
  readonly offset: Offset
  readonly value: string
  readonly epoch: LeaderEpoch
}

/** Everything a log holds, in order, read through the disk. */
export async function contents(log: CommitLog): Promise<readonly Held[]> {
  const text = new TextDecoder()
  const held: Held[] = []
  for (let from = log.logStart; from < log.logEnd; ) {
    const found = await log.read(from, { bytesMax: 500 })
    if (found.length === 0) throw new Error(`nothing at offset ${from} of ${log.logEnd}`)
    for (const bytes of found) {
      for (const { start, header } of splitBatches(bytes)) {
        for (const record of decodeRecords(bytes.subarray(start, start + header.sizeBytes))) {
          if (record.offset >= from)
            held.push({ offset: record.offset, value: text.decode(record.value ?? undefined), epoch: header.leaderEpoch })
        }
        from = (header.lastOffset + 1) as Offset
      }
    }
  }
  return held
}

/** What a log has to hold and what it may hold, as the process that writes it knows. */
export class LogModel {
  /** Values written at an offset and not known to be cut, with their epochs. */
  #possible = new Map<number, Set<string>>()
  #certain = new Map<number, string>()
  /** The log starts at one of these. */
  #starts = new Set<number>([0])

  appended(first: number, values: readonly string[], inEpoch: number): void {
    for (const [index, value] of values.entries()) {
      const known = this.#possible.get(first + index) ?? new Set()
      this.#possible.set(first + index, known.add(`${value}@${inEpoch}`))
    }
  }

  /** Everything below `end` was reported durable. */
  durable(end: number): void {
    // What is being dropped may be gone at any time.
    const kept = Math.max(...this.#starts)
    for (const [place, values] of this.#possible) {
      if (place < end && place >= kept && values.size > 0) this.#certain.set(place, [...values].at(-1) as string)
    }
  }

  truncating(end: number): void {
    for (const place of this.#certain.keys()) if (place >= end) this.#certain.delete(place)
  }

  truncated(end: number): void {
    // Some of it may have been reported durable just before it was cut.
    this.truncating(end)
    for (const place of this.#possible.keys()) if (place >= end) this.#possible.delete(place)
  }

  deleting(start: number): void {
    this.#starts.add(start)
    for (const place of this.#certain.keys()) if (place < start) this.#certain.delete(place)
  }

  deleted(start: number): void {
    this.#starts = new Set([start])
  }

  /** Throws unless the log holds all that is certain and nothing that is impossible. */
  check(log: Pick<CommitLog, 'logStart' | 'logEnd' | 'durableEnd'>, held: readonly Held[]): void {
    if (!this.#starts.has(log.logStart)) throw new Error(`log start ${log.logStart}, not ${[...this.#starts].join(' or ')}`)
    const found = new Map(held.map(record => [record.offset as number, `${record.value}@${record.epoch}`]))
    for (const [place, value] of this.#certain) {
      if (found.get(place) !== value) throw new Error(`lost: offset ${place} should hold ${value}, holds ${found.get(place) ?? 'nothing'}`)
    }
    for (const [place, value] of found) {
      if (!this.#possible.get(place)?.has(value)) throw new Error(`invented: offset ${place} holds ${value}`)
    }
    // What recovery kept was made durable, and is now the truth.
    this.#possible = new Map([...found].map(([place, value]) => [place, new Set([value])]))
    this.#starts = new Set([log.logStart])
    this.durable(log.durableEnd)
  }
}
