// Asking the supervisor of the cluster a command is about.
import { clusterStatus, ProtocolError, type ResponseOf } from '@atoll/protocol'
import { ControlClient, findSupervisor } from '@atoll/supervisor'
import { CommandError, type ExitReason } from './exit-codes.ts'
import type { Target } from './target.ts'

export type ClusterStatus = ResponseOf<typeof clusterStatus>

/** The nodes of a status question are given this long, and the supervisor a little more, in milliseconds. */
const STATUS_TIMEOUT_MS = 5_000

/** A connection to the supervisor; undefined when the cluster does not run. Throws a CommandError when it does not answer. */
export async function connect(target: Target): Promise<ControlClient | undefined> {
  try {
    return await ControlClient.connect(target.paths)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const pid = findSupervisor(target.paths)?.pid
    throw new CommandError('failure', `The supervisor of cluster ${target.name} (pid ${pid}) does not answer: ${error.message}`, {
      next: [`kill -9 ${pid}, which ends the cluster`],
    })
  }
}

/** Runs `work` with a connection to the supervisor. Throws `notRunning` when there is none. */
export async function withCluster<T>(target: Target, work: (client: ControlClient) => Promise<T>): Promise<T> {
  await using client = await connect(target)
  if (client === undefined) throw notRunning(target)
  try {
    return await work(client)
  } catch (error) {
    throw error instanceof ProtocolError ? asCommandError(error) : error
  }
}

export function notRunning(target: Target): CommandError {
  return new CommandError('notRunning', `Cluster ${target.name} is not running.`, { next: ['cluster up'] })
}

/** `probe`: each node is asked; otherwise the answer is what the supervisor knows. */
export function statusOf(client: ControlClient, probe: boolean): Promise<ClusterStatus> {
  return client.request(clusterStatus, { probe }, STATUS_TIMEOUT_MS)
}

const reasons: Partial<Record<ProtocolError['code'], ExitReason>> = {
  unknown_node: 'notFound',
  wrong_state: 'conflict',
  not_ready: 'notReady',
  faults_not_enabled: 'conflict',
  shutting_down: 'notRunning',
}

function asCommandError(error: ProtocolError): CommandError {
  const hint = error.code === 'faults_not_enabled' ? ['set "faults": true in cluster.config.json, then cluster up --recreate'] : []
  return new CommandError(reasons[error.code] ?? 'failure', error.message.replace(/^supervisor: /, ''), { next: hint })
}
