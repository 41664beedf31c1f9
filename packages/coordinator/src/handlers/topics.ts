// The topics conversation: its requests are commands as they are. What a topic may be told is checked here, because the
// state machine must make the same of a log whichever settings its build knows.
import type { HandlersOf, topicsConversation } from '@atoll/protocol'
import type { Controller } from '../controller/controller.ts'
import { checkTopicConfigs } from '../core/index.ts'
import type { Replica } from '../replica.ts'

export function topicsHandlers(replica: Replica, controller: Controller): HandlersOf<typeof topicsConversation> {
  return {
    topicCreate: async (request, context) => {
      checkTopicConfigs(request.configs)
      return replica.change({ kind: 'topic_create', ...request }, context)
    },
    topicConfigure: async (request, context) => {
      checkTopicConfigs(request.set)
      return replica.change({ kind: 'topic_configure', ...request }, context)
    },
    topicDelete: (request, context) => replica.change({ kind: 'topic_delete', ...request }, context),
    topicGrow: (request, context) => replica.change({ kind: 'topic_grow', ...request }, context),
    isrChange: (request, context) => replica.change({ kind: 'isr_change', ...request }, context),
    brokerReady: (request, context) => replica.change({ kind: 'broker_ready', ...request }, context),
    brokerLeave: (request, context) => replica.change({ kind: 'broker_leave', ...request }, context),
    replicasYield: (request, context) => replica.change({ kind: 'replicas_yield', ...request }, context),
    leadersElect: (request, context) => replica.change({ kind: 'leaders_elect', ...request }, context),
    partitionsReassign: (request, context) => replica.change({ kind: 'partitions_reassign', ...request }, context),
    nodeExited: ({ node, epoch }) => {
      replica.expectLeader()
      // Whoever knows the cluster’s secret is believed: a lie costs a node its registration, never anybody’s data.
      controller.exited({ node, epoch })
      return {}
    },
    producerIds: (request, context) => replica.change({ kind: 'producer_ids', ...request }, context),
  }
}
