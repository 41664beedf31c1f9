// The end of a supervisor: its nodes first, then what it keeps on disk only while it runs, then itself.
import { rmSync } from 'node:fs'
import type { Cluster } from './cluster.ts'
import type { StartRequest } from './launch-messages.ts'
import { settles } from './processes.ts'
import type { Reaper } from './reaper.ts'
import { removeDirectory, type StatePaths } from './state-directory.ts'
import type { SupervisorLog } from './supervisor-log.ts'

/** A reaper that holds nothing ends at once, in milliseconds. */
const REAPER_ENDS_MS = 1_000
/** The last answer leaves this process within this long, in milliseconds. */
const ANSWER_LEAVES_MS = 20

export interface EndingParts {
  readonly request: StartRequest
  readonly paths: StatePaths
  readonly cluster: Cluster
  readonly log: SupervisorLog
  readonly reaper: Reaper
  readonly socket: string
  /** Gives the lock back. */
  readonly release: () => void
}

export class Ending {
  readonly #parts: EndingParts
  /** Whoever was first decided what stays. */
  #left: Promise<void> | undefined

  constructor(parts: EndingParts) {
    this.#parts = parts
  }

  /** On command. Resolves with the nodes that ran when they have ended; this process ends right after. */
  async stop({ deleteState, kill }: { readonly deleteState: boolean; readonly kill: boolean }): Promise<readonly string[]> {
    const { cluster, request, log } = this.#parts
    log.info({ event: 'stop_requested', deleteState, kill }, 'stopping on command')
    const stopped = kill ? await cluster.killAll() : await cluster.stop(request.shutdownGraceMs)
    this.#left ??= this.#leave(deleteState)
    await this.#left
    setTimeout(() => process.exit(0), ANSWER_LEAVES_MS)
    return stopped
  }

  /** Without a command. Nothing runs any more after `graceMs`, also when a longer stop was under way. */
  async end(why: string, graceMs: number): Promise<void> {
    const { cluster, log } = this.#parts
    log.info({ event: 'stop_requested', why }, 'stopping')
    setTimeout(() => void cluster.killAll(), graceMs)
    await cluster.stop(graceMs)
    this.#left ??= this.#leave(false)
    await this.#left
    process.exit(0)
  }

  async #leave(deleteState: boolean): Promise<void> {
    const { request, paths, log, socket, reaper, release } = this.#parts
    // Whoever waits for our end shall then find nothing of ours any more.
    await settles(reaper.close(), REAPER_ENDS_MS)
    log.info({ event: 'supervisor_stopped' }, 'stopped')
    log.flush()
    for (const path of [socket, paths.supervisor, paths.processes]) rmSync(path, { force: true })
    if (deleteState || request.ephemeral) removeDirectory(paths)
    else release()
  }
}
