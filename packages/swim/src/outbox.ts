// What one step decided to do, collected until the step is over.
import type { Destination, Send, SwimEvent } from './effects.ts'
import type { SwimMessage } from './messages.ts'

export class Outbox {
  #sends: Send[] = []
  #events: SwimEvent[] = []

  /** Not `reliable`: lost, doubled or reordered is all right. */
  send(to: Destination, message: SwimMessage, reliable = false): void {
    this.#sends.push({ to, message, reliable })
  }

  tell(event: SwimEvent): void {
    this.#events.push(event)
  }

  /** Everything since the last call. */
  take(): { readonly sends: readonly Send[]; readonly events: readonly SwimEvent[] } {
    const taken = { sends: this.#sends, events: this.#events }
    this.#sends = []
    this.#events = []
    return taken
  }
}
