// A configuration once it is valid. The schema that makes it so is apart (`config-schema.ts`): a node process gets its
// configuration from a supervisor that has checked it, and does without the memory a validator costs.
import { isDnsLabel, type NodeId, nodeId } from '@atoll/base'
import type { ClusterConfig } from './config-schema.ts'

/** A configuration that cannot be used; `problems` has every reason, a sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]
  constructor(origin: string, problems: readonly string[]) {
    super(
      `${origin}: ${problems.length === 1 ? 'one problem' : `${problems.length} problems`}\n${problems.map(problem => `  ${problem}`).join('\n')}`,
    )
    this.problems = problems
  }
}

/** Every role this version runs. */
export type Role = keyof ClusterConfig['roles']

export interface PlannedNode {
  readonly name: NodeId
  readonly role: Role
  readonly host: string
  readonly nativePort: number
}

/** The nodes a configuration asks for: `coordinator-1`, `coordinator-2`, …. */
export function plannedNodes(config: ClusterConfig): PlannedNode[] {
  return Object.entries(config.roles).flatMap(([name, { count, nativePort }]) =>
    Array.from({ length: count }, (_, i) => ({
      name: nodeId(`${name}-${i + 1}`),
      role: name as Role,
      host: config.host,
      nativePort: nativePort + i,
    })),
  )
}

/** True when `name` can name a cluster: a lower-case DNS label. */
export const isClusterName = isDnsLabel
