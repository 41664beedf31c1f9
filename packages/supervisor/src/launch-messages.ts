// What the starter of a supervisor and the supervisor say to each other over the channel between parent and child. The
// supervisor is attached until it is told otherwise: when the channel closes before that, it stops everything.
import type { PlannedNode } from '@atoll/service'

/** All a supervisor must know; the first message it gets. */
export interface StartRequest {
  readonly kind: 'start'
  /** The cluster’s name. */
  readonly cluster: string
  /** Absolute path of its state directory. */
  readonly directory: string
  /** Absolute path of the directory with one program per role. */
  readonly programs: string
  /** The resolved configuration, as the nodes read it. */
  readonly config: string
  readonly plan: readonly PlannedNode[]
  /** Whether links may be broken by command. */
  readonly faults: boolean
  /** How long an ordered stop may take, in milliseconds. */
  readonly shutdownGraceMs: number
  /** Delete its state when it stops. */
  readonly ephemeral: boolean
  readonly strictPorts: boolean
}

export type ToSupervisor = StartRequest | { readonly kind: 'detach' }

/** Why a supervisor does not start. `running`: another one has this cluster. `conflict`: what is on disk is not for it. `environment`: the disk is not. */
export type RefusalReason = 'running' | 'conflict' | 'environment' | 'failure'

export type FromSupervisor =
  /** It answers on its socket; the nodes are being started. `cleaned` were left behind by an earlier one. */
  | { readonly kind: 'listening'; readonly cleaned: readonly string[] }
  | { readonly kind: 'detached' }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly message: string }
