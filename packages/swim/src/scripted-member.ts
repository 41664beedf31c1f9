// For tests: one member under test whose peers, clock and network are played by the test.
import { type Incarnation, type MonotonicMs, type NodeId, nodeId, seededRandom } from '@atoll/base'
import type { Effects, Send, SwimEvent } from './effects.ts'
import type { Input } from './inputs.ts'
import type { MemberMeta, MemberState, MemberUpdate, SwimMessage } from './messages.ts'
import { defaultSettings, type SwimSettings } from './settings.ts'
import { Swim } from './swim.ts'

export const self = nodeId('self')

/** The meta of `node-<port>` and the like: only the port differs. */
export function metaAt(port: number, loadPercent = 0): MemberMeta {
  return { role: 'broker', endpoints: [{ protocol: 'native', host: '127.0.0.1', port }], loadPercent }
}

export const peer = (index: number): NodeId => nodeId(`node-${index}`)
export const portOf = (node: NodeId): number => Number(node.split('-')[1] ?? 0) + 7_300

export function claim(node: NodeId, state: MemberState, incarnation = 0, by?: NodeId, refused = false): MemberUpdate {
  const meta = state === 'alive' ? metaAt(portOf(node)) : undefined
  return { node, state, incarnation: incarnation as Incarnation, by, refused, meta }
}

/** What a test does to the member: the inputs without their time. */
type Timeless<T> = T extends unknown ? Omit<T, 'nowMs'> : never

export class ScriptedMember {
  readonly swim: Swim
  now = 1_000
  wakeAt: number | undefined
  sends: Send[] = []
  events: SwimEvent[] = []

  constructor(seed = 1, settings: Partial<SwimSettings> = {}) {
    const merged = { ...defaultSettings, ...settings }
    this.swim = new Swim({
      node: self,
      meta: metaAt(7_201),
      settings: merged,
      random: seededRandom(seed),
      nowMs: this.now as MonotonicMs,
    })
    this.do({ kind: 'tick' })
  }

  /** Steps with `input` now; what came out is returned, and kept in `sends` and `events`. */
  do(input: Timeless<Input>): Effects {
    const effects = this.swim.step({ ...input, nowMs: this.now as MonotonicMs } as Input)
    this.wakeAt = effects.wakeAtMs
    this.sends.push(...effects.sends)
    this.events.push(...effects.events)
    return effects
  }

  hear(from: NodeId, message: SwimMessage): Effects {
    return this.do({ kind: 'message', from, message })
  }

  /** Hears `updates` as gossip. */
  gossip(from: NodeId, ...updates: MemberUpdate[]): Effects {
    return this.hear(from, { kind: 'gossip', updates })
  }

  /** Knows `count` peers, and has told of them as often as it will. */
  meet(count: number): this {
    for (let index = 1; index <= count; index++) this.gossip(peer(index), claim(peer(index), 'alive'))
    this.answering(2_000)
    this.sends = []
    this.events = []
    return this
  }

  /** Lets time pass, waking the member when it asked to be. Nobody answers unless `answer` does. */
  pass(ms: number, answer: (send: Send) => void = () => undefined): this {
    const end = this.now + ms
    while (this.wakeAt !== undefined && this.wakeAt <= end) {
      this.now = Math.max(this.now, this.wakeAt)
      for (const send of this.do({ kind: 'tick' }).sends) answer(send)
    }
    this.now = end
    return this
  }

  /** Lets time pass while all but `silent` answer pings and sync. */
  answering(ms: number, silent: readonly NodeId[] = []): this {
    return this.pass(ms, ({ to, message }) => {
      if (to.node === undefined || silent.includes(to.node)) return
      if (message.kind === 'ping') this.hear(to.node, { kind: 'ack', sequence: message.sequence, updates: [] })
      if (message.kind === 'ping_request') this.hear(to.node, { kind: 'nack', sequence: message.sequence })
      if (message.kind === 'sync' && !message.reply) this.hear(to.node, { ...message, reply: true, members: [] })
    })
  }

  /** The messages of one kind that were sent, oldest first. */
  sent<Kind extends SwimMessage['kind']>(kind: Kind): (Send & { readonly message: Extract<SwimMessage, { kind: Kind }> })[] {
    return this.sends.filter(send => send.message.kind === kind) as (Send & { readonly message: Extract<SwimMessage, { kind: Kind }> })[]
  }

  happened<Kind extends SwimEvent['kind']>(kind: Kind): Extract<SwimEvent, { kind: Kind }>[] {
    return this.events.filter(event => event.kind === kind) as Extract<SwimEvent, { kind: Kind }>[]
  }

  stateOf(node: NodeId): MemberState | undefined {
    return this.swim.member(node)?.state
  }
}
