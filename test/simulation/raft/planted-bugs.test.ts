// Bugs planted into the core must be caught by the seeds and scenarios that the real core passes, within a fixed budget.
import * as raft from '@atoll/raft'
import { describe, expect, it } from 'vitest'
import { loadMutated, type Mutation } from '../mutation.ts'
import type { RaftModule } from './cluster.ts'
import { scenarios } from './scenarios.ts'
import { torture } from './torture.ts'

/** Each bug has to show within so many seeds. */
const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1)

const edit = (file: string, find: string, replace: string) => ({ file: `packages/raft/src/${file}.ts`, find, replace })

const bugs: readonly Mutation[] = [
  {
    name: 'commits an entry of an earlier term by counting',
    edits: [edit('replication', 'if (held > commit && log.termAt(held) === term)', 'if (held > commit)')],
  },
  {
    name: 'votes twice in a term',
    edits: [
      edit('ballot', 'return this.#votedFor === undefined || isSameMember(this.#votedFor, candidate)', 'return candidate !== undefined'),
      edit('ballot', "assert(isSameMember(this.#votedFor, candidate), 'one vote per term')\n      return", ''),
    ],
  },
  {
    name: 'forgets its vote when it restarts',
    edits: [
      edit('ballot', 'this.#term = term\n    this.#votedFor = votedFor', 'this.#term = term\n    this.#votedFor = votedFor && undefined'),
    ],
  },
  {
    name: 'sends its vote before it is on disk',
    edits: [
      edit(
        'election',
        "{ kind: 'vote_response', term: ballot.term, granted }, 'ballot')",
        "{ kind: 'vote_response', term: ballot.term, granted }, 'nothing')",
      ),
    ],
  },
  {
    name: 'votes for a log older than its own',
    edits: [
      edit(
        'election',
        '!this.#server.damage.damaged && this.#server.log.isCoveredBy(request)',
        '!this.#server.damage.damaged && request.term > 0',
      ),
    ],
  },
  {
    name: 'reuses the context of a read',
    edits: [edit('read-index', 'this.#round++', 'this.#round = 1')],
  },
  {
    name: 'reads before anything of its term is committed',
    edits: [
      edit(
        'leadership',
        'this.#reads.begin(hasCommittedInTerm(this.#server) ? this.#server.commit : undefined)',
        'this.#reads.begin(this.#server.commit)',
      ),
      edit('leadership', 'if (this.#reads.wantsRound && hasCommittedInTerm(this.#server))', 'if (this.#reads.wantsRound)'),
    ],
  },
  {
    name: 'truncates entries that were there already, committed ones among them',
    edits: [
      edit('following', 'if (there?.term !== batch.term)', 'if (there?.term !== batch.term || batch.firstIndex <= log.lastIndex)'),
      edit(
        'following',
        'const there = this.#server.log.extentAt(batch.firstIndex)',
        'const { log } = this.#server\n    const there = log.extentAt(batch.firstIndex)',
      ),
    ],
  },
  {
    name: 'confirms entries before they are on disk',
    edits: [
      edit(
        'following',
        "{ kind: 'append_accepted', term, match, damaged: damage.damaged }, 'log')",
        "{ kind: 'append_accepted', term, match, damaged: damage.damaged }, 'nothing')",
      ),
    ],
  },
  {
    name: 'counts itself before its entries are on disk',
    edits: [edit('replication', '(node === self.node ? durableIndex :', '(node === self.node ? log.lastIndex :')],
  },
  {
    name: 'takes a late report for that of the newest write',
    edits: [
      edit(
        'store-queue',
        'for (let oldest = this.#pending[0]; oldest?.done; oldest = this.#pending[0])',
        'if (reported !== undefined) this.#pending.length = 0\n    for (let oldest = this.#pending[0]; oldest?.done; oldest = this.#pending[0])',
      ),
    ],
  },
  {
    name: 'installs a snapshot older than its state',
    edits: [
      edit('following', 'if (snapshot.index <= commit) {', 'if (snapshot.index <= 0) {'),
      edit(
        'following',
        'if (log.termAt(snapshot.index) === snapshot.term) {',
        'if (snapshot.index > commit && log.termAt(snapshot.index) === snapshot.term) {',
      ),
      edit('server', "assert(snapshot.index > this.#commit, 'a snapshot never takes the place of a newer state')", ''),
    ],
  },
  {
    name: 'changes the membership before anything of its term is committed',
    edits: [edit('membership', "if (!hasCommittedInTerm(server)) return 'change_in_flight'", '')],
  },
  {
    name: 'changes the membership while a change is in flight',
    edits: [edit('membership', "if (server.configurations.latest.index > server.commit) return 'change_in_flight'", '')],
  },
  {
    name: 'votes although it lost part of its log',
    edits: [edit('election', '!this.#server.damage.damaged && ', '')],
  },
  {
    name: 'answers for the disk that its name had before',
    edits: [edit('raft', 'if (!isSameMember(to, self)) {', 'if (to.node !== self.node) {')],
  },
  {
    name: 'leaves a leader of an earlier term without an answer',
    edits: [edit('raft', "outbox.send(to, { kind: 'newer_term', term }, 'ballot')", 'return')],
  },
  {
    name: 'keeps leading with a disk that hangs',
    edits: [edit('leadership', "if (checks && this.#server.isDiskStuck(now)) return 'disk_stuck'", '')],
  },
  {
    name: 'keeps leading without a majority',
    edits: [edit('leadership', "if (checks && !this.replication.hearsMajority(now)) return 'quorum_lost'", '')],
  },
  {
    name: 'does not stand while its own removal is open',
    edits: [edit('server', 'return this.isElectable && !this.damage', 'return this.isVoter && !this.damage')],
  },
]

/** The first violation in any scenario and seed; undefined if there is none. */
function firstViolation(module: RaftModule): string | undefined {
  for (const [name, scenario] of Object.entries(scenarios)) {
    const violation = outcome(scenario, module)
    if (violation !== undefined) return `scenario ${name}: ${violation}`
  }
  for (const seed of SEEDS) {
    const [violation] = torture(module, seed).violations
    if (violation !== undefined) return `seed ${seed}: ${violation}`
  }
  return undefined
}

/** A story that cannot go on, for want of a leader say, has failed as well. */
function outcome(scenario: (module: RaftModule) => readonly string[], module: RaftModule): string | undefined {
  try {
    return scenario(module)[0]
  } catch (error) {
    return String(error)
  }
}

describe('planted bugs', () => {
  it('[RA81] without one, every scenario and seed passes', () => {
    expect(firstViolation(raft)).toBeUndefined()
  })

  it.each(bugs.map(bug => [bug.name, bug] as const))('a server that %s is caught', async (_name, bug) => {
    const caught = firstViolation(await loadMutated<RaftModule>('packages/raft/src/index.ts', bug))
    expect(caught).toMatch(/^(seed|scenario)/)
  })
})
