// The group service behind Kafka's requests, in virtual time, on a topic that stores with a delay.
import { assert, silentLogger } from '@atoll/base'
import { createSimHashes, createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import type { KafkaResponse } from '../kafka/apis.ts'
import { KafkaError } from '../kafka/handlers.ts'
import { kafkaErrorCode } from '../kafka/kafka-errors.ts'
import { defaultCoordinatorSettings } from './coordinator-inputs.ts'
import type { GroupRecord } from './group-records.ts'
import { GroupService } from './group-service.ts'
import { groupHandlers } from './kafka-handlers.ts'
import { bytesOf, textOf } from './scripted-groups.ts'

const hashes = await createSimHashes()
type Handlers = ReturnType<typeof groupHandlers>

/** One broker that leads the only partition of the topic. */
class Scene {
  readonly #ports: SimPorts
  readonly service: GroupService
  readonly handlers: Handlers
  readonly stored: GroupRecord[] = []
  readonly gone = new AbortController()
  /** Set: nothing is stored any more, for that reason. */
  failing: KafkaError | undefined

  constructor(ports: SimPorts) {
    this.#ports = ports
    let ids = 0
    this.service = new GroupService({
      clock: ports.clock,
      logger: silentLogger,
      settings: defaultCoordinatorSettings,
      drawId: () => `id${++ids}`,
      partitions: () => 1,
      log: {
        read: async function* (this: void) {
          yield [...stored]
        },
        append: (_, records) => this.#append(records),
      },
    })
    const { stored } = this
    this.handlers = groupHandlers((request, signal) => this.service.ask(request, signal))
  }

  after(ms: number): Promise<void> {
    return new Promise(resolve => this.#ports.clock.after(ms, resolve))
  }

  async #append(records: readonly GroupRecord[]): Promise<void> {
    await this.after(3)
    if (this.failing !== undefined) throw this.failing
    this.stored.push(...records)
  }

  context(apiVersion: number) {
    return {
      client: { connection: 1, remote: '127.0.0.1:40000', software: undefined, signal: this.gone.signal },
      apiVersion,
      clientId: 'c',
    }
  }

  join(memberId = '', apiVersion = 9): Promise<KafkaResponse<'joinGroup'>> {
    const timeouts = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 60_000 }
    const protocols = [{ name: 'range', metadata: bytesOf('topics') }]
    const request = { groupId: 'g', memberId, groupInstanceId: null, protocolType: 'consumer', protocols, reason: null, ...timeouts }
    return Promise.resolve(this.handlers.joinGroup(request, this.context(apiVersion)))
  }

  /** Joins as clients do that know of member ids. */
  async joined(): Promise<KafkaResponse<'joinGroup'>> {
    const { memberId } = await this.join()
    return this.join(memberId)
  }

  async sync({ memberId, generationId }: KafkaResponse<'joinGroup'>, assignment: string): Promise<string> {
    const member = { groupId: 'g', generationId: generationId ?? -1, memberId, groupInstanceId: null }
    const assignments = [{ memberId, assignment: bytesOf(assignment) }]
    const answer = await this.handlers.syncGroup({ ...member, protocolType: null, protocolName: null, assignments }, this.context(5))
    return answer.errorCode === 0 ? textOf(answer.assignment) : String(answer.errorCode)
  }

  async commit({ memberId, generationId }: KafkaResponse<'joinGroup'>, committedOffset: number): Promise<number | undefined> {
    const partitions = [{ partitionIndex: 0, committedOffset, committedLeaderEpoch: -1, commitTimestamp: -1, committedMetadata: null }]
    const member = { groupId: 'g', generationIdOrMemberEpoch: generationId ?? -1, memberId, groupInstanceId: null, retentionTimeMs: -1 }
    const answer = await this.handlers.offsetCommit({ ...member, topics: [{ name: 't', partitions }] }, this.context(8))
    return answer.topics[0]?.partitions[0]?.errorCode
  }

  async committed(apiVersion = 8): Promise<number | undefined> {
    const topics = [{ name: 't', partitionIndexes: [0] }]
    const groups = [{ groupId: 'g', memberId: null, memberEpoch: -1, topics }]
    const answer = await this.handlers.offsetFetch({ groupId: 'g', topics, groups, requireStable: false }, this.context(apiVersion))
    const rows = apiVersion < 8 ? answer.topics : answer.groups?.[0]?.topics
    return rows?.[0]?.partitions[0]?.committedOffset
  }
}

