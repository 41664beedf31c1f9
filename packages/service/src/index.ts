// The front door of `service`: what every process of a cluster shares.
export {
  type ClusterConfig,
  ConfigError,
  configSchema,
  isClusterName,
  type PlannedNode,
  parseConfig,
  plannedNodes,
  type Role,
} from './config.ts'
export { configPage } from './config-page.ts'
export { GossipAgent } from './gossip-agent.ts'
export { DrainTimeoutError, Lifecycle, type LifeState } from './lifecycle.ts'
export { cutLink, linkRuleOf } from './link-rules.ts'
export { createLog, type LogLevel, type NodeLog } from './logging.ts'
export { type Counter, Metrics } from './metrics.ts'
export { type NativeAddress, PortTakenError } from './native-listener.ts'
export { type BoundEndpoint, type Node, type NodeContext, type NodeOptions, type NodePorts, startNode } from './node.ts'
export { exitCode, type ToNode, type ToParent } from './parent-channel.ts'
