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
