// `cluster down`: stops everything in order and says what stays.
import { existsSync } from 'node:fs'
import { clusterStop, ProtocolError } from '@atoll/protocol'
import { heldNodes, isRunning, killLeftovers, lockHolder, removeDirectory, until } from '@atoll/supervisor'
import { CommandError, exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { connect } from '../running-cluster.ts'
import { Steps } from '../steps.ts'
import { findTarget, type Target, type TargetOptions } from '../target.ts'

export interface DownOptions extends TargetOptions {
  readonly volumes?: boolean
}

/** The longest an ordered stop may take is the configuration’s to say; the supervisor holds to it. In milliseconds. */
const STOP_TIMEOUT_MS = 600_000
/** After its last answer the supervisor has nothing left to do, in milliseconds. */
const GONE_TIMEOUT_MS = 5_000

export async function down(options: DownOptions, output: Output): Promise<number> {
  const target = findTarget(options)
  const steps = new Steps(output)
  const stopped = await stopCluster(target, options.volumes === true, steps)
  const cleaned = stopped === undefined ? await killLeftovers(target.paths.processes) : []
  if (options.volumes === true) removeDirectory(target.paths)
  if (cleaned.length > 0) output.warn(`Killed what an earlier supervisor left behind: ${cleaned.join(', ')}.`)
  if (stopped === undefined && cleaned.length === 0) output.say(`Cluster ${target.name} is not running.`)
  output.say(whatStays(target, options.volumes === true))
  return exitCodes.ok.code
}

/** Stops a running cluster and waits until its supervisor is gone. Answers the nodes that ran; undefined when none does. */
export async function stopCluster(target: Target, deleteState: boolean, steps: Steps): Promise<readonly string[] | undefined> {
  await using client = await connect(target)
  if (client === undefined) {
    const holder = lockHolder(target.paths.lock)
    if (holder !== undefined)
      throw new CommandError('conflict', `Process ${holder.pid} is starting or stopping cluster ${target.name}. Try again in a moment.`)
    const [alone] = heldNodes(target.paths.lock)
    if (alone !== undefined)
      throw new CommandError(
        'conflict',
        `Process ${alone.pid} runs ${alone.node} of cluster ${target.name} by itself (cluster node run).`,
        {
          next: [`kill ${alone.pid}`],
        },
      )
    return undefined
  }
  steps.begin(`Stopping cluster ${target.name}`)
  const stopped = await client.request(clusterStop, { deleteState, kill: false }, STOP_TIMEOUT_MS).then(
    answer => answer.stopped,
    (error: unknown) => {
      // Two may stop it at once; it ends after it has answered one of them.
      if (error instanceof ProtocolError && error.code === 'connection_lost') return []
      throw error
    },
  )
  const gone = await until(() => !isRunning(client.supervisor), GONE_TIMEOUT_MS)
  if (!gone) throw new CommandError('failure', `The nodes stopped, but their supervisor (pid ${client.supervisor.pid}) does not end.`)
  steps.done()
  return stopped
}

function whatStays(target: Target, deleted: boolean): string {
  if (deleted) return `Nothing stays: ${target.paths.directory} is deleted.`
  if (!existsSync(target.paths.identity)) return 'Nothing stays.'
  return `Data and logs stay in ${target.paths.directory}; \`cluster down --volumes\` deletes them.`
}
