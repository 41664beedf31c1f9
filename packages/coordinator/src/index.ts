// The front door of `coordinator`, for the simulator.
export type { Agreement, AgreementHooks } from './agreement.ts'
export { type Coordinator, startCoordinator } from './coordinator.ts'
export { type Applied, type Command, type CommandOf, NODE_PREFIX, oneKey } from './core/index.ts'
export type { DriverStep } from './raft-driver.ts'
