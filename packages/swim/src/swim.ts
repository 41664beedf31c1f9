// One member of the cluster as a state machine: inputs in, effects out. It decides whom to probe, what to believe and
// what to tell; it has no clock, no socket and no randomness but what it is given.
// Source: SWIM (Das, Gupta, Motivala 2002), Lifeguard (arXiv 1707.00788), hashicorp/memberlist. The rules: SPEC.md.
import { type MonotonicMs, type NodeId, type Random, unreachable } from '@atoll/base'
import { Accusations } from './accusations.ts'
import { Beliefs, viewOf } from './beliefs.ts'
import { Dissemination } from './dissemination.ts'
import type { Destination, Effects, MemberView, SwimEvent } from './effects.ts'
import { Gossiper } from './gossiper.ts'
import type { Input } from './inputs.ts'
import { CONTRADICTIONS_MAX, FAREWELLS_MAX } from './limits.ts'
import { LoadReports } from './load-reports.ts'
import { LocalHealth } from './local-health.ts'
import { type Member, MemberList, nativeAddress } from './member-list.ts'
import { Membership } from './membership.ts'
import type { MemberMeta, MemberUpdate, Ping, SwimMessage } from './messages.ts'
import { Outbox } from './outbox.ts'
import { OwnClock } from './own-clock.ts'
import { ProbeSchedule } from './probe-schedule.ts'
import { Prober } from './prober.ts'
import { Relays } from './relays.ts'
import { Seeds } from './seeds.ts'
import { SelfRecord } from './self-record.ts'
import { Sequences } from './sequences.ts'
import type { SwimSettings } from './settings.ts'
import { Synchronizer } from './synchronizer.ts'
import { UrgentProbes } from './urgent-probes.ts'

/** A pause this long makes conclusions void until they are refreshed, in milliseconds. */
const STALL_MS = 250

export interface SwimOptions {
  readonly node: NodeId
  readonly meta: MemberMeta
  readonly settings: SwimSettings
  readonly random: Random
  readonly nowMs: MonotonicMs
}

export class Swim {
  readonly #clock = new OwnClock()
  readonly #outbox = new Outbox()
  readonly #health = new LocalHealth()
  readonly #urgentProbes = new UrgentProbes()
  readonly #rumours = new Dissemination()
  readonly #seeds = new Seeds()
  readonly #self: SelfRecord
  readonly #list: MemberList
  readonly #schedule: ProbeSchedule
  readonly #relays: Relays
  readonly #beliefs: Beliefs
  readonly #accusations: Accusations
  readonly #membership: Membership
  readonly #prober: Prober
  readonly #gossiper: Gossiper
  readonly #synchronizer: Synchronizer
  readonly #loadReports: LoadReports
  #farewellSaid = false

