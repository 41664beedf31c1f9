// The coordinator's composition root. A coordinator gossips and answers admin requests; it decides nothing yet.
import { type Node, type NodeOptions, type NodePorts, startNode } from '@atoll/service'

/** Starts a coordinator on the given ports. Rejects when it cannot bind. */
export function startCoordinator(ports: NodePorts, options: NodeOptions): Promise<Node> {
  return startNode(ports, options)
}
