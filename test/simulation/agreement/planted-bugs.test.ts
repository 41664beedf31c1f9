// Bugs planted into whole coordinators and their clients must be caught by the seeds that the real ones pass, each within a
// fixed budget. Those of the parts alone are planted in their own simulations; here the whole has to notice.
import type * as sim from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { loadMutated, type Mutation } from '../mutation.ts'

interface Planted extends Mutation {
  readonly kind: sim.AgreementKind
  /** It has to show within so many seeds, from the first on. */
  readonly seeds: number
  /** What gives it away. */
  readonly caught: RegExp
}

const edit = (file: string, find: string, replace: string) => ({ file: `packages/${file}.ts`, find, replace })

const bugs: readonly Planted[] = [
  {
    name: 'skips an fsync',
    kind: 'agreement',
    seeds: 3,
    caught: /would have it after a loss of power/,
    edits: [edit('commit-log/src/unsynced', 'await this.#files.get(path).sync()', 'this.#files.get(path)')],
  },
  {
    name: 'commits an entry of an earlier term by counting',
    kind: 'agreement',
    seeds: 10,
    caught: /by counting in term/,
    edits: [edit('raft/src/replication', 'if (held > commit && log.termAt(held) === term)', 'if (held > commit)')],
  },
  {
    name: 'votes twice in a term',
    kind: 'agreement',
    seeds: 10,
    caught: /changes its vote|votes for .* and for|both lead/,
    edits: [
      edit(
        'raft/src/ballot',
        'return this.#votedFor === undefined || isSameMember(this.#votedFor, candidate)',
        'return candidate !== undefined',
      ),
      edit('raft/src/ballot', "assert(isSameMember(this.#votedFor, candidate), 'one vote per term')\n      return", ''),
    ],
  },
  {
    name: 'forgets its vote when it restarts',
    kind: 'agreement',
    seeds: 3,
    caught: /forgot that it voted/,
    edits: [edit('coordinator/src/adapters/hard-state-file', 'body[8] === 1 ?', 'body[8] === 2 ?')],
  },
  {
    name: 'reuses the round of a read',
    kind: 'agreement',
    seeds: 3,
    caught: /in round 1 of term \d+ again/,
    edits: [edit('raft/src/read-index', 'this.#round++', 'this.#round = 1')],
  },
  {
    name: 'truncates committed entries',
    kind: 'agreement',
    seeds: 5,
    caught: /./,
    edits: [
      edit('raft/src/following', 'if (there?.term !== batch.term)', 'if (there?.term !== batch.term || batch.firstIndex <= log.lastIndex)'),
      edit(
        'raft/src/following',
        'const there = this.#server.log.extentAt(batch.firstIndex)',
        'const { log } = this.#server\n    const there = log.extentAt(batch.firstIndex)',
      ),
    ],
  },
  {
    name: 'applies what is not durable',
    kind: 'agreement',
    seeds: 3,
    caught: /and has \d+ on disk|only what is committed and durable is applied/,
    edits: [edit('raft/src/raft', 'least(this.#server.commit, this.#server.durableIndex)', 'this.#server.commit')],
  },
  {
    name: 'serves a read before it has applied what the read must see',
    kind: 'agreement',
    seeds: 10,
    caught: /not linearizable/,
    edits: [edit('coordinator/src/callers', 'if (answer.index <= this.#applied) for', 'if (answer.index > 0) for')],
  },
  {
    name: 'repeats a watch event',
    kind: 'clients',
    seeds: 5,
    caught: /unique|resumable|ordered/,
    edits: [edit('client/src/core/watch', 'Math.max(this.#next, item.throughRevision + 1)', 'Math.max(this.#next, item.throughRevision)')],
  },
  {
    name: 'skips a watch event',
    kind: 'clients',
    seeds: 5,
    caught: /reliable/,
    edits: [edit('client/src/core/watch', 'item.throughRevision + 1)', 'item.throughRevision + 2)')],
  },
  {
    name: 'hands out a stale fencing token',
    kind: 'clients',
    seeds: 3,
    caught: /token granted twice|token went back/,
    edits: [
      edit(
        'coordinator/src/core/contests',
        'this.#contests.set(name, { holder: { ...next, token }, waiting: left.slice(1) })',
        'this.#contests.set(name, { holder: { ...next, token: holder.token }, waiting: left.slice(1) })',
      ),
      edit(
        'coordinator/src/core/contests',
        'return [{ contests: this.prefix, name, lease: next.lease, token }]',
        'return [{ contests: this.prefix, name, lease: next.lease, token: holder.token }]',
      ),
    ],
  },
  {
    name: 'forgets what it answered in a session',
    kind: 'clients',
    seeds: 10,
    caught: /not linearizable|and its key says|revision/,
    edits: [
      edit(
        'coordinator/src/core/sessions',
        'if (kept !== undefined) return kept.answer',
        'if (kept !== undefined) found.answers.delete(sequence)',
      ),
    ],
  },
  {
    name: 'leaves a lease that was revoked',
    kind: 'clients',
    seeds: 2,
    caught: /and its key is there/,
    edits: [edit('coordinator/src/core/state-machine', 'this.#endLeases(draft, [command.lease], did)', '')],
  },
  {
    name: 'leaves the queue of a lock out of its snapshots',
    kind: 'clients',
    seeds: 10,
    caught: /makes something else of|states differ|two holders/,
    edits: [edit('coordinator/src/core/snapshot', 'for (const one of waiting)', 'for (const one of waiting.slice(1))')],
  },
]

const hashes = await createSimHashes()

async function firstFailure({ runAgreementSeed }: typeof sim, { kind, seeds }: Planted): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await runAgreementSeed(seed, hashes, { kind })
    } catch (error) {
      return String(error)
    }
  }
  return undefined
}

describe('planted bugs', () => {
  it.each(bugs.map(bug => [bug.name, bug] as const))('a coordinator that %s is caught', async (_name, bug) => {
    const caught = await firstFailure(await loadMutated<typeof sim>('packages/sim/src/index.ts', bug), bug)
    expect(caught).toMatch(/seed \d+/)
    expect(caught).toMatch(bug.caught)
  })
})
