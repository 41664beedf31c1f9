// Metrics of one process in Prometheus's text format 0.0.4. A name ends in its unit (`_bytes`, `_seconds`, `_ratio`) or
// in `_total` for what is counted; anything else is refused where it is made.
import { assert } from '@atoll/base'

const NAME = /^atoll_[a-z0-9_]+_(total|bytes|seconds|ratio|count)$/

type Labels = Readonly<Record<string, string>>

/** Only ever goes up. */
export interface Counter {
  add(amount?: number): void
}

interface Metric {
  readonly name: string
  readonly kind: 'counter' | 'gauge'
  readonly doc: string
  readonly samples: () => readonly { readonly labels: Labels; readonly value: number }[]
}

export class Metrics {
  readonly #metrics = new Map<string, Metric>()

  /** A counter without labels; its name ends in `_total`, or in the unit it counts before that. */
  counter(name: string, doc: string): Counter {
    let value = 0
    this.#add({ name, kind: 'counter', doc, samples: () => [{ labels: {}, value }] })
    return {
      add(amount = 1) {
        assert(amount >= 0, 'a counter only goes up')
        value += amount
      },
    }
  }

  /** Something counted elsewhere, read when asked. */
  counted(name: string, doc: string, read: () => number): void {
    this.#add({ name, kind: 'counter', doc, samples: () => [{ labels: {}, value: read() }] })
  }

  /** A value that goes up and down, read when asked. */
  gauge(name: string, doc: string, read: () => number): void {
    this.#add({ name, kind: 'gauge', doc, samples: () => [{ labels: {}, value: read() }] })
  }

  /** One gauge per value of a label, read when asked. */
  gauges(name: string, doc: string, label: string, read: () => ReadonlyMap<string, number>): void {
    this.#add({ name, kind: 'gauge', doc, samples: () => Array.from(read(), ([key, value]) => ({ labels: { [label]: key }, value })) })
  }

  /** The text exposition of all metrics. */
  text(): string {
    const lines: string[] = []
    for (const { name, kind, doc, samples } of this.#metrics.values()) {
      lines.push(`# HELP ${name} ${escaped(doc)}`, `# TYPE ${name} ${kind}`)
      for (const { labels, value } of samples()) lines.push(`${name}${labelText(labels)} ${numberText(value)}`)
    }
    return `${lines.join('\n')}\n`
  }

  #add(metric: Metric): void {
    assert(NAME.test(metric.name), `${metric.name} begins with atoll_ and ends in its unit`)
    assert(!this.#metrics.has(metric.name), `${metric.name} is one metric`)
    this.#metrics.set(metric.name, metric)
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value).replaceAll('"', '\\"')}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Math.abs(value) === Number.POSITIVE_INFINITY) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}
