// The front door of `supervisor`: starting the supervisor of a cluster, finding and asking one that runs, and what a
// cluster keeps on disk.
export { heldNodes, lockHolder, nodeLock, takeLock } from './cluster-lock.ts'
export { ControlClient, findSupervisor, type SupervisorRecord } from './control-client.ts'
export { describeFileTrouble } from './file-trouble.ts'
export { LaunchError, LaunchedSupervisor, launchSupervisor } from './launch.ts'
export type { RefusalReason, StartRequest } from './launch-messages.ts'
export { nodeArguments, processEnvironment } from './node-command.ts'
export { killLeftovers, leftovers } from './process-list.ts'
export { identify, isRunning, type ProcessIdentity, settles, until } from './processes.ts'
export { Reaper } from './reaper.ts'
export { doorOf, RememberedPorts } from './remembered-ports.ts'
export { replaceFile } from './replace-file.ts'
export {
  clusterNames,
  establish,
  makeDirectory,
  readIdentity,
  removeDirectory,
  STATE_ROOT,
  StateError,
  type StatePaths,
  socketPath,
  statePaths,
  stderrFile,
} from './state-directory.ts'
