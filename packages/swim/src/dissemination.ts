// What there is still to tell (SWIM section 4.1): each update rides on a bounded number of messages, those told least
// first and the newest of them before the others. A log of the cluster's size is enough for an epidemic to reach all.
import type { NodeId } from '@atoll/base'
import { UPDATE_BYTES_MAX, UPDATES_MAX } from './limits.ts'
import type { MemberUpdate } from './messages.ts'
import type { SwimSettings } from './settings.ts'

interface Rumour {
  readonly update: MemberUpdate
  readonly bytes: number
  /** Worth messages of its own; otherwise it only rides on messages that are sent anyway. */
  readonly urgent: boolean
  /** Messages it has ridden on. */
  told: number
}

/**
 * How often one member tells one update: mult x ceil(log10(members + 1)), as memberlist has it, but twice mult below ten
 * members too. With four tellings each, one death in 200 passes a member of eight by, which then waits out its suspicion.
 */
export function tellingsMax(members: number, settings: SwimSettings): number {
  return settings.retransmitMult * Math.max(2, Math.ceil(Math.log10(members + 1)))
}

/** The size of an update in msgpack, rounded up: bounds the messages it rides on. */
export function updateBytes(update: MemberUpdate): number {
  const name = (text: string) => text.length + 2
  const fixed = 3 + name(update.node) + name(update.state) + 9 + (update.by === undefined ? 1 : name(update.by))
  if (update.meta === undefined) return fixed + 1
  const endpoints = update.meta.endpoints.reduce((sum, { protocol, host }) => sum + 4 + name(protocol) + name(host), 3)
  return fixed + 4 + name(update.meta.role) + endpoints
}

/** At most one rumour per member, so the bound on members bounds this too. */
export class Dissemination {
  readonly #rumours = new Map<NodeId, Rumour>()
  /** Rumours by how often they were told; within one list the newest is last. */
  readonly #byTold: Rumour[][] = []
  #urgent = 0

  get length(): number {
    return this.#rumours.size
  }

  /** True while there is something worth a round of gossip. */
  get hasUrgent(): boolean {
    return this.#urgent > 0
  }

  /** Starts telling `update`, in place of whatever was told about that member; what was urgent stays so. */
  tell(update: MemberUpdate, urgent: boolean): void {
    const replaced = this.#rumours.get(update.node)
    this.forget(update.node)
    const rumour: Rumour = { update, bytes: updateBytes(update), urgent: urgent || replaced?.urgent === true, told: 0 }
    this.#rumours.set(update.node, rumour)
    if (rumour.urgent) this.#urgent++
    this.#list(0).push(rumour)
  }

  forget(node: NodeId): void {
    const rumour = this.#rumours.get(node)
    if (rumour === undefined) return
    const list = this.#list(rumour.told)
    list.splice(list.indexOf(rumour), 1)
    this.#drop(rumour)
  }

  /** The updates for one more message that already carries `first`; each counts as told once more. */
  take(tellings: number, first: readonly MemberUpdate[]): MemberUpdate[] {
    if (this.#rumours.size === 0) return [...first]
    const chosen: Rumour[] = []
    let bytes = first.reduce((sum, update) => sum + updateBytes(update), 0)
    for (const list of this.#byTold) {
      for (let index = list.length - 1; index >= 0 && chosen.length + first.length < UPDATES_MAX; index--) {
        const rumour = list[index] as Rumour
        if (bytes + rumour.bytes > UPDATE_BYTES_MAX) continue
        list.splice(index, 1)
        chosen.push(rumour)
        bytes += rumour.bytes
      }
    }
    for (const rumour of chosen) this.#told(rumour, tellings)
    const firstNodes = first.map(update => update.node)
    return [...first, ...chosen.map(rumour => rumour.update).filter(update => !firstNodes.includes(update.node))]
  }

  #told(rumour: Rumour, tellings: number): void {
    rumour.told++
    if (rumour.told >= tellings) this.#drop(rumour)
    else this.#list(rumour.told).push(rumour)
  }

  #drop(rumour: Rumour): void {
    this.#rumours.delete(rumour.update.node)
    if (rumour.urgent) this.#urgent--
  }

  #list(told: number): Rumour[] {
    while (this.#byTold.length <= told) this.#byTold.push([])
    return this.#byTold[told] as Rumour[]
  }
}
