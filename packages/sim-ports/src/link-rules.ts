// The link rules of the whole simulated network, with what depends on them looked up once per pair and table.
import type { LinkFault, LinkRule, NodeId } from '@atoll/base'
import { assert, faultOn, Throttle } from '@atoll/base'

const RULES_MAX = 4_096

export class LinkRules {
  #rules: readonly LinkRule[] = []
  readonly #faults = new Map<string, LinkFault | undefined>()
  readonly #throttles = new Map<string, Throttle>()

  replace(rules: readonly LinkRule[]): void {
    assert(rules.length <= RULES_MAX, 'at most 4,096 link rules')
    this.#rules = [...rules]
    this.#faults.clear()
  }

  fault(from: NodeId, to: NodeId): LinkFault | undefined {
    if (this.#rules.length === 0) return undefined
    const link = `${from}>${to}`
    if (!this.#faults.has(link)) this.#faults.set(link, faultOn(this.#rules, from, to))
    return this.#faults.get(link)
  }

  /** A handshake needs both directions. */
  isCut(a: NodeId, b: NodeId): boolean {
    return this.fault(a, b)?.cut === true || this.fault(b, a)?.cut === true
  }

  /** Bandwidth belongs to the link, so that all connections over it share one. */
  throttle(from: NodeId, to: NodeId): Throttle {
    const link = `${from}>${to}`
    let throttle = this.#throttles.get(link)
    if (throttle === undefined) {
      throttle = new Throttle()
      this.#throttles.set(link, throttle)
    }
    return throttle
  }
}
