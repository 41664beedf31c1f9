// Consumer groups as an administrator sees them: who is in one, what each member has, and how far the group has come.

import { sleep } from '@atoll/base'
import { groupDescribe, groupList, groupOffsets, ProtocolError } from '@atoll/protocol'
import { AtollError } from '../atoll-error.ts'
import type { Call, CallOptions } from '../requests.ts'
import { decodeAssignment, type Place } from './assignors.ts'
import { GroupLink } from './group-link.ts'
import { BROKER_CALL_MS } from './limits.ts'
import { type LogParts, mayPass, retryPauseMs } from './log-parts.ts'
import type { Topics } from './topics.ts'

type GroupState = 'empty' | 'preparing_rebalance' | 'completing_rebalance' | 'stable' | 'dead'

export interface GroupInfo {
  readonly group: string
  readonly state: GroupState
}

export interface GroupOffset extends Place {
  /** The next offset to be read. */
  readonly committed: number
  /** The first offset that is not committed to the log; undefined when its leader could not be asked. */
  readonly end: number | undefined
  /** Records that the group has not read; undefined when its end is. */
  readonly lag: number | undefined
}

export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly client: string
  readonly host: string
  readonly places: readonly Place[]
}

export interface GroupDescription extends GroupInfo {
  readonly assignor: string
  readonly members: readonly GroupMember[]
  readonly offsets: readonly GroupOffset[]
}

export class Groups {
  readonly #log: LogParts
  readonly #topics: Topics

  constructor(log: LogParts, topics: Topics) {
    this.#log = log
    this.#topics = topics
  }

  /** Every group, by name. Rejects with an AtollError when a broker cannot be asked. */
  async list(options?: CallOptions): Promise<readonly GroupInfo[]> {
    const found = await this.#patiently('group_list', options, async () => {
      const lists = (await this.#log.brokers.names()).map(async node => {
        const session = await this.#log.brokers.connect(node)
        return (await session.request(groupList, {}, { timeoutMs: BROKER_CALL_MS })).groups
      })
      return (await Promise.all(lists)).flat()
    })
    return found.map(({ group, state }) => ({ group, state })).toSorted((a, b) => (a.group < b.group ? -1 : 1))
  }

  /** A group, its members, and how far it has come. Rejects with an AtollError `unknown_group`. */
  async describe(group: string, options?: CallOptions): Promise<GroupDescription> {
    const link = new GroupLink(this.#log, group)
    try {
      const [found, { offsets }] = await this.#patiently('group_describe', options, () =>
        Promise.all([link.ask(groupDescribe, { group }), link.ask(groupOffsets, { group, places: undefined })]),
      )
      if (found.state === 'dead' && offsets.length === 0)
        throw new AtollError('unknown_group', `there is no group ${group}`, { operation: 'group_describe', outcome: 'definite' })
      const members = found.members.map(({ memberId, instanceId, clientId, clientHost, assignment }) => {
        return { memberId, instanceId, client: clientId, host: clientHost, places: decodeAssignment(assignment) }
      })
      return { group, state: found.state, assignor: found.protocol, members, offsets: await this.#lags(offsets) }
    } finally {
      link.close()
    }
  }

  async #lags(rows: readonly (Place & { readonly offset: number })[]): Promise<readonly GroupOffset[]> {
    const ends = new Map<string, number | undefined>()
    for (const topic of new Set(rows.map(row => row.topic))) {
      const described = await this.#topics.describe(topic).catch(unlessUnknown)
      for (const { partition, highWatermark } of described?.parts ?? []) ends.set(`${topic}/${partition}`, highWatermark)
    }
    return rows.map(({ topic, partition, offset: committed }) => {
      const end = ends.get(`${topic}/${partition}`)
      return { topic, partition, committed, end, lag: end === undefined ? undefined : Math.max(0, end - committed) }
    })
  }

  /** Asks until it is answered, for as long as the call may take. */
  async #patiently<T>(operation: string, options: CallOptions | undefined, ask: () => Promise<T>): Promise<T> {
    const { requests, clock, random } = this.#log
    const call: Call = requests.begin(operation, false, options)
    for (;;) {
      try {
        call.attempts++
        return await ask()
      } catch (error) {
        const isPassing = error instanceof ProtocolError && (mayPass(error.code) || error.code.endsWith('group_coordinator'))
        if (!isPassing || call.deadlineAtMs <= clock.monotonicMs()) throw requests.explained(call, error)
        await sleep(clock, retryPauseMs(random, call.attempts), call.signal).catch((reason: unknown) => {
          throw requests.explained(call, reason)
        })
      }
    }
  }
}

/** A topic that was deleted has no end. */
function unlessUnknown(error: unknown): undefined {
  if (!(error instanceof AtollError) || error.code !== 'unknown_topic') throw error
}
