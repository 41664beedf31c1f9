// How a disk comes to belong to a cluster. Coordinators that have never voted tell each other their disks; once one has
// heard all that the configuration plans, none of which belongs to a cluster yet, all of them are its founders. Who comes
// later, or comes back without its disk, hears from a member that the cluster has others, and asks to be taken in under its
// new identity (joining.ts): an empty disk that votes in the name of a lost one is how acknowledged writes are forgotten (B28).
import { type Clock, type NodeId, sleep } from '@atoll/base'
import type { Configuration, DiskId, Member } from '@atoll/raft'
import { FOUNDING_RETRY_MS } from './limits.ts'

export interface Introduction {
  readonly disk: DiskId
  /** Undefined while that disk belongs to no cluster. One that joined later names those who did found it. */
  readonly founders: Configuration | undefined
}

export interface FoundingOptions {
  readonly self: Member
  /** All other coordinators of the configuration. */
  readonly peers: readonly NodeId[]
  /** Undefined when there is no answer. */
  readonly ask: (peer: NodeId) => Promise<Introduction | undefined>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Who founds a cluster that this server joins later: nobody it counts on before it is told. */
export const NOBODY: Configuration = { voters: [], learners: [] }

/** Resolves with the founders of the cluster, among whom this disk may be or not. Rejects when aborted. */
export async function findFounders({ self, peers, ask, clock, signal }: FoundingOptions): Promise<Configuration> {
  for (;;) {
    const answers = await Promise.all(peers.map(async node => ({ node, said: await ask(node) })))
    signal.throwIfAborted()
    const founded = answers.map(({ said }) => said?.founders).find(founders => founders !== undefined && founders.voters.length > 0)
    if (founded !== undefined) return founded
    const unbound = answers.flatMap(({ node, said }) =>
      said === undefined || said.founders !== undefined ? [] : [{ node, disk: said.disk } satisfies Member],
    )
    if (unbound.length === peers.length) return { voters: byName([self, ...unbound]), learners: [] }
    await sleep(clock, FOUNDING_RETRY_MS, signal)
  }
}

export function isAmong({ voters }: Configuration, { node, disk }: Member): boolean {
  return voters.some(voter => voter.node === node && voter.disk === disk)
}

/** Everybody writes down the same. */
function byName(members: readonly Member[]): readonly Member[] {
  return members.toSorted((a, b) => (a.node < b.node ? -1 : 1))
}
