// Connections of Kafka's clients: order, negotiation, failures, and clients that mean no good.
import { InvariantError, silentLogger } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { type ApiName, apis, type KafkaRequest, type KafkaResponse } from './apis.ts'
import { FakeClock, FakeNet } from './fakes.ts'
import { KafkaError, type KafkaHandlers } from './handlers.ts'
import { kafkaErrorCode } from './kafka-errors.ts'
import { LARGE_REQUEST_BYTES, LINGER_MS, PIPELINE_MAX, REQUESTS_BYTES_MAX, SWEEP_MS, UNSENT_BYTES_HIGH } from './limits.ts'
import { KafkaListener, type KafkaListenerOptions } from './listener.ts'

const heartbeat = (groupId = 'g'): KafkaRequest<'heartbeat'> => ({ groupId, generationId: 1, memberId: 'm', groupInstanceId: null })
const produceOf = (acks: number, size = 10): object => ({
  acks,
  timeoutMs: 100,
  topics: [{ name: 't', partitions: [{ index: 0, records: new Uint8Array(size) }] }],
})
const metadataAnswer: KafkaResponse<'metadata'> = { brokers: [], topics: [] }
/** Everything that was promised has run. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

async function listening(handlers: KafkaHandlers, more: Partial<KafkaListenerOptions> = {}) {
  const net = new FakeNet()
  const clock = new FakeClock()
  const errors: unknown[] = []
  const logger = { ...silentLogger, error: (fields: object) => void errors.push(fields) }
  const listener = await KafkaListener.listen({ host: '127.0.0.1', port: 0 }, { net, clock, logger, handlers, ...more })
  return { net, clock, listener, errors, client: net.client() }
}

describe('negotiation', () => {
  it('[KL1] tells of the requests that have handlers, each version’s answer with the old header', async () => {
    const { client } = await listening({ heartbeat: () => ({ errorCode: 0 }), produce: () => ({ topics: [] }) })
    for (let version = 0; version <= 4; version++) {
      client.send(client.request('apiVersions', version, version, { clientSoftwareName: 'lib', clientSoftwareVersion: '1.0' }))
      expect(client.answer('apiVersions', version, version)).toMatchObject({
        errorCode: 0,
        apiKeys: [
          { apiKey: 0, minVersion: 0, maxVersion: 11 },
          { apiKey: 12, minVersion: 0, maxVersion: 4 },
          { apiKey: 18, minVersion: 0, maxVersion: 4 },
        ],
      })
    }
  })

  it('[KL2] answers an unknown version of ApiVersions in version 0, with its range and error 35', async () => {
    const { client } = await listening({})
    const bytes = client.request('apiVersions', 4, 9, { clientSoftwareName: 'lib', clientSoftwareVersion: '1' })
    new DataView(bytes.buffer).setInt16(6, 77)
    client.send(bytes)
    expect(client.answer('apiVersions', 0, 9)).toMatchObject({
      errorCode: 35,
      apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }],
    })
    // It may ask again.
    client.send(client.request('apiVersions', 0, 10, {}))
    expect(client.answer('apiVersions', 0, 10)).toMatchObject({ errorCode: 0 })
    expect(client.over).toBeUndefined()
  })

  it('[KL2] wants a client to name its library as Kafka does', async () => {
    const { client } = await listening({})
    for (const name of ['', '-a', 'a b', 'a-', 'naïve']) {
      client.send(client.request('apiVersions', 3, 1, { clientSoftwareName: name, clientSoftwareVersion: '1' }))
      expect(client.answer('apiVersions', 3, 1)).toMatchObject({ errorCode: kafkaErrorCode('invalid_request'), apiKeys: [] })
    }
    client.send(client.request('apiVersions', 3, 2, { clientSoftwareName: 'apache-kafka-java', clientSoftwareVersion: '4.1.0' }))
    expect(client.answer('apiVersions', 3, 2)).toMatchObject({ errorCode: 0 })
  })

  it('[KL3] ends the connection over what is not served, after what it owes', async () => {
    const cases: readonly (readonly [ApiName, number])[] = [
      ['produce', 2],
      ['fetch', 3],
      ['fetch', 18],
      ['metadata', 5],
    ]
    for (const [name, version] of cases) {
      const { client } = await listening({
        heartbeat: () => ({ errorCode: 0 }),
        produce: () => ({ topics: [] }),
        fetch: () => ({ topics: [] }),
      })
      const first = client.request('heartbeat', 4, 1, heartbeat())
      const bad = client.request('heartbeat', 0, 2, heartbeat())
      new DataView(bad.buffer).setInt16(4, apis[name].key)
      new DataView(bad.buffer).setInt16(6, version)
      client.send(new Uint8Array([...first, ...bad, ...first]))
      expect([client.answers(), client.over]).toEqual([[1], 'ended'])
    }
  })
})

describe('requests of one connection', () => {
  it('[KL4] are handed over in order, and answered in it whichever is done first', async () => {
    const started: string[] = []
    const finish = new Map<string, () => void>()
    const { client } = await listening({
      heartbeat: ({ groupId }) => {
        started.push(groupId)
        return new Promise(resolve => finish.set(groupId, () => resolve({ errorCode: 0 })))
      },
      metadata: () => metadataAnswer,
    })
    for (const [index, group] of ['a', 'b', 'c'].entries()) client.send(client.request('heartbeat', 4, index, heartbeat(group)))
    client.send(client.request('metadata', 12, 3, { topics: null }))
    expect(started).toEqual(['a', 'b', 'c'])
    finish.get('c')?.()
    finish.get('b')?.()
    await settled()
    expect(client.answers()).toEqual([])
    finish.get('a')?.()
    await settled()
    expect(client.answers()).toEqual([0, 1, 2, 3])
  })

  it('[KL4] are the same however their bytes are cut', async () => {
    const seen: unknown[] = []
    const { client } = await listening({
      produce: request => {
        seen.push(request.topics[0]?.partitions[0]?.records)
        return { topics: [] }
      },
      heartbeat: () => ({ errorCode: 0 }),
    })
    const records = Uint8Array.from({ length: 500 }, (_, index) => index)
    const body = { acks: 1, timeoutMs: 1, topics: [{ name: 't', partitions: [{ index: 0, records }] }] }
    for (let pieceBytes = 1; pieceBytes <= 700; pieceBytes += 33) {
      client.send(
        new Uint8Array([
          ...client.request('produce', 9, 1, body),
          ...client.request('heartbeat', 4, 2, heartbeat()),
          ...client.request('produce', 7, 3, body),
        ]),
        pieceBytes,
      )
      expect(client.answers()).toEqual([1, 2, 3])
    }
    for (const one of seen) expect(one).toEqual(records)
  })

  it('[KL5] are read no further ahead than the bound, and on as answers go out', async () => {
    const finish: (() => void)[] = []
    const { client } = await listening({
      heartbeat: () => new Promise(resolve => finish.push(() => resolve({ errorCode: 0 }))),
    })
    const all = Array.from({ length: 3 * PIPELINE_MAX }, (_, index) => client.request('heartbeat', 4, index, heartbeat()))
    client.send(new Uint8Array(Buffer.concat(all)))
    expect([finish.length, client.reading]).toEqual([PIPELINE_MAX, false])
    finish[0]?.()
    await settled()
    expect([finish.length, client.reading]).toEqual([PIPELINE_MAX + 1, false])
    for (let index = 1; index < all.length; index++) {
      finish[index]?.()
      await settled()
    }
    expect([client.answers().length, client.reading]).toEqual([all.length, true])
  })

  it('[KL5] are all served, although none of them waits', async () => {
    const { client } = await listening({ heartbeat: () => ({ errorCode: 0 }), fetch: () => ({ topics: [] }) })
    const fetch = { maxWaitMs: 0, minBytes: 0, topics: [] }
    const all = Array.from({ length: 5 * PIPELINE_MAX }, (_, index) =>
      index % 3 === 0 ? client.request('fetch', 11, index, fetch) : client.request('heartbeat', 4, index, heartbeat()),
    )
    client.send(new Uint8Array(Buffer.concat(all)))
    expect([client.answers(), client.reading]).toEqual([all.map((_, index) => index), true])
  })

  it('[KL5] have one Fetch among them at a time', async () => {
    const started: string[] = []
    const finish: (() => void)[] = []
    const { client } = await listening({
      fetch: ({ rackId }) => {
        started.push(rackId)
        return new Promise(resolve => finish.push(() => resolve({ topics: [] })))
      },
      heartbeat: ({ groupId }) => {
        started.push(groupId)
        return { errorCode: 0 }
      },
    })
    const fetch = (rackId: string): Uint8Array =>
      client.request('fetch', 11, started.length, { maxWaitMs: 0, minBytes: 0, topics: [], rackId })
    client.send(new Uint8Array([...fetch('a'), ...client.request('heartbeat', 4, 1, heartbeat('b')), ...fetch('c'), ...fetch('d')]))
    client.send(client.request('heartbeat', 4, 2, heartbeat('e')))
    expect([started, client.reading]).toEqual([['a', 'b'], false])
    finish[0]?.()
    await settled()
    expect([started, client.answers().length]).toEqual([['a', 'b', 'c'], 2])
    finish[1]?.()
    await settled()
    expect([started, client.reading]).toEqual([['a', 'b', 'c', 'd', 'e'], true])
    finish[2]?.()
    await settled()
    expect(client.answers()).toHaveLength(3)
  })

  it('[KL13] that wait for their turn when the listener closes are answered with nothing', async () => {
    const finish: (() => void)[] = []
    const { client, listener } = await listening({ fetch: () => new Promise(resolve => finish.push(() => resolve({ topics: [] }))) })
    const ask = client.request('fetch', 11, 1, { maxWaitMs: 0, minBytes: 0, topics: [] })
    client.send(new Uint8Array([...ask, ...ask]))
    const closing = listener.close(1_000)
    await settled()
    finish[0]?.()
    await closing
    expect([client.answers(), finish.length]).toEqual([[1, 1], 1])
  })

  it('[KL11] may go on with the room that the one before it gave back', async () => {
    const finish: (() => void)[] = []
    const { client, listener } = await listening(
      { produce: () => new Promise(resolve => finish.push(() => resolve({ topics: [] }))), heartbeat: () => ({ errorCode: 0 }) },
      { requestBytesMax: 100_000, requestsBytesMax: 100_000 },
    )
    const produce = (id: number): Uint8Array => client.request('produce', 9, id, produceOf(1, 70_000))
    client.send(
      new Uint8Array([
        ...produce(1),
        ...client.request('heartbeat', 4, 2, heartbeat()),
        ...produce(3),
        ...client.request('heartbeat', 4, 4, heartbeat()),
      ]),
    )
    expect([finish.length, client.reading]).toEqual([1, false])
    finish[0]?.()
    await settled()
    expect([client.answers(), finish.length]).toEqual([[1, 2], 2])
    finish[1]?.()
    await settled()
    expect([client.answers(), client.reading, listener.freeBytes]).toEqual([[3, 4], true, 100_000])
  })

  it('[KL6] are not read while a client leaves its answers lying', async () => {
    let calls = 0
    const { client, clock } = await listening({
      fetch: () => {
        calls++
        const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1, records: new Uint8Array(UNSENT_BYTES_HIGH + 1) }
        return { topics: [{ topic: 't', partitions: [partition] }] }
      },
    })
    client.takes = false
    const ask = client.request('fetch', 11, 1, { maxWaitMs: 0, minBytes: 0, topics: [] })
    client.send(ask)
    client.send(new Uint8Array([...ask, ...ask]))
    client.send(ask)
    // What the port had read already waits.
    expect([calls, client.reading]).toEqual([2, false])
    client.drain()
    expect([calls, client.reading]).toEqual([4, true])
    client.takes = false
    client.send(ask)
    clock.advance(29_000)
    expect(client.over).toBeUndefined()
    clock.advance(10_000)
    expect(client.over).toBe('destroyed')
  })

  it('[KL7] without acknowledgement get no answer, and an end when they fail', async () => {
    let errorCode = 0
    const { client, net } = await listening({
      produce: () => ({ topics: [{ name: 't', partitions: [{ index: 0, errorCode, baseOffset: 0 }] }] }),
      heartbeat: () => ({ errorCode: 0 }),
    })
    client.send(client.request('produce', 9, 1, produceOf(0)))
    client.send(client.request('heartbeat', 4, 2, heartbeat()))
    expect(client.answers()).toEqual([2])
    errorCode = 6
    client.send(client.request('produce', 9, 3, produceOf(1)))
    expect([client.answers(), client.over]).toEqual([[3], undefined])
    client.send(client.request('produce', 9, 4, produceOf(0)))
    expect([client.answers(), client.over]).toEqual([[], 'ended'])
    const other = net.client()
    other.send(new Uint8Array([...other.request('produce', 9, 1, produceOf(1)), ...other.request('produce', 3, 2, produceOf(0))]))
    expect([other.answers(), other.over]).toEqual([[1], 'ended'])
    // What came with it is owed an answer all the same.
    const third = net.client()
    const failing = third.request('produce', 9, 1, produceOf(0))
    third.send(new Uint8Array([...failing, ...third.request('heartbeat', 4, 2, heartbeat()), ...failing]))
    expect([third.answers(), third.over]).toEqual([[2], 'ended'])
  })

  it('[KL8] bring their client’s name and version, and a signal that ends with the connection', async () => {
    const seen: unknown[] = []
    const signals: AbortSignal[] = []
    const { client, listener } = await listening({
      heartbeat: (_, { client: who, apiVersion, clientId }) => {
        seen.push([who.connection, who.remote, who.software, apiVersion, clientId])
        signals.push(who.signal)
        return new Promise(() => {})
      },
    })
    client.send(client.request('heartbeat', 0, 1, heartbeat(), null))
    client.send(client.request('apiVersions', 3, 2, { clientSoftwareName: 'lib', clientSoftwareVersion: '1.2' }))
    client.send(client.request('heartbeat', 4, 3, heartbeat(), 'me'))
    expect(seen).toEqual([
      [1, '127.0.0.1:50000', undefined, 0, null],
      [1, '127.0.0.1:50000', { name: 'lib', version: '1.2' }, 4, 'me'],
    ])
    expect([signals[0]?.aborted, listener.connectionCount]).toEqual([false, 1])
    client.leave()
    await settled()
    expect([signals[0]?.aborted, listener.connectionCount]).toEqual([true, 0])
  })
})

describe('a request that fails', () => {
  it('[KL9] is answered in its own form with the error thrown', async () => {
    const fail = (): never => {
      throw new KafkaError('not_coordinator', 'ask another broker')
    }
    const { client, errors } = await listening({
      joinGroup: fail,
      createTopics: () => Promise.reject(new KafkaError('not_controller', 'no')),
    })
    const join = { groupId: 'g', sessionTimeoutMs: 1, memberId: 'm', protocolType: 'consumer', protocols: [] }
    client.send(client.request('joinGroup', 5, 1, join))
    expect(client.answer('joinGroup', 5, 1)).toMatchObject({ errorCode: 16, memberId: 'm', generationId: -1 })
    const topics = ['a', 'b'].map(name => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }))
    client.send(client.request('createTopics', 7, 2, { topics }))
    await settled()
    expect(client.answer('createTopics', 7, 2)).toMatchObject({
      topics: [
        { name: 'a', errorCode: 41, errorMessage: 'no' },
        { name: 'b', errorCode: 41, errorMessage: 'no' },
      ],
    })
    expect(errors).toEqual([])
  })

  it('[KL9] by an error of another kind is logged, and answered with -1', async () => {
    const { client, errors } = await listening({
      heartbeat: () => {
        throw new RangeError('at once')
      },
      listGroups: () => Promise.reject(new RangeError('later')),
    })
    client.send(client.request('heartbeat', 4, 1, heartbeat()))
    client.send(client.request('listGroups', 4, 2, {}))
    await settled()
    expect(client.answer('heartbeat', 4, 1)).toMatchObject({ errorCode: -1 })
    expect(client.answer('listGroups', 4, 2)).toMatchObject({ errorCode: -1, groups: [] })
    expect(errors).toHaveLength(2)
  })

  it('[KL9] by a bug ends the process, as any bug does', async () => {
    const { client } = await listening({
      heartbeat: () => {
        throw new InvariantError('a bug')
      },
    })
    expect(() => client.send(client.request('heartbeat', 4, 1, heartbeat()))).toThrow(InvariantError)
  })
})

describe('a client that means no good', () => {
  it('[KL10] is cut off for bytes that are no request', async () => {
    const bad: readonly (readonly number[])[] = [
      [0xff, 0xff, 0xff, 0xff],
      [0, 0, 0, 0],
      [0, 0, 0, 9],
      [0x7f, 0xff, 0xff, 0xff],
      [...Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01],
      // A whole frame whose body is not one.
      [0, 0, 0, 14, 0, 12, 0, 4, 0, 0, 0, 1, 0xff, 0xff, 0, 0xff, 0xff, 0xff],
    ]
    for (const bytes of bad) {
      const { client, listener } = await listening({ heartbeat: () => ({ errorCode: 0 }) })
      client.send(new Uint8Array(bytes))
      await settled()
      expect([client.answers(), client.over, listener.connectionCount]).toEqual([[], 'ended', 0])
    }
  })

  it('[KL10] and does not stay when it does not take the hint', async () => {
    const { client, clock, listener } = await listening({ heartbeat: () => ({ errorCode: 0 }) })
    client.lingers = true
    client.send(new Uint8Array([...client.request('heartbeat', 4, 1, heartbeat()), 0xff, 0xff, 0xff, 0xff]))
    // What it still sends is read and dropped.
    expect([client.answers(), client.over, client.reading]).toEqual([[1], 'ended', true])
    clock.advance(LINGER_MS - 1)
    await settled()
    expect(listener.connectionCount).toBe(1)
    clock.advance(1)
    await settled()
    expect([client.over, listener.connectionCount, clock.timerCount]).toEqual(['destroyed', 0, 0])
  })

  it('[KL11] gets no room for a large request before there is some, and others theirs in order', async () => {
    const sizes: number[] = []
    const big = 3 * LARGE_REQUEST_BYTES
    const { client, net, listener } = await listening(
      {
        produce: ({ topics }) => {
          sizes.push(topics[0]?.partitions[0]?.records?.length ?? 0)
          return { topics: [] }
        },
      },
      { requestBytesMax: 4 * LARGE_REQUEST_BYTES, requestsBytesMax: 4 * LARGE_REQUEST_BYTES },
    )
    const request = client.request('produce', 9, 1, produceOf(1, big))
    client.send(request.subarray(0, 100))
    expect(listener.freeBytes).toBeLessThan(big)
    const second = net.client()
    second.send(request)
    const third = net.client()
    third.send(request)
    const small = net.client()
    small.send(small.request('produce', 9, 2, produceOf(1, 20)))
    expect([sizes, second.reading, small.answers()]).toEqual([[20], false, [2]])
    client.send(request.subarray(100))
    expect([sizes, second.reading, third.reading]).toEqual([[20, big, big, big], true, true])
    expect(listener.freeBytes).toBe(4 * LARGE_REQUEST_BYTES)
    client.send(client.request('produce', 9, 1, produceOf(1, 5 * LARGE_REQUEST_BYTES)))
    expect(client.over).toBe('ended')
  })

  it('[KL11] gives its room back when it goes', async () => {
    const { client, net, listener } = await listening(
      { produce: () => new Promise(() => {}) },
      { requestsBytesMax: 1, requestBytesMax: 100_000 },
    )
    const request = client.request('produce', 9, 1, produceOf(1, 70_000))
    const waiting = [net.client(), net.client()]
    client.send(request)
    for (const one of waiting) one.send(request.subarray(0, 1_000))
    for (const one of [waiting[1], client, waiting[0]]) {
      one?.leave()
      await settled()
    }
    expect([listener.freeBytes, listener.connectionCount]).toEqual([100_000, 0])
  })

  it('[KL12] is cut when it stops in the middle of a request, and ended when it asks nothing', async () => {
    const { client, net, clock, listener } = await listening({ heartbeat: () => ({ errorCode: 0 }) }, { idleMs: 120_000 })
    const request = client.request('heartbeat', 4, 1, heartbeat())
    const silent = net.client()
    const busy = net.client()
    busy.send(request)
    client.send(request.subarray(0, 8))
    clock.advance(20_000)
    client.send(request.subarray(8, 9))
    clock.advance(10_000 + 2 * SWEEP_MS)
    await settled()
    expect([client.over, silent.over, busy.over]).toEqual(['destroyed', 'ended', undefined])
    // A large request may take longer, as long as it goes on.
    const large = net.client()
    const upload = large.request('produce', 9, 1, produceOf(1, 50_000_000))
    for (let at = 0; at < 12; at++) {
      large.send(upload.subarray(at, at + 1))
      busy.send(request)
      clock.advance(5_000)
    }
    expect(large.over).toBeUndefined()
    for (let at = 12; at < 24 && large.over === undefined; at++) {
      large.send(upload.subarray(at, at + 1))
      busy.send(request)
      clock.advance(5_000)
    }
    await settled()
    expect([large.over, listener.freeBytes]).toEqual(['destroyed', REQUESTS_BYTES_MAX])
    // A client that is always in the middle of some request is not cut.
    for (let turn = 0; turn < 20; turn++) {
      busy.send(new Uint8Array([...request.subarray(turn === 0 ? 0 : 7), ...request.subarray(0, 7)]))
      clock.advance(4_000)
    }
    expect(busy.over).toBeUndefined()
    busy.send(request.subarray(7))
    clock.advance(120_000 + 2 * SWEEP_MS)
    await settled()
    expect([busy.over, listener.connectionCount, clock.timerCount]).toEqual(['ended', 0, 0])
  })
})

describe('a listener that closes', () => {
  it('[KL13] answers what was asked, and cuts what is not answered in time', async () => {
    const finish: (() => void)[] = []
    const { client, net, clock, listener } = await listening({
      heartbeat: () => new Promise(resolve => finish.push(() => resolve({ errorCode: 0 }))),
    })
    const stuck = net.client()
    const idle = net.client()
    client.send(client.request('heartbeat', 4, 1, heartbeat()))
    stuck.send(stuck.request('heartbeat', 4, 2, heartbeat()))
    let closed = false
    const closing = listener.close(1_000).then(() => {
      closed = true
    })
    await settled()
    expect([idle.over, client.over, client.reading, net.client().over]).toEqual(['ended', undefined, false, 'destroyed'])
    finish[0]?.()
    await settled()
    expect([client.answers(), client.over, stuck.over, closed]).toEqual([[1], 'ended', undefined, false])
    clock.advance(1_000)
    await closing
    expect([stuck.over, clock.timerCount]).toEqual(['destroyed', 0])
  })
})