  constructor({ node, meta, settings, random, nowMs }: SwimOptions) {
    const now = this.#clock.own(nowMs)
    const sequences = new Sequences(random)
    this.#self = new SelfRecord(node, meta)
    this.#list = new MemberList(random)
    this.#schedule = new ProbeSchedule(random)
    this.#relays = new Relays(sequences)
    this.#loadReports = new LoadReports(this.#self, this.#rumours)
    this.#beliefs = new Beliefs(this.#list, this.#rumours, this.#outbox, settings)
    this.#accusations = new Accusations(node, this.#beliefs, this.#urgentProbes, random, settings)
    this.#membership = new Membership(this.#self, this.#beliefs, this.#accusations, this.#health, this.#outbox)
    const shared = { self: this.#self, list: this.#list, rumours: this.#rumours, beliefs: this.#beliefs, accusations: this.#accusations }
    const parts = { ...shared, membership: this.#membership, outbox: this.#outbox, random, sequences, settings }
    const probing = { schedule: this.#schedule, urgentProbes: this.#urgentProbes, relays: this.#relays, health: this.#health }
    this.#prober = new Prober({ ...parts, ...probing }, now)
    this.#gossiper = new Gossiper(parts, now)
    this.#synchronizer = new Synchronizer({ ...parts, seeds: this.#seeds }, now)
  }

  /** Handles one input completely. Never throws for what a peer sent. */
  step(input: Input): Effects {
    const stalledMs = this.#clock.observe(input.nowMs, input.kind === 'stalled' ? input.stalledMs : 0)
    const now = this.#clock.own(input.nowMs)
    if (stalledMs >= STALL_MS) this.#recover(stalledMs, now)
    this.#handle(input, now)
    this.#run(now)
    const { sends, events } = this.#outbox.take()
    for (const event of events) this.#noteMember(event)
    return { sends, events, wakeAtMs: this.#clock.wakeAt(this.#nextAt(), input.nowMs) as MonotonicMs | undefined }
  }

  /** This process as it presents itself. */
  get self(): MemberView {
    const { node, state, incarnation } = this.#self.update()
    return { node, state, incarnation, meta: this.#self.meta, by: undefined, refused: false }
  }

  /** What is believed of one other member. */
  member(node: NodeId): MemberView | undefined {
    const member = this.#list.get(node)
    return member === undefined ? undefined : viewOf(member)
  }

  /** All other members, the dead and departed included until they are forgotten. */
  members(): MemberView[] {
    return Array.from(this.#list.values(), viewOf)
  }

  /** How slow this process takes itself to be: 0 (healthy) to 7. */
  get localHealth(): number {
    return this.#health.score
  }

  /** The lengths of everything that is bounded, for metrics and checks. */
  get lengths(): Readonly<Record<'members' | 'rumours' | 'probes' | 'relays' | 'urgentProbes' | 'schedule' | 'seeds', number>> {
    return {
      members: this.#list.size,
      rumours: this.#rumours.length,
      probes: this.#prober.underWay,
      relays: this.#relays.length,
      urgentProbes: this.#urgentProbes.length,
      schedule: this.#schedule.length,
      seeds: this.#seeds.openCount,
    }
  }

  #handle(input: Input, now: number): void {
    switch (input.kind) {
      case 'tick':
      case 'stalled':
        return
      case 'message':
        if (input.from !== this.#self.node) this.#receive(input.message, input.from, now)
        return
      case 'join':
        return this.#synchronizer.join(input.seeds, now)
      case 'unreachable':
        return input.how === 'refused' ? this.#refused(input.to, now) : undefined
      case 'connection_closed':
        return this.#urgentProbes.request(input.node, now)
      case 'load_changed':
        return this.#loadReports.changed(input.loadPercent, this.#beliefs.clusterSize, now)
      case 'meta_changed':
        this.#self.change({ ...this.#self.meta, role: input.role, endpoints: input.endpoints })
        return this.#rumours.tell(this.#self.update(), true)
      case 'leave':
        return this.#leave()
      default:
        return unreachable(input)
    }
  }

  /** What is said in the message is weighed before it is answered, so that the answer already knows it. */
  #receive(message: SwimMessage, from: NodeId, now: number): void {
    this.#list.heard(from, now)
    if (message.kind === 'sync') {
      const contradiction = this.#synchronizer.received(message, from, now)
      return contradiction === undefined ? undefined : this.#contradict(from, [contradiction])
    }
    if (this.#list.get(from) === undefined && !this.#self.leaving) this.#synchronizer.greet(from, now)
    if (message.kind === 'nack') return this.#prober.nacked(message.sequence, from)
    const contradictions = message.updates
      .map(update => this.#membership.apply(update, 'gossip', now))
      .filter(update => update !== undefined)
      .slice(0, CONTRADICTIONS_MAX)
    if (message.kind === 'ping') {
      if (message.target === this.#self.node) this.#answer(from, message, contradictions)
      return
    }
    if (contradictions.length > 0) this.#contradict(from, contradictions)
    if (message.kind === 'ack') this.#prober.acked(message.sequence, from)
    else if (message.kind === 'ping_request') this.#prober.help(message, from, now)
  }

  #answer(from: NodeId, { sequence, reliable }: Ping, first: readonly MemberUpdate[]): void {
    const updates = this.#membership.updatesFor(from, first)
    this.#outbox.send(this.#membership.destination(from), { kind: 'ack', sequence, updates }, reliable)
  }

  /** `to` repeats an outdated accusation: it missed what came after, and nobody may be telling it any more. */
  #contradict(to: NodeId, updates: readonly MemberUpdate[]): void {
    this.#outbox.send(this.#membership.destination(to), { kind: 'gossip', updates: this.#membership.updatesFor(to, updates) })
  }

  /** Evidence only if it was the address the member has now: it may have moved while the connection was tried. */
  #refused(to: Destination, now: number): void {
    const member: Member | undefined = to.node === undefined ? undefined : this.#list.get(to.node)
    const current = member === undefined ? undefined : nativeAddress(member.meta)
    if (member === undefined || current?.host !== to.address?.host || current?.port !== to.address?.port) return
    this.#prober.refused(member.node)
    this.#accusations.refused(member, now)
  }

  #leave(): void {
    if (this.#self.leaving) return
    this.#self.leave()
    this.#gossiper.tellDirectly(this.#self.update(), FAREWELLS_MAX)
    this.#rumours.tell(this.#self.update(), true)
  }

  /** After a pause: others' silence was this process's own, and what it believes is old. */
  #recover(stalledMs: number, now: number): void {
    this.#health.stalled()
    this.#prober.abandonAll(now)
    this.#synchronizer.refresh(now)
    this.#outbox.tell({ kind: 'own_stall', stalledMs })
  }

  #run(now: number): void {
    if (!this.#self.leaving) {
      this.#synchronizer.run(now)
      this.#loadReports.run(this.#beliefs.clusterSize, now)
    }
    if (this.#clock.mayConclude()) {
      if (!this.#self.leaving) this.#prober.run(now)
      if (!this.#synchronizer.refreshing) this.#accusations.expire(now)
      this.#prober.runRelays(now)
    }
    this.#gossiper.run(now)
    if (this.#self.leaving && !this.#farewellSaid && this.#gossiper.nextRoundAt === Number.POSITIVE_INFINITY) {
      this.#farewellSaid = true
      this.#outbox.tell({ kind: 'farewell_said' })
    }
  }

  #nextAt(): number {
    if (this.#self.leaving) return Math.min(this.#gossiper.nextRoundAt, this.#relays.nextAt())
    const expiry = this.#synchronizer.refreshing ? Number.POSITIVE_INFINITY : this.#accusations.nextExpiry()
    return Math.min(expiry, this.#prober.nextAt(), this.#relays.nextAt(), this.#gossiper.nextAt(), this.#synchronizer.nextAt())
  }

  /** Keeps the list of those to be probed and the seeds in step with what is believed. */
  #noteMember(event: SwimEvent): void {
    if (event.kind !== 'member_alive' && event.kind !== 'member_updated') return
    if (event.kind === 'member_alive' && event.previous !== 'suspect') this.#schedule.add(event.member.node)
    const address = nativeAddress(event.member.meta)
    if (address !== undefined) this.#seeds.known(address)
  }
}
