// Consumer groups on whole brokers under virtual time: who coordinates them, and what stays when that one is gone.
import { type NodeId, nodeId, present } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { type KafkaErrorName, kafkaErrorCode } from '../../../packages/broker/src/kafka/kafka-errors.ts'
import { BrokerCluster } from './broker-cluster.ts'

const code = (name: KafkaErrorName): number => kafkaErrorCode(name)
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
/** On these a client looks for the coordinator again. */
const elsewhere = ['coordinator_load_in_progress', 'coordinator_not_available', 'not_coordinator'] as const
const isElsewhere = (errorCode: number | undefined): boolean => errorCode === undefined || elsewhere.some(name => code(name) === errorCode)

interface Member {
  readonly memberId: string
  readonly generationId: number
}

/** One group as its members see it. */
class Group {
  readonly cluster: BrokerCluster
  readonly groupId: string

  constructor(cluster: BrokerCluster, groupId: string) {
    this.cluster = cluster
    this.groupId = groupId
  }

  /** Whom a broker names as the coordinator; undefined: nobody at present. */
  async coordinatorBy(broker: NodeId): Promise<NodeId | undefined> {
    const answer = await this.cluster.ask(broker, 'findCoordinator', 3, { key: this.groupId, keyType: 0 })
    return answer?.errorCode === 0 ? nodeId(`broker-${answer.nodeId}`) : undefined
  }

  /** Whom all brokers that run name, once they do. */
  async coordinator(): Promise<NodeId> {
    for (let tries = 0; tries < 200; tries++) {
      const running = this.cluster.brokers.filter(name => this.cluster.broker(name) !== undefined)
      const named: (NodeId | undefined)[] = []
      for (const broker of running) named.push(await this.coordinatorBy(broker))
      const [first] = named
      if (first !== undefined && running.includes(first) && named.every(name => name === first)) return first
      await this.cluster.pass(100)
    }
    throw new Error('no coordinator')
  }

  /** The only member, which assigns everything to itself. */
  async join(): Promise<Member> {
    const timeouts = { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000 }
    const protocols = [{ name: 'range', metadata: bytes('topics') }]
    const request = { groupId: this.groupId, memberId: '', groupInstanceId: null, protocolType: 'consumer', protocols, ...timeouts }
    const joined = await this.#asked(broker => this.cluster.ask(broker, 'joinGroup', 3, request))
    const { memberId, generationId = -1 } = joined
    const assignments = [{ memberId, assignment: bytes('all') }]
    const synced = { groupId: this.groupId, generationId, memberId, groupInstanceId: null, assignments }
    await this.#asked(broker => this.cluster.ask(broker, 'syncGroup', 3, synced))
    return { memberId, generationId }
  }

  async heartbeat({ memberId, generationId }: Member): Promise<number> {
    const request = { groupId: this.groupId, generationId, memberId, groupInstanceId: null }
    return (await this.#asked(broker => this.cluster.ask(broker, 'heartbeat', 3, request))).errorCode
  }

  async commitAt(broker: NodeId, { memberId, generationId }: Member, committedOffset: number): Promise<number | undefined> {
    const partitions = [{ partitionIndex: 0, committedOffset, committedLeaderEpoch: -1, commitTimestamp: -1, committedMetadata: 'words' }]
    const member = { groupId: this.groupId, generationIdOrMemberEpoch: generationId, memberId, groupInstanceId: null }
    const answer = await this.cluster.ask(broker, 'offsetCommit', 7, { ...member, topics: [{ name: 't', partitions }] })
    return answer?.topics[0]?.partitions[0]?.errorCode
  }

  async commit(member: Member, offset: number): Promise<number> {
    const { errorCode } = await this.#asked(async broker => ({ errorCode: (await this.commitAt(broker, member, offset)) ?? -1 }))
    return errorCode
  }

  fetchAt(broker: NodeId) {
    return this.cluster.ask(broker, 'offsetFetch', 7, { groupId: this.groupId, topics: [{ name: 't', partitionIndexes: [0] }] })
  }

  async committed(): Promise<number | undefined> {
    const answer = await this.#asked(async broker => {
      const { errorCode = -1, topics = [] } = (await this.fetchAt(broker)) ?? {}
      return { errorCode, topics }
    })
    return answer.topics[0]?.partitions[0]?.committedOffset
  }

  /** Asks whoever coordinates, again and again while it says that it is somebody else. */
  async #asked<T extends { readonly errorCode: number }>(ask: (broker: NodeId) => Promise<T | undefined>): Promise<T> {
    for (let tries = 0; tries < 100; tries++) {
      const answer = await ask(await this.coordinator())
      if (answer !== undefined && !isElsewhere(answer.errorCode)) return answer
      await this.cluster.pass(100)
    }
    throw new Error('nobody answers as the coordinator')
  }
}

