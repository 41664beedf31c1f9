// What this broker asks of the controller: who is in sync, who is to lead instead, and its own coming and going. What comes
// together goes in one request, one of a kind is under way at a time, and nothing is asked in the name of a registration
// that is over.
import { type Clock, InvariantError, type Logger, type NodeId, sleep } from '@atoll/base'
import { AtollError, type Client } from '@atoll/client/core'
import {
  brokerLeave,
  brokerReady,
  errorNamed,
  isrChange,
  type LeaderEpoch,
  type LeaseId,
  PARTITION_CHANGES_MAX,
  type PartitionName,
  type PartitionOutcome,
  producerIds,
  type RequestOf,
  type ResponseOf,
  type Revision,
  type Rpc,
  replicasYield,
} from '@atoll/protocol'
import { CONTROLLER_CALL_MS, CONTROLLER_RETRY_MS } from '../limits.ts'
import type { IsrProposal, ProposalAnswer, ProposalRefusal } from '../partition/assignment.ts'
import type { ResignReason } from '../partition/effects.ts'
import type { ControllerLink } from '../partition-host.ts'
import { namedPartition, type PartitionKey } from './fetch-wire.ts'

export interface ControllerCallsOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly log: Logger
  readonly client: Client
  /** This broker's registration; undefined while it has none. */
  readonly epoch: () => Revision | undefined
}

interface Proposed {
  readonly key: PartitionKey
  readonly proposal: IsrProposal
  readonly settle: (answer: ProposalAnswer) => void
}

/** Doing it twice changes nothing more. */
const unnumbered = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0 }

export class ControllerCalls implements ControllerLink {
  readonly #options: ControllerCallsOptions
  readonly #stopping = new AbortController()
  #proposed: Proposed[] = []
  #proposing = false
  readonly #resigned = new Set<PartitionKey>()
  #resigning = false

  constructor(options: ControllerCallsOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopping.abort()
  }

  propose(key: PartitionKey, proposal: IsrProposal): Promise<ProposalAnswer> {
    return new Promise(settle => {
      this.#proposed.push({ key, proposal, settle })
      void this.#proposeAll()
    })
  }

  resign(key: PartitionKey, reason: ResignReason): void {
    if (!this.#resigned.has(key)) this.#options.log.warn({ event: 'resigning', partition: key, reason }, 'asks that another broker leads')
    this.#resigned.add(key)
    void this.#resignAll()
  }

  /** These copies are incomplete: they must not be elected. Rejects with an AtollError. */
  async lost(epoch: Revision, keys: readonly PartitionKey[]): Promise<void> {
    for (let at = 0; at < keys.length; at += PARTITION_CHANGES_MAX) {
      const partitions = keys.slice(at, at + PARTITION_CHANGES_MAX).map(namedPartition)
      await this.#ask(replicasYield, { ...this.#as(epoch), lost: true, partitions })
    }
  }

  /** From now on this broker may be elected. Rejects with an AtollError. */
  ready(epoch: Revision): Promise<unknown> {
    return this.#ask(brokerReady, { ...this.#as(epoch), rack: '' })
  }

  /** This broker is about to stop. Rejects with an AtollError. */
  leave(epoch: Revision): Promise<unknown> {
    return this.#ask(brokerLeave, this.#as(epoch))
  }

  /** Producer ids that nobody else has. Rejects with an AtollError. */
  producerIds(epoch: Revision): Promise<{ readonly first: number; readonly count: number }> {
    return this.#ask(producerIds, this.#as(epoch))
  }

  #as(epoch: Revision) {
    return { ...unnumbered, node: this.#options.self, epoch }
  }

  #ask<M extends Rpc>(message: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
    return this.#options.client.request(message, request, { timeoutMs: CONTROLLER_CALL_MS, signal: this.#stopping.signal })
  }

  /** Never rejects but for a bug. */
  async #proposeAll(): Promise<void> {
    if (this.#proposing) return
    this.#proposing = true
    // What one turn brings goes together.
    await sleep(this.#options.clock, 0)
    while (this.#proposed.length > 0) {
      const batch = this.#proposed.splice(0, PARTITION_CHANGES_MAX)
      const outcomes = await this.#proposeBatch(batch)
      for (const [n, { proposal, settle }] of batch.entries()) settle(answerOf(proposal, outcomes?.[n]))
    }
    this.#proposing = false
  }

  /** Undefined when nobody knows what became of them. */
  async #proposeBatch(batch: readonly Proposed[]): Promise<readonly PartitionOutcome[] | undefined> {
    const epoch = this.#options.epoch()
    if (epoch === undefined) return undefined
    const changes = batch.map(({ key, proposal }) => ({
      ...namedPartition(key),
      leaderEpoch: proposal.leaderEpoch as number as LeaderEpoch,
      partitionEpoch: proposal.partitionEpoch,
      isr: proposal.isr.map(member => ({ node: member.node, epoch: member.brokerEpoch as Revision })),
    }))
    try {
      return (await this.#ask(isrChange, { ...this.#as(epoch), changes })).outcomes
    } catch (error) {
      return this.#inVain(error, 'isr_change')
    }
  }

  /** Never rejects but for a bug. */
  async #resignAll(): Promise<void> {
    if (this.#resigning) return
    this.#resigning = true
    await sleep(this.#options.clock, 0)
    while (this.#resigned.size > 0 && !this.#stopping.signal.aborted) {
      const keys = [...this.#resigned].slice(0, PARTITION_CHANGES_MAX)
      for (const key of keys) this.#resigned.delete(key)
      const epoch = this.#options.epoch()
      if (epoch === undefined) continue
      const partitions: PartitionName[] = keys.map(namedPartition)
      try {
        await this.#ask(replicasYield, { ...this.#as(epoch), lost: false, partitions })
      } catch (error) {
        // Whoever wants to resign says so again.
        this.#inVain(error, 'replicas_yield')
        await sleep(this.#options.clock, CONTROLLER_RETRY_MS)
      }
    }
    this.#resigning = false
  }

  #inVain(error: unknown, what: string): undefined {
    if (error instanceof InvariantError || !(error instanceof AtollError)) throw error
    this.#options.log.debug({ event: 'controller_call_failed', what, code: error.code }, 'the controller was asked in vain')
    return undefined
  }
}

/** What the controller said of a proposal. What it made of the partition comes with the metadata. */
function answerOf({ leaderEpoch }: IsrProposal, outcome: PartitionOutcome | undefined): ProposalAnswer {
  return { leaderEpoch, refusal: outcome === undefined ? 'unavailable' : refusalOf(outcome.code), assignment: undefined }
}

function refusalOf(code: number): ProposalRefusal | undefined {
  if (code === 0) return undefined
  switch (errorNamed(code)) {
    case 'fenced_leader_epoch':
    case 'unknown_partition':
      return 'deposed'
    case 'partition_changed':
      return 'stale'
    case 'replica_not_eligible':
      return 'ineligible'
    default:
      return 'unavailable'
  }
}
