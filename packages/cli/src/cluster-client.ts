// Commands that are clients of the cluster: they use the SDK as any application does.
import { AtollError, type Client, connect } from '@atoll/client'
import { findSupervisor } from '@atoll/supervisor'
import { CommandError, type ExitReason } from './exit-codes.ts'
import { notRunning } from './running-cluster.ts'
import { findTarget, type TargetOptions } from './target.ts'

/** How long the coordinators have to answer when no supervisor runs, in milliseconds. */
const UNSUPERVISED_TIMEOUT_MS = 1_000

const reasons: Partial<Record<AtollError['code'], ExitReason>> = {
  invalid_argument: 'usage',
  reserved_key: 'usage',
  no_leader: 'degraded',
  request_timed_out: 'notReady',
  lease_not_found: 'conflict',
  unknown_topic: 'notFound',
  unknown_group: 'notFound',
  topic_exists: 'conflict',
  invalid_topic: 'usage',
  invalid_config: 'usage',
  invalid_partitions: 'usage',
  invalid_replication_factor: 'usage',
}

/** Runs `work` with a client of the cluster that a command is about; what goes wrong becomes a sentence and an exit code. */
export async function withClient<T>(options: TargetOptions, work: (client: Client) => Promise<T>): Promise<T> {
  const target = findTarget(options)
  await using client = connect(target.paths.directory)
  try {
    // A cluster that nobody looks after may still be there, node by node, but it is not waited for.
    if (findSupervisor(target.paths) === undefined) await client.ready({ timeoutMs: UNSUPERVISED_TIMEOUT_MS })
    return await work(client)
  } catch (error) {
    if (!(error instanceof AtollError)) throw error
    if (error.code === 'cluster_not_found') throw notRunning(target)
    if (error.code === 'not_connected' && findSupervisor(target.paths) === undefined) throw notRunning(target)
    if (error.code === 'not_connected')
      throw new CommandError('degraded', `No coordinator of cluster ${target.name} answers.`, {
        details: error.troubles.map(({ node, message }) => `  ${message.includes(node) ? message : `${node}: ${message}`}`).sort(),
        next: ['cluster status', 'cluster restart --all'],
      })
    const next = error.code === 'no_leader' ? ['cluster status'] : []
    throw new CommandError(reasons[error.code] ?? 'failure', `${error.message} (${error.code}, ${error.outcome})`, { next })
  }
}
