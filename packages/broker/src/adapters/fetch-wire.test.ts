// Rule PW1: a fetch and its answer arrive as they were meant.
import { errorRows, logReplicaFetch } from '@atoll/protocol'
import type { LeaderEpoch, Offset } from '@atoll/records'
import { describe, expect, it } from 'vitest'
import type { FetchRequest, FetchResponse } from '../partition/fetch-messages.ts'
import {
  type PartitionKey,
  partitionKeyOf,
  reportsFromWire,
  reportsToWire,
  requestFromWire,
  requestToWire,
  responseFromWire,
  responseToWire,
} from './fetch-wire.ts'

const at = (value: number) => value as Offset
const epoch = (value: number) => value as LeaderEpoch
const [a, b, c, d] = [0, 1, 2, 65_535].map(partition => partitionKeyOf('0a0b', partition)) as [
  PartitionKey,
  PartitionKey,
  PartitionKey,
  PartitionKey,
]

const request: FetchRequest<PartitionKey> = {
  session: 3,
  sequence: 7,
  changed: [
    { key: a, position: { leaderEpoch: epoch(4), fetchOffset: at(9), lastFetchedEpoch: epoch(3), durableEnd: at(8), logStart: at(1) } },
    { key: d, position: { leaderEpoch: epoch(0), fetchOffset: at(0), lastFetchedEpoch: undefined, durableEnd: at(0), logStart: at(0) } },
  ],
  forgotten: [b],
  bytesMax: 1_000,
  maxWaitMs: 500,
}

describe('a fetch on the wire', () => {
  it('[PW1] arrives as it was asked', () => {
    const wire = requestToWire(request, 12)
    expect(wire.brokerEpoch).toBe(12)
    const { requestCodec } = logReplicaFetch
    expect(requestFromWire(requestCodec.fromWire(requestCodec.toWire(wire, 1, []), 0, 1))).toEqual(request)
  })

  it('[PW1] is answered partition by partition, each with its own records', () => {
    const response: FetchResponse<PartitionKey> = {
      session: 3,
      sequence: 7,
      unknownSession: false,
      partitions: [
        {
          key: a,
          answer: { kind: 'records', batches: [new Uint8Array([1, 2]), new Uint8Array([3])], highWatermark: at(5), logStart: at(1) },
        },
        { key: b, answer: { kind: 'diverging', end: { epoch: epoch(-1), end: at(4) } } },
        { key: c, answer: { kind: 'out_of_range', logStart: at(3), logEnd: at(9) } },
        { key: d, answer: { kind: 'records', batches: [new Uint8Array([4, 5])], highWatermark: at(0), logStart: at(0) } },
      ],
    }
    const received = responseFromWire(responseToWire(response), request)
    expect(received).toEqual({
      session: 3,
      sequence: 7,
      unknownSession: false,
      partitions: [
        { key: a, result: { kind: 'records', records: new Uint8Array([1, 2, 3]), highWatermark: 5, logStart: 1 } },
        { key: b, result: { kind: 'diverging', end: { epoch: -1, end: 4 } } },
        { key: c, result: { kind: 'out_of_range', logStart: 3, logEnd: 9 } },
        { key: d, result: { kind: 'records', records: new Uint8Array([4, 5]), highWatermark: 0, logStart: 0 } },
      ],
    })
  })

  it('[PW1] is refused with a reason that arrives, and one of a later version is a reason to ask again', () => {
    for (const reason of ['fenced_leader_epoch', 'unknown_leader_epoch', 'not_leader', 'stale_broker_epoch', 'not_a_replica'] as const) {
      const wire = responseToWire({
        session: 1,
        sequence: 0,
        unknownSession: false,
        partitions: [{ key: a, answer: { kind: 'refused', reason } }],
      })
      expect(responseFromWire(wire, request).partitions[0]?.result).toEqual({ kind: 'refused', reason })
    }
    const wire = responseToWire({
      session: 1,
      sequence: 0,
      unknownSession: false,
      partitions: [{ key: a, answer: { kind: 'refused', reason: 'not_leader' } }],
    })
    const later = { ...wire, partitions: wire.partitions.map(row => ({ ...row, error: 65_000 })) }
    expect(responseFromWire(later, request).partitions[0]?.result).toEqual({ kind: 'refused', reason: 'not_leader' })
    expect(errorRows.not_a_replica.outcome).toBe('definite')
  })

  it('[PW1] with more or fewer bytes than its rows say is no answer', () => {
    const wire = responseToWire({ session: 1, sequence: 0, unknownSession: false, partitions: [] })
    expect(() => responseFromWire({ ...wire, attachment: new Uint8Array(1) }, request)).toThrow(
      expect.objectContaining({ code: 'bad_answer' }),
    )
  })

  it('[PW1] has its syncs reported beside it', () => {
    const reports = [{ key: d, leaderEpoch: epoch(2), durableEnd: at(2 ** 40) }]
    expect(reportsFromWire(reportsToWire(reports, 12))).toEqual(reports)
  })
})
