// The front door of `swim`: the state machine, its inputs and effects, and the messages members exchange.
export type { Address, Destination, Effects, MemberView, Send, SwimEvent } from './effects.ts'
export type { Input } from './inputs.ts'
export { MEMBERS_MAX, UPDATE_BYTES_MAX, UPDATES_MAX } from './limits.ts'
export type {
  Ack,
  Gossip,
  MemberEndpoint,
  MemberMeta,
  MemberState,
  MemberUpdate,
  Nack,
  Ping,
  PingRequest,
  SwimMessage,
  Sync,
} from './messages.ts'
export { defaultSettings, type SwimSettings } from './settings.ts'
export { Swim, type SwimOptions } from './swim.ts'
