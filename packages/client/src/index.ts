// The front door of the SDK.
export { AtollError, type CallOptions, Client } from './core/index.ts'
