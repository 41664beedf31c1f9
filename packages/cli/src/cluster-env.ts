// The addresses of a cluster as environment variables: what `cluster env` prints and `cluster exec` sets.
import type { SupervisedNode } from '@atoll/protocol'
import { addressOf } from './status-view.ts'
import type { Target } from './target.ts'

/** Addresses of all nodes, those that are down at the moment included: a client must find them when they are back. */
export function clusterEnv(target: Target, nodes: readonly SupervisedNode[]): Record<string, string> {
  const addresses = (role: string, spoken: string): string =>
    nodes
      .filter(node => node.role === role)
      .flatMap(node => node.endpoints.filter(({ protocol }) => protocol === spoken).map(addressOf))
      .join(',')
  const brokers = addresses('broker', 'kafka')
  return {
    COORDINATORS: addresses('coordinator', 'native'),
    ...(brokers === '' ? {} : { KAFKA_BROKERS: brokers }),
    // The state directory: whoever can read it finds the cluster and its secret.
    ATOLL_TARGET: target.paths.directory,
  }
}
