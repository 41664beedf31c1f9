// The front door of the groups: what a broker needs to coordinate them.
export { type CoordinatorSettings, defaultCoordinatorSettings, type GroupEffects, type GroupInput } from './coordinator-inputs.ts'
export { GroupCoordinator } from './group-coordinator.ts'
export type { GroupAnswer, GroupRequest, GroupState } from './group-messages.ts'
export { type GroupRecord, partitionOfGroup } from './group-records.ts'
export { type GroupLog, GroupService, type GroupServiceOptions } from './group-service.ts'
export { type AskGroups, groupHandlers } from './kafka-handlers.ts'