/** Runs `act` on a broker; its virtual time ends when it does. */
async function onBroker(act: (scene: Scene) => Promise<void>): Promise<void> {
  const simulation = createSimulation({ seed: 1, hashes })
  let done = false
  simulation.addNode('broker-1' as never).start(async ports => {
    const scene = new Scene(ports)
    scene.service.lead(0)
    await scene.after(1)
    await act(scene)
    scene.service.stop()
    done = true
  })
  await simulation.run({ until: () => done, untilMs: 600_000 })
  assert(done, 'it ended')
}

describe('the group service', () => {
  it('[GK1] serves a client from its first join to its offsets, in new versions and old ones', () =>
    onBroker(async scene => {
      const joined = await scene.joined()
      expect(joined).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range', leader: joined.memberId })
      expect(await scene.sync(joined, 'all')).toBe('all')
      expect([await scene.committed(), await scene.commit(joined, 7), await scene.committed(), await scene.committed(5)]).toEqual([
        -1, 0, 7, 7,
      ])
      const described = await scene.handlers.describeGroups({ groups: ['g', 'none'], includeAuthorizedOperations: false }, scene.context(5))
      expect(described.groups.map(({ groupState, members }) => [groupState, members.map(({ clientHost }) => clientHost)])).toEqual([
        ['Stable', ['/127.0.0.1']],
        ['Dead', []],
      ])
      const listed = await scene.handlers.listGroups({ statesFilter: ['stable'], typesFilter: [] }, scene.context(5))
      expect(listed.groups).toMatchObject([{ groupId: 'g', protocolType: 'consumer', groupType: 'classic' }])
      const leaving = { groupId: 'g', memberId: joined.memberId, members: [] }
      expect((await scene.handlers.leaveGroup(leaving, scene.context(2))).errorCode).toBe(0)
      expect((await scene.handlers.leaveGroup(leaving, scene.context(2))).errorCode).toBe(kafkaErrorCode('unknown_member_id'))
      expect((await scene.handlers.deleteGroups({ groupsNames: ['g'] }, scene.context(2))).results).toEqual([
        { groupId: 'g', errorCode: 0 },
      ])
      expect(await scene.committed()).toBe(-1)
    }))

  it('[GK2] lets sessions end, and goes on where another leader of the partition stopped', () =>
    onBroker(async scene => {
      const joined = await scene.joined()
      await scene.sync(joined, 'all')
      await scene.commit(joined, 7)
      scene.service.resign(0)
      expect(await scene.commit(joined, 8)).toBe(kafkaErrorCode('not_coordinator'))
      scene.service.lead(0)
      expect(await scene.commit(joined, 8)).toBe(kafkaErrorCode('coordinator_load_in_progress'))
      await scene.after(1)
      expect([await scene.sync(joined, ''), await scene.committed()]).toEqual(['all', 7])
      await scene.after(10_100)
      expect(await scene.commit(joined, 9)).toBe(kafkaErrorCode('unknown_member_id'))
    }))

  it('[GK3] says what clients understand when records cannot be stored', () =>
    onBroker(async scene => {
      const joined = await scene.joined()
      await scene.sync(joined, 'all')
      scene.failing = new KafkaError('not_enough_replicas', 'one of three')
      expect(await scene.commit(joined, 7)).toBe(kafkaErrorCode('coordinator_not_available'))
      scene.failing = new KafkaError('not_leader_or_follower', 'deposed')
      expect([await scene.commit(joined, 7), await scene.committed()]).toEqual([kafkaErrorCode('not_coordinator'), -1])
    }))

  it('[GK4] forgets requests whose clients are gone', () =>
    onBroker(async scene => {
      const first = await scene.joined()
      await scene.sync(first, 'all')
      const waiting = scene.joined()
      await scene.after(50)
      scene.gone.abort()
      expect((await waiting).errorCode).toBe(kafkaErrorCode('request_timed_out'))
    }))
})
