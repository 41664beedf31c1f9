// What goes into the state machine. Every input carries the monotonic time at which the driver handled it.
import type { MonotonicMs, NodeId } from '@atoll/base'
import type { Address, Destination } from './effects.ts'
import type { MemberEndpoint, SwimMessage } from './messages.ts'

export type Input =
  /** The time asked for by `wakeAtMs` has come. */
  | { readonly kind: 'tick'; readonly nowMs: MonotonicMs }
  /** `from` is who the connection proved to be, never who the message says. */
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: SwimMessage; readonly nowMs: MonotonicMs }
  /** Get to know the cluster through these addresses. A process's own address among them is passed over. */
  | { readonly kind: 'join'; readonly seeds: readonly Address[]; readonly nowMs: MonotonicMs }
  /** A message could not be sent to `to`. `refused`: nobody listens at that exact address. `timed_out`: anything else. */
  | { readonly kind: 'unreachable'; readonly to: Destination; readonly how: 'refused' | 'timed_out'; readonly nowMs: MonotonicMs }
  /** A connection to or from this member is over, for whatever reason. */
  | { readonly kind: 'connection_closed'; readonly node: NodeId; readonly nowMs: MonotonicMs }
  /** The process noticed that it did not run for `stalledMs`, up to now. */
  | { readonly kind: 'stalled'; readonly stalledMs: number; readonly nowMs: MonotonicMs }
  | { readonly kind: 'load_changed'; readonly loadPercent: number; readonly nowMs: MonotonicMs }
  | { readonly kind: 'meta_changed'; readonly role: string; readonly endpoints: readonly MemberEndpoint[]; readonly nowMs: MonotonicMs }
  /** Say farewell. Keep stepping until the event `farewell_said`, then exit. */
  | { readonly kind: 'leave'; readonly nowMs: MonotonicMs }
