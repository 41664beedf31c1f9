// Ports that a node did not get because somebody else has them.
import type { SupervisedNode } from '@atoll/protocol'
import { RememberedPorts, type StatePaths } from '@atoll/supervisor'
import { describeHolder } from './port-holder.ts'
import { addressOf } from './status-view.ts'

/** Made before a start, so that it knows which replacement is new. */
export class PortWatch {
  readonly #before: RememberedPorts

  constructor(paths: StatePaths) {
    this.#before = new RememberedPorts(paths.ports)
  }

  /** A sentence for each port that was replaced since. */
  replaced(nodes: readonly SupervisedNode[]): string[] {
    return nodes.flatMap(({ name, endpoints }) =>
      endpoints
        .filter(({ port, wanted }) => port !== this.#before.portFor(name, wanted))
        .map(endpoint => {
          const taken = this.#before.portFor(name, endpoint.wanted)
          return `Port ${taken} is taken ${describeHolder(taken)}; ${name} listens on ${addressOf(endpoint)} instead, from now on (--strict-ports fails instead).`
        }),
    )
  }
}
