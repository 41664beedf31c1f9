// What brokers, the controller and clients of the simulation say to each other.
import type { NodeId } from '@atoll/base'
import type { Assignment, DurableReport, FetchRequest, IsrProposal, ProposalAnswer, ReceivedResponse } from '@atoll/broker'
import type { LeaderEpoch, Offset } from '@atoll/records'

/** The brokers as the controller knows them, and all partitions. */
export interface Image {
  /** Rises with every change. */
  readonly version: number
  readonly brokers: ReadonlyMap<NodeId, { readonly brokerEpoch: number; readonly fenced: boolean }>
  readonly partitions: ReadonlyMap<string, Assignment>
}

export type Message =
  | { readonly kind: 'register'; readonly life: number; readonly clean: boolean }
  | { readonly kind: 'heartbeat'; readonly brokerEpoch: number; readonly version: number }
  | { readonly kind: 'propose'; readonly key: string; readonly brokerEpoch: number; readonly proposal: IsrProposal }
  | { readonly kind: 'resign'; readonly key: string; readonly leaderEpoch: LeaderEpoch }
  | { readonly kind: 'registered'; readonly life: number; readonly brokerEpoch: number }
  | { readonly kind: 'image'; readonly image: Image }
  | { readonly kind: 'proposal_answer'; readonly life: number; readonly key: string; readonly answer: ProposalAnswer }
  | { readonly kind: 'fetch'; readonly life: number; readonly brokerEpoch: number; readonly request: FetchRequest<string> }
  | { readonly kind: 'fetched'; readonly life: number; readonly response: ReceivedResponse<string> }
  | { readonly kind: 'durable'; readonly brokerEpoch: number; readonly reports: readonly DurableReport<string>[] }
  | {
      readonly kind: 'produce'
      readonly requestId: number
      readonly key: string
      readonly batch: Uint8Array
      readonly acks: 'leader' | 'all'
      readonly timeoutMs: number
    }
  | { readonly kind: 'produced'; readonly requestId: number; readonly key: string; readonly outcome: string; readonly firstOffset: number }
  | { readonly kind: 'consume'; readonly requestId: number; readonly key: string; readonly from: Offset }
  | {
      readonly kind: 'consumed'
      readonly requestId: number
      readonly key: string
      readonly from: Offset
      readonly outcome: 'batches' | 'out_of_range' | 'refused'
      readonly batches: readonly Uint8Array[]
    }

export interface Packet {
  readonly from: string
  readonly to: string
  readonly message: Message
}
