// The failure detector (SWIM sections 3.1 and 4.3, Lifeguard section IV-A): one member per period is pinged; if it is
// silent, helpers and a reliable ping are tried in the rest of the period; only then is it suspected. Also does the
// same as a helper for others.
import type { NodeId, Random } from '@atoll/base'
import type { Accusations } from './accusations.ts'
import { PROBES_MAX } from './limits.ts'
import type { LocalHealth } from './local-health.ts'
import { isLive, type Member, type MemberList } from './member-list.ts'
import type { Membership } from './membership.ts'
import type { MemberUpdate, PingRequest } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { ProbeSchedule } from './probe-schedule.ts'
import type { Relays } from './relays.ts'
import type { Sequences } from './sequences.ts'
import type { SwimSettings } from './settings.ts'
import type { UrgentProbes } from './urgent-probes.ts'

/** One probe of this process's own. Times are own time. */
interface Probe {
  readonly sequence: number
  readonly target: NodeId
  /** When helpers are asked; infinity once they are. */
  askHelpersAt: number
  /** When the target is suspected. */
  readonly endsAt: number
  helpers: readonly NodeId[]
  readonly nacks: Set<NodeId>
}

export interface ProberParts {
  readonly list: MemberList
  readonly schedule: ProbeSchedule
  readonly urgentProbes: UrgentProbes
  readonly relays: Relays
  readonly membership: Membership
  readonly accusations: Accusations
  readonly health: LocalHealth
  readonly outbox: Outbox
  readonly random: Random
  readonly sequences: Sequences
  readonly settings: SwimSettings
}

export class Prober {
  readonly #parts: ProberParts
  readonly #probes = new Map<number, Probe>()
  readonly #targets = new Set<NodeId>()
  #nextRoundAt: number

  constructor(parts: ProberParts, now: number) {
    this.#parts = parts
    // A random start: processes launched together must not probe together.
    this.#nextRoundAt = now + parts.random.float() * parts.settings.probeIntervalMs
  }

  get underWay(): number {
    return this.#probes.size
  }

