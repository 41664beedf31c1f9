// Applications in the simulator: each a machine of its own with a client of the SDK, and threads that work on keys, locks,
// offices, leases and watches. What they did and saw becomes one history, and the checkers judge it.
import { type MonotonicMs, type NodeId, nodeId, type SeededRandom, seededRandom } from '@atoll/base'
import { createClient } from '@atoll/client/core'
import {
  checkLinearizable,
  checkRevisions,
  checkWatches,
  type Operation,
  type PartitionResult,
  pairRecords,
  Recorder,
  RevisionedHistory,
  type RevisionSeen,
  versionedRegister,
} from '@atoll/history'
import type { AgreementInvariants } from '../agreement-checks.ts'
import type { SimCluster } from '../sim-cluster.ts'
import type { Workload } from '../workload.ts'
import { count, workOnKeys } from './key-workers.ts'
import { checkRights } from './rights-check.ts'
import { GuardedResource, guard, lease } from './rights-workers.ts'
import { WATCHED_PREFIX, type WatchedKeys, watch } from './watch-worker.ts'
import type { WorkerParts } from './worker.ts'

/** Machines of their own, which may stand still and be cut off like any other. */
export const clientNames: readonly NodeId[] = ['client-1', 'client-2', 'client-3'].map(nodeId)
const LOCKS = ['lock', 'election'] as const

export class SdkClients implements Workload {
  readonly outcomes = new Map<string, number>()
  readonly violations: string[] = []
  readonly recorder: Recorder
  readonly #cluster: SimCluster
  readonly #invariants: AgreementInvariants
  readonly #random: SeededRandom
  readonly #watches: WatchedKeys[] = []
  readonly #resources = LOCKS.map(() => new GuardedResource())
  #working = 0
  #answered = 0
  #stopping = false
  #failed: PartitionResult | undefined

  constructor(cluster: SimCluster, invariants: AgreementInvariants, random: SeededRandom) {
    this.#cluster = cluster
    this.#invariants = invariants
    this.#random = random
    this.recorder = new Recorder({ now: () => cluster.simulation.nowMs as MonotonicMs })
  }

  get progress(): number {
    return this.#answered
  }

  get operations(): number {
    return this.#answered
  }

  get isIdle(): boolean {
    return this.#working === 0
  }

  /** The history that could not be linearized, if that is what failed. */
  get failed(): PartitionResult | undefined {
    return this.#failed
  }

  start(): void {
    for (const name of clientNames) this.#startClient(name)
  }

  stop(): void {
    this.#stopping = true
  }

  check(): string[] {
    const operations = pairRecords(this.recorder.records)
    const locks: readonly string[] = LOCKS
    const onKeys = operations.filter(({ key }) => !locks.includes(key))
    return [
      ...this.#linearizable(onKeys),
      ...checkRevisions(onKeys, revisionSeen).violations.map(({ rule, message }) => `${rule}: ${message}`),
      ...checkRights(
        operations.filter(({ key }) => locks.includes(key)),
        outcome => this.#count(outcome),
      ),
      ...this.#watched(),
    ]
  }

  #linearizable(operations: readonly Operation[]): string[] {
    const { verdict, partitions } = checkLinearizable(versionedRegister, operations)
    this.#count(`history ${verdict}`)
    if (verdict !== 'not linearizable') return []
    this.#failed = partitions.find(partition => partition.verdict === verdict)
    return [`not linearizable: ${this.#failed?.stuck?.text ?? this.#failed?.partition}`]
  }

  /** Watchers that are still there were told everything; those that broke, everything up to where they got. */
  #watched(): string[] {
    const watched = this.#invariants.changes.filter(({ key }) => key.startsWith(WATCHED_PREFIX))
    const { violations } = checkWatches(
      this.#watches.map(({ history }) => history),
      new RevisionedHistory(watched),
    )
    return violations.map(({ property, watcher, message }) => `${watcher}: ${property}: ${message}`)
  }

  #startClient(name: NodeId): void {
    const cluster = this.#cluster
    const random = seededRandom(this.#random.u32())
    cluster.simulation.addNode(name).start(ports => {
      const client = createClient(ports, { name, ...cluster.whereabouts() })
      const work = (what: string, act: (parts: WorkerParts) => Promise<void>): Promise<void> => {
        const parts: WorkerParts = {
          client,
          clock: ports.clock,
          random: seededRandom(random.u32()),
          recorded: this.recorder.client(),
          name: `${name}.${what}`,
          count: outcome => this.#count(outcome),
          violated: sentence => this.violations.push(sentence),
          stopping: () => this.#stopping,
        }
        this.#working++
        return act(parts).then(() => void this.#working--)
      }
      const all = [
        work('keys-1', workOnKeys),
        work('keys-2', workOnKeys),
        work('count', count),
        work('lease', lease),
        ...LOCKS.map((how, place) => work(how, parts => guard(parts, how, this.#resources[place] as GuardedResource, how))),
      ]
      // Nobody waits for a watch to end.
      this.#working--
      all.push(work('watch', parts => watch(parts, watched => this.#watches.push(watched))))
      return Promise.all(all).then(() => {})
    })
  }

  #count(outcome: string): void {
    if (outcome.endsWith(' ok')) this.#answered++
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }
}

/** What an answer about a key says of revisions. */
function revisionSeen({ f, output }: Operation): RevisionSeen | undefined {
  const answer = output as { readonly revision?: number; readonly entry?: { readonly modRevision: number } | null }
  return f === 'get' || answer.revision === undefined ? undefined : { revision: answer.revision, wrote: true, keyRevision: answer.revision }
}
