// Bytes that Kafka's own Java client made (kafka-clients 4.1.0, the messages set up by hand there), and what they say.
import { describe, expect, it } from 'vitest'
import { apis } from './apis.ts'
import { NO_UUID } from './kinds.ts'
import { WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

const unhex = (digits: string): Uint8Array => new Uint8Array(Buffer.from(digits, 'hex'))
const NOT_ASKED = -0x8000_0000
const noLeader = { leaderId: -1, leaderEpoch: -1 }
const none = { epoch: -1, endOffset: -1 }

/** Message, version, bytes, what they say. */
const cases: readonly (readonly [keyof typeof apis, 'request' | 'response', number, string, object])[] = [
  [
    'produce',
    'request',
    9,
    '037478ffff000005dc02076f7264657273020000000204010203000000',
    {
      transactionalId: 'tx',
      acks: -1,
      timeoutMs: 1_500,
      topics: [{ name: 'orders', partitions: [{ index: 2, records: new Uint8Array([1, 2, 3]) }] }],
    },
  ],
  [
    'produce',
    'response',
    10,
    '02076f726465727302000000020006ffffffffffffffffffffffffffffffff00000000000000280200000001076e6f206b657900066d6f766564010009000000' +
      '030000000800000000000301001502000000030a3132372e302e302e31000023860000',
    {
      topics: [
        {
          name: 'orders',
          partitions: [
            {
              index: 2,
              errorCode: 6,
              baseOffset: -1,
              logAppendTimeMs: -1,
              logStartOffset: 40,
              recordErrors: [{ batchIndex: 1, message: 'no key' }],
              errorMessage: 'moved',
              currentLeader: { leaderId: 3, leaderEpoch: 8 },
            },
          ],
        },
      ],
      throttleTimeMs: 3,
      nodeEndpoints: [{ nodeId: 3, host: '127.0.0.1', port: 9_094, rack: null }],
    },
  ],
  [
    'fetch',
    'response',
    13,
    '000000000000000000050200000000000000010000000000000002020000000100000000000000000064000000000000005a0000000000000007020000000000' +
      '0000090000000000000050000000000203090801000d000000040000000000000037000000',
    {
      throttleTimeMs: 0,
      errorCode: 0,
      sessionId: 5,
      topics: [
        {
          topic: '',
          topicId: '00000000000000010000000000000002',
          partitions: [
            {
              partitionIndex: 1,
              errorCode: 0,
              highWatermark: 100,
              lastStableOffset: 90,
              logStartOffset: 7,
              divergingEpoch: { epoch: 4, endOffset: 55 },
              currentLeader: noLeader,
              snapshotId: none,
              abortedTransactions: [{ producerId: 9, firstOffset: 80 }],
              preferredReadReplica: 2,
              records: new Uint8Array([9, 8]),
            },
          ],
        },
      ],
      nodeEndpoints: [],
    },
  ],
  [
    'metadata',
    'response',
    12,
    '0000000002000000010a3132372e302e302e310000238402720003633100000001020000076f7264657273000000000000000300000000000000040002000000' +
      '000000000000010000000604000000010000000200000003030000000100000002020000000300800000000000',
    {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: 9_092, rack: 'r' }],
      clusterId: 'c1',
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 'orders',
          topicId: '00000000000000030000000000000004',
          isInternal: false,
          partitions: [
            {
              errorCode: 0,
              partitionIndex: 0,
              leaderId: 1,
              leaderEpoch: 6,
              replicaNodes: [1, 2, 3],
              isrNodes: [1, 2],
              offlineReplicas: [3],
            },
          ],
          topicAuthorizedOperations: NOT_ASKED,
        },
      ],
      clusterAuthorizedOperations: NOT_ASKED,
      errorCode: 0,
    },
  ],
  [
    'joinGroup',
    'request',
    9,
    '02670000afc8000493e001097374617469632d3109636f6e73756d6572020672616e67650300010006737461727400',
    {
      groupId: 'g',
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 300_000,
      memberId: '',
      groupInstanceId: 'static-1',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array([0, 1]) }],
      reason: 'start',
    },
  ],
  [
    'offsetFetch',
    'response',
    8,
    '0000000002026702076f72646572730200000001000000000000002a00000005056e6f74650000000000000000',
    {
      throttleTimeMs: 0,
      topics: [],
      errorCode: 0,
      groups: [
        {
          groupId: 'g',
          topics: [
            {
              name: 'orders',
              partitions: [{ partitionIndex: 1, committedOffset: 42, committedLeaderEpoch: 5, metadata: 'note', errorCode: 0 }],
            },
          ],
          errorCode: 0,
        },
      ],
    },
  ],
  [
    'apiVersions',
    'response',
    3,
    '000002001200000004000000000002010800000000000000070214020e67726f75702e76657273696f6e0001000000',
    {
      errorCode: 0,
      apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }],
      throttleTimeMs: 0,
      supportedFeatures: [],
      finalizedFeaturesEpoch: 7,
      finalizedFeatures: [{ name: 'group.version', maxVersionLevel: 1, minVersionLevel: 0 }],
      zkMigrationReady: false,
    },
  ],
]

describe('what Kafka writes', () => {
  it.each(cases)('[KC17] is read as it is meant, and written alike: %s %s of version %i', (name, part, version, digits, value) => {
    const codec = apis[name][part]
    expect(codec.read(new WireReader(unhex(digits)), version)).toEqual(value)
    const writer = new WireWriter()
    writer.begin()
    codec.write(writer, version, value as never)
    expect(Buffer.concat(writer.finish()).subarray(4).toString('hex')).toBe(digits)
  })

  it('[KC3] leaves topic ids out where versions have names', () => {
    const { topics } = apis.metadata.request.read(new WireReader(unhex('00000001000161')), 0)
    expect(topics).toEqual([{ topicId: NO_UUID, name: 'a' }])
  })
})
