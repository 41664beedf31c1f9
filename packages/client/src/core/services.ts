// Who is there: the nodes that registered, by role. What one of them can do is in its endpoints.
import { memberList, type RegisteredMember, type Revision } from '@atoll/protocol'
import type { CallOptions, Requests } from './requests.ts'
import type { StreamOptions, StreamParts } from './resumed-stream.ts'
import { Watch } from './watch.ts'

/** Registrations stand in the store below this. */
const NODE_PREFIX = '$atoll/node/'

export interface Member {
  readonly name: string
  readonly role: string
  readonly state: RegisteredMember['state']
  /** It leads the coordinators. */
  readonly leader: boolean
  /** Of its registration: a later one is greater. */
  readonly epoch: Revision
  readonly endpoints: readonly { readonly protocol: string; readonly host: string; readonly port: number }[]
}

export async function members(requests: Requests, options?: CallOptions): Promise<readonly Member[]> {
  const { members: rows } = await requests.read(memberList, { consistency: 'linearizable' }, options)
  return rows.map(({ name, role, state, leader, epoch, endpoints }) => ({ name, role, state, leader, epoch, endpoints }))
}

export class Services {
  readonly #parts: StreamParts

  constructor(parts: StreamParts) {
    this.#parts = parts
  }

  /** The active nodes of a role. */
  async lookup(role: string, options?: CallOptions): Promise<readonly Member[]> {
    const all = await members(this.#parts.requests, options)
    return all.filter(member => member.role === role && member.state === 'active')
  }

  /** The active nodes of a role, now and whenever they change. A later list may stand for several changes. */
  async *watch(role: string, options?: StreamOptions): AsyncGenerator<readonly Member[], void, undefined> {
    await using changes = new Watch(this.#parts, { prefix: NODE_PREFIX }, options)
    await changes.ready()
    let told: string | undefined
    do {
      const found = await this.lookup(role, { signal: options?.signal })
      const now = JSON.stringify(found.map(({ name, epoch, endpoints }) => [name, epoch, endpoints]))
      if (now === told) continue
      told = now
      yield found
    } while ((await changes.next()).done !== true)
  }
}
