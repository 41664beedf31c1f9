// Directed links that lose, double, delay and so reorder what is sent. Worse than what TCP can do, which the core is to
// survive all the same.
import type { Random } from '@atoll/base'
import type { Envelope } from '@atoll/raft'
import type { EventQueue } from '../event-queue.ts'

/** An envelope and what travels beside it. */
export interface Packet {
  readonly envelope: Envelope
  readonly data: Uint8Array | undefined
}

export interface LinkQuality {
  readonly loss: number
  readonly duplication: number
  readonly delayMsMin: number
  readonly delayMsMax: number
  /** Share of the packets that take up to `lateMsMax` instead. */
  readonly late: number
  readonly lateMsMax: number
}

export const goodLinks: LinkQuality = { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 1, late: 0, lateMsMax: 0 }

export class Network {
  quality: LinkQuality = goodLinks
  delivered = 0
  lost = 0
  readonly #queue: EventQueue
  readonly #random: Random
  readonly #deliver: (to: string, packet: Packet) => void
  #isCut: (from: string, to: string) => boolean = () => false

  constructor(queue: EventQueue, random: Random, deliver: (to: string, packet: Packet) => void) {
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
    const { from, to } = packet.envelope
    if (this.#isCut(from.node, to.node) || this.#random.float() < this.quality.loss) {
      this.lost++
      return
    }
    this.#transmit(to.node, packet)
    if (this.quality.duplication > 0 && this.#random.float() < this.quality.duplication) this.#transmit(to.node, packet)
  }

  #transmit(to: string, packet: Packet): void {
    const { delayMsMin, delayMsMax, late, lateMsMax } = this.quality
    const isLate = late > 0 && this.#random.float() < late
    const delayMs = delayMsMin + this.#random.float() * ((isLate ? lateMsMax : delayMsMax) - delayMsMin)
    this.#queue.add(this.#queue.now + delayMs, () => {
      this.delivered++
      this.#deliver(to, packet)
    })
  }
}
