// Three coordinators of this checkout, as a supervisor would start them, and its own client with everything on: a session
// whose retries take effect once.
import { nodeId } from '@atoll/base'
import { type Client, createClient } from '@atoll/client/core'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import { raftStatus } from '@atoll/protocol'
import { NodeGroup } from '../node-group.ts'
import type { Subject } from './subject.ts'

const MEND_TIMEOUT_MS = 15_000

export class Atoll implements Subject {
  readonly name = 'atoll'
  readonly #group = new NodeGroup(3)
  #client: Client | undefined
  #killed: string | undefined

  async start(): Promise<void> {
    await Promise.all(this.#group.names.map(name => this.#group.start(name)))
    this.#group.introduce()
    const clock = createClock()
    const random = systemRandom()
    const name = nodeId('bench')
    const { net } = createNet({ self: name, faults: false, clock, random })
    this.#client = createClient({ net, clock, random, compute: await createCompute() }, { name, ...this.#group.whereabouts })
    await this.put('first', new Uint8Array(1))
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#theClient.kv.put(key, value)
  }

  async get(key: string): Promise<void> {
    if ((await this.#theClient.kv.getBytes(key)) === undefined) throw new Error(`${key} is not there`)
  }

  async killLeader(): Promise<number> {
    const { leader } = await this.#theClient.request(raftStatus, {})
    if (leader === undefined) throw new Error('nobody leads')
    const killedAtMs = performance.now()
    const gone = this.#group.kill(leader)
    await this.put('first', new Uint8Array(1))
    const spentMs = performance.now() - killedAtMs
    await gone
    this.#killed = leader
    return spentMs
  }

  async mend(): Promise<void> {
    if (this.#killed === undefined) return
    const killed = this.#killed
    this.#killed = undefined
    const sinceMs = Date.now()
    await this.#group.start(killed)
    await this.#group.untilAll('member_alive', killed, sinceMs)
    const deadlineMs = performance.now() + MEND_TIMEOUT_MS
    // It has caught up when it confirms what the leader commits.
    while (!(await this.#allFollow())) if (performance.now() > deadlineMs) throw new Error(`${killed} did not catch up`)
  }

  async close(): Promise<void> {
    await this.#theClient.close()
    this.#group.close()
  }

  async #allFollow(): Promise<boolean> {
    const all = await Promise.all(this.#group.names.map(name => this.#group.ask(name, raftStatus, {})))
    return new Set(all.map(({ lastIndex }) => lastIndex)).size === 1 && new Set(all.map(({ leader }) => leader)).size === 1
  }

  get #theClient(): Client {
    if (this.#client === undefined) throw new Error('not started')
    return this.#client
  }
}
