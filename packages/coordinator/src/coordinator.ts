// The coordinator's composition root: a node that gossips and answers admin requests, and its part in the agreement.
import { raftConversation } from '@atoll/protocol'
import { type Node, type NodeOptions, type NodePorts, startNode } from '@atoll/service'
import { Agreement, type AgreementHooks } from './agreement.ts'

export interface Coordinator extends Node {
  readonly agreement: Agreement
}

/** Starts a coordinator on the given ports. Rejects when it cannot bind, or when its disk cannot be used. */
export async function startCoordinator(ports: NodePorts, options: NodeOptions, hooks?: AgreementHooks): Promise<Coordinator> {
  const agreement = await Agreement.prepare(ports, options, hooks)
  const node = await startNode(ports, options, handlers => {
    handlers.serve(raftConversation, agreement.handlers)
    agreement.serving.serve(handlers)
  })
  await agreement.begin(node)
  node.registration.begin(node.endpoints, agreement.self.disk)
  return { ...node, agreement }
}
