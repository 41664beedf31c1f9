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

/** A parent names at most so many addresses; gossip finds the rest. */
const SEEDS_MAX = 4_096

/** What the parent says; undefined for anything that is not a message of this version. */
export function readToNode(value: unknown): ToNode | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, seeds } = value as { kind?: unknown; seeds?: unknown }
  if (kind !== 'seeds' || !Array.isArray(seeds) || seeds.length > SEEDS_MAX || !seeds.every(isAddress)) return undefined
  return { kind, seeds: seeds.map(({ host, port }) => ({ host, port })) }
}

function isAddress(value: unknown): value is Address {
  if (typeof value !== 'object' || value === null) return false
  const { host, port } = value as { host?: unknown; port?: unknown }
  return typeof host === 'string' && host.length <= 64 && Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535
}

/** Exit codes of a node process. */
export const exitCode = { clean: 0, failure: 1, usage: 2, portTaken: 5 } as const
