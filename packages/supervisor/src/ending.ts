// The end of a supervisor: its nodes first, then what it keeps on disk only while it runs, then itself.
import { rmSync } from 'node:fs'
import type { Cluster } from './cluster.ts'
import type { StartRequest } from './launch-messages.ts'
import type { StatePaths } from './state-directory.ts'
import type { SupervisorLog } from './supervisor-log.ts'

/** The last answer leaves this process within this long, in milliseconds. */
const ANSWER_LEAVES_MS = 20

export interface EndingParts {
  readonly request: StartRequest
  readonly paths: StatePaths
  readonly cluster: Cluster
  readonly log: SupervisorLog
  readonly socket: string
  /** Gives the lock back. */
  readonly release: () => void
}

export class Ending {
  readonly #parts: EndingParts
  /** Somebody was first, and decided what stays. */
  #left = false

  constructor(parts: EndingParts) {
    this.#parts = parts
  }

  /** On command. Resolves with the nodes that ran when they have ended; this process ends right after. */
  async stop({ deleteState, kill }: { readonly deleteState: boolean; readonly kill: boolean }): Promise<readonly string[]> {
    const { cluster, request, log } = this.#parts
    log.info({ event: 'stop_requested', deleteState, kill }, 'stopping on command')
    const stopped = kill ? await cluster.killAll() : await cluster.stop(request.shutdownGraceMs)
    this.#leave(deleteState)
    setTimeout(() => process.exit(0), ANSWER_LEAVES_MS)
    return stopped
  }

  /** Without a command. Nothing runs any more after `graceMs`, also when a longer stop was under way. */
  async end(why: string, graceMs: number): Promise<void> {
    const { cluster, log } = this.#parts
    log.info({ event: 'stop_requested', why }, 'stopping')
    setTimeout(() => void cluster.killAll(), graceMs)
    await cluster.stop(graceMs)
    this.#leave(false)
    process.exit(0)
  }

  #leave(deleteState: boolean): void {
    if (this.#left) return
    this.#left = true
    const { request, paths, log, socket, release } = this.#parts
    log.info({ event: 'supervisor_stopped' }, 'stopped')
    log.flush()
    for (const path of [socket, paths.supervisor, paths.processes]) rmSync(path, { force: true })
    if (deleteState || request.ephemeral) rmSync(paths.directory, { recursive: true, force: true })
    else release()
  }
}