  /** Does what is due: new probes, questions to helpers, verdicts. */
  run(now: number): void {
    const { urgentProbes, schedule, settings, health } = this.#parts
    for (const probe of this.#probes.values()) {
      if (now >= probe.endsAt) this.#fail(probe, now)
      else if (now >= probe.askHelpersAt) this.#askHelpers(probe)
    }
    for (const node of urgentProbes.takeDue(now)) this.#start(node, now)
    if (now < this.#nextRoundAt) return
    const probes = Math.max(1, Math.min(settings.probesPerRound, schedule.length))
    const roundMs = probes * settings.probeIntervalMs * health.multiplier
    // Rounds that were missed are not made up for.
    this.#nextRoundAt = Math.max(this.#nextRoundAt + roundMs, now + roundMs / 2)
    for (let probe = 0; probe < probes; probe++) {
      const target = schedule.next(node => this.#probed(node)?.heardAt)
      if (target !== undefined) this.#start(target, now)
    }
  }

  /** When there is something to do again, in own time. */
  nextAt(): number {
    let next = Math.min(this.#parts.schedule.length > 0 ? this.#nextRoundAt : Number.POSITIVE_INFINITY, this.#parts.urgentProbes.nextAt())
    for (const probe of this.#probes.values()) next = Math.min(next, probe.askHelpersAt, probe.endsAt)
    return next
  }

  /** An answer for this process, or for one it helps. */
  acked(sequence: number, from: NodeId): void {
    const { relays, membership, outbox, health } = this.#parts
    const probe = this.#probes.get(sequence)
    if (probe !== undefined) {
      if (from !== probe.target && !probe.helpers.includes(from)) return
      this.#end(probe)
      health.probeSucceeded()
      return
    }
    const relay = relays.answered(sequence, from)
    if (relay === undefined) return
    outbox.send(membership.destination(relay.asker), {
      kind: 'ack',
      sequence: relay.sequence,
      updates: membership.updatesFor(relay.asker),
    })
  }

  nacked(sequence: number, from: NodeId): void {
    const probe = this.#probes.get(sequence)
    if (probe?.helpers.includes(from)) probe.nacks.add(from)
  }

  /** Probes a member for another one. */
  help(request: PingRequest, asker: NodeId, now: number): void {
    const { relays, membership, outbox, settings } = this.#parts
    const relay = relays.add({ asker, sequence: request.sequence, target: request.target, nackAt: now + settings.ackTimeoutMs * 0.8 })
    if (relay === undefined) return
    const known = membership.destination(request.target)
    const address = known.address ?? { host: request.host, port: request.port }
    const updates = membership.updatesFor(request.target)
    outbox.send(
      { node: request.target, address },
      { kind: 'ping', sequence: relay.ownSequence, target: request.target, reliable: false, updates },
    )
  }

  /** Tells those whose target did not answer in time that this process at least is there. */
  runRelays(now: number): void {
    const { relays, membership, outbox } = this.#parts
    for (const relay of relays.takeUnanswered(now)) {
      outbox.send(membership.destination(relay.asker), { kind: 'nack', sequence: relay.sequence })
    }
  }

  /** The connection to `node` was refused: its probe has its answer, and it says nothing about this process. */
  refused(node: NodeId): void {
    for (const probe of this.#probes.values()) if (probe.target === node) this.#end(probe)
  }

  /** This process did not run for a while: whatever its probes found is void. */
  abandonAll(now: number): void {
    this.#probes.clear()
    this.#targets.clear()
    this.#nextRoundAt = Math.min(this.#nextRoundAt, now + this.#parts.random.float() * this.#parts.settings.probeIntervalMs)
  }

  #probed(node: NodeId): Member | undefined {
    const member = this.#parts.list.get(node)
    return member !== undefined && isLive(member) ? member : undefined
  }

  #start(target: NodeId, now: number): void {
    if (this.#targets.has(target) || this.#probes.size >= PROBES_MAX || this.#probed(target) === undefined) return
    const { settings, health, sequences } = this.#parts
    const probe: Probe = {
      sequence: sequences.next(),
      target,
      askHelpersAt: now + settings.ackTimeoutMs * health.multiplier,
      endsAt: now + settings.probeIntervalMs * health.multiplier,
      helpers: [],
      nacks: new Set(),
    }
    this.#probes.set(probe.sequence, probe)
    this.#targets.add(target)
    this.#ping(probe, false)
  }

  #ping(probe: Probe, reliable: boolean): void {
    const { membership, outbox } = this.#parts
    const to = membership.destination(probe.target)
    const updates: readonly MemberUpdate[] = membership.updatesFor(probe.target)
    outbox.send(to, { kind: 'ping', sequence: probe.sequence, target: probe.target, reliable, updates }, reliable)
  }

  /** The direct way may be the one that is broken: around it, and by a stream, which repeats what is lost. */
  #askHelpers(probe: Probe): void {
    const { list, membership, outbox, settings } = this.#parts
    probe.askHelpersAt = Number.POSITIVE_INFINITY
    const { address } = membership.destination(probe.target)
    if (address === undefined) return
    const helpers = list.sampleLive(settings.indirectProbes, member => member.state === 'alive' && member.node !== probe.target)
    probe.helpers = helpers.map(helper => helper.node)
    for (const node of probe.helpers) {
      outbox.send(membership.destination(node), {
        kind: 'ping_request',
        sequence: probe.sequence,
        target: probe.target,
        host: address.host,
        port: address.port,
        updates: membership.updatesFor(node),
      })
    }
    this.#ping(probe, true)
  }

  #fail(probe: Probe, now: number): void {
    this.#end(probe)
    this.#parts.health.probeFailed(probe.helpers.length, probe.nacks.size)
    const member = this.#parts.list.get(probe.target)
    if (member !== undefined) this.#parts.accusations.accuse(member, now)
  }

  #end(probe: Probe): void {
    this.#probes.delete(probe.sequence)
    this.#targets.delete(probe.target)
  }
}