async function withGroup(groupId = 'g') {
  const cluster = await BrokerCluster.ready()
  await cluster.createTopic('t')
  const group = new Group(cluster, groupId)
  return { cluster, group, coordinator: await group.coordinator(), member: await group.join() }
}

describe('groups on brokers', () => {
  it('[BK13] have one coordinator, which every broker names, and nobody else answers for them', async () => {
    const { cluster, group, coordinator, member } = await withGroup()
    expect(await group.commit(member, 7)).toBe(0)
    const others = cluster.brokers.filter(name => name !== coordinator)
    for (const other of others) {
      expect(await group.commitAt(other, member, 8)).toBe(code('not_coordinator'))
      expect(await group.fetchAt(other)).toMatchObject({ errorCode: code('not_coordinator') })
    }
    expect(await group.committed()).toBe(7)
    const listed = await cluster.ask(coordinator, 'listGroups', 4, { statesFilter: [] })
    expect(listed?.groups).toMatchObject([{ groupId: 'g', protocolType: 'consumer', groupState: 'Stable' }])
    const unknown = await cluster.ask(coordinator, 'findCoordinator', 3, { key: 'g', keyType: 1 })
    expect(unknown?.errorCode).not.toBe(0)
  })

  it('[BK14] go on at another broker after their coordinator died, with members and offsets', async () => {
    const { cluster, group, coordinator, member } = await withGroup()
    for (const offset of [3, 5, 9]) expect(await group.commit(member, offset)).toBe(0)
    cluster.crash(coordinator)
    expect(await group.committed()).toBe(9)
    expect(await group.coordinator()).not.toBe(coordinator)
    expect([await group.heartbeat(member), await group.commit(member, 12)]).toEqual([0, 0])
    cluster.start(coordinator)
    await cluster.until(() => cluster.record('__consumer_offsets')?.isr.length === 3, 'all in sync')
    expect(await group.committed()).toBe(12)
  })

  it('[BK14] have their offsets again after all were killed', async () => {
    const { cluster, group, member } = await withGroup()
    expect(await group.commit(member, 5)).toBe(0)
    const all = [...cluster.coordinators, ...cluster.brokers]
    for (const name of all) cluster.crash(name)
    for (const name of all) cluster.start(name)
    await cluster.until(() => cluster.brokers.every(name => cluster.broker(name) !== undefined), 'brokers')
    expect(await group.committed()).toBe(5)
  })

  it('[BK15] are answered for by nobody whose registration is over, so that no offset that is read goes back', async () => {
    const { cluster, group, coordinator, member } = await withGroup()
    expect(await group.commit(member, 5)).toBe(0)
    cluster.cutOff(coordinator, ...cluster.coordinators)
    await cluster.until(() => cluster.broker(coordinator)?.registration.believed === undefined, 'the end of its registration')
    expect(await group.fetchAt(coordinator)).toMatchObject({ errorCode: code('not_coordinator') })
    expect(await group.commitAt(coordinator, member, 6)).toBe(code('not_coordinator'))
    const [other] = cluster.brokers.filter(name => name !== coordinator)
    for (let tries = 0; (await group.coordinatorBy(present(other, 'another broker'))) === coordinator; tries++) {
      if (tries > 100) throw new Error('it stays the coordinator')
      await cluster.pass(100)
    }
    cluster.cutOff(coordinator)
    expect([await group.committed(), await group.commit(member, 8), await group.committed()]).toEqual([5, 0, 8])
  })
})
