// The front door of `coordinator`, for the simulator.
export { startCoordinator } from './coordinator.ts'
