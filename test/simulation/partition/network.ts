// Directed links that lose, double, delay and so reorder what is sent: worse than what TCP can do, which replicas are to
// survive all the same.
import type { Random } from '@atoll/base'
import type { EventQueue } from '../event-queue.ts'
import type { Packet } from './messages.ts'

export interface LinkQuality {
  readonly loss: number
  readonly duplication: number
  readonly delayMsMax: number
  /** Share of the packets that take up to `lateMsMax` instead. */
  readonly late: number
  readonly lateMsMax: number
}

export const goodLinks: LinkQuality = { loss: 0, duplication: 0, delayMsMax: 1, late: 0, lateMsMax: 0 }

export class Network {
  quality: LinkQuality = goodLinks
  delivered = 0
  readonly #queue: EventQueue
  readonly #random: Random
  readonly #deliver: (packet: Packet) => void
  #isCut: (from: string, to: string) => boolean = () => false

  constructor(queue: EventQueue, random: Random, deliver: (packet: Packet) => void) {
    this.#queue = queue
    this.#random = random
    this.#deliver = deliver
  }

  cut(isCut: (from: string, to: string) => boolean): void {
    this.#isCut = isCut
  }

  heal(): void {
    this.#isCut = () => false
  }

  send(packet: Packet): void {
    if (this.#isCut(packet.from, packet.to) || this.#random.float() < this.quality.loss) return
    this.#transmit(packet)
    if (this.quality.duplication > 0 && this.#random.float() < this.quality.duplication) this.#transmit(packet)
  }

  #transmit(packet: Packet): void {
    const { delayMsMax, late, lateMsMax } = this.quality
    const isLate = late > 0 && this.#random.float() < late
    const delayMs = 0.2 + this.#random.float() * (isLate ? lateMsMax : delayMsMax)
    this.#queue.add(this.#queue.now + delayMs, () => {
      this.delivered++
      this.#deliver(packet)
    })
  }
}
