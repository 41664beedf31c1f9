// The broker: a node that keeps copies of partitions, leads some of them, and serves Kafka's clients.
import { groupsConversation, logConversation } from '@atoll/protocol'
import { type Node, type NodeOptions, type NodePorts, startNode } from '@atoll/service'
import { BrokerService } from './broker-service.ts'
import { groupsHandlers } from './handlers/groups.ts'
import { logHandlers } from './handlers/log.ts'

export interface Broker extends Node {
  readonly service: BrokerService
}

/** Starts a broker on the given ports. Rejects when it cannot bind, or when its disk cannot be used. */
export async function startBroker(ports: NodePorts, options: NodeOptions): Promise<Broker> {
  const begun: { service?: BrokerService } = {}
  const node = await startNode(ports, options, handlers => {
    handlers.serve(
      logConversation,
      logHandlers(() => begun.service),
    )
    handlers.serve(
      groupsConversation,
      groupsHandlers(() => begun.service?.askGroups),
    )
  })
  const service = await BrokerService.open(ports, options, node)
  const endpoints = [...node.endpoints, ...(await service.begin())]
  begun.service = service
  // In this order they stop the other way round: first everything is handed over and on the disk, then this node is no more.
  node.registration.begin(endpoints)
  node.context.lifecycle.onStop('broker', () => service.stop())
  return { ...node, endpoints, service }
}
