// What a node process and the process that started it tell each other over Node's IPC channel. When the channel closes
// the parent is gone, and the node stops by itself.
import type { Address } from '@atoll/swim'
import type { BoundEndpoint } from './node.ts'

export type ToParent =
  /** Every port is bound; these are the addresses. */
  | { readonly kind: 'bound'; readonly endpoints: readonly BoundEndpoint[] }
  /** It serves. */
  | { readonly kind: 'running' }
  /** It will end with a failure, and why. */
  | { readonly kind: 'fatal'; readonly message: string; readonly portTaken?: number }

export type ToNode =
  /** Native addresses of other nodes, to join through. */
  { readonly kind: 'seeds'; readonly seeds: readonly Address[] }

/** Exit codes of a node process. */
export const exitCode = { clean: 0, failure: 1, portTaken: 5 } as const
