// Metrics in Prometheus's text format.
import { InvariantError } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { Metrics } from './metrics.ts'
import { SimulatedNodes } from './simulated-nodes.ts'

describe('Metrics', () => {
  it('[MT1] writes what each metric is, then its samples', () => {
    const metrics = new Metrics()
    const counter = metrics.counter('atoll_things_total', 'Things done.')
    metrics.gauge('atoll_heap_bytes', 'Heap.', () => 1.5)
    metrics.gauges(
      'atoll_members_count',
      'Members.',
      'state',
      () =>
        new Map([
          ['alive', 2],
          ['dead', 0],
        ]),
    )
    counter.add()
    counter.add(2)
    expect(metrics.text()).toBe(
      [
        '# HELP atoll_things_total Things done.',
        '# TYPE atoll_things_total counter',
        'atoll_things_total 3',
        '# HELP atoll_heap_bytes Heap.',
        '# TYPE atoll_heap_bytes gauge',
        'atoll_heap_bytes 1.5',
        '# HELP atoll_members_count Members.',
        '# TYPE atoll_members_count gauge',
        'atoll_members_count{state="alive"} 2',
        'atoll_members_count{state="dead"} 0',
        '',
      ].join('\n'),
    )
  })

  it('[MT2] escapes label values and help, and spells out what is no number', () => {
    const metrics = new Metrics()
    metrics.gauges(
      'atoll_odd_count',
      'Odd\nones: \\.',
      'name',
      () =>
        new Map([
          ['a"b\\c\nd', Number.POSITIVE_INFINITY],
          ['e', Number.NaN],
          ['f', Number.NEGATIVE_INFINITY],
        ]),
    )
    expect(metrics.text()).toBe(
      [
        '# HELP atoll_odd_count Odd\\nones: \\\\.',
        '# TYPE atoll_odd_count gauge',
        'atoll_odd_count{name="a\\"b\\\\c\\nd"} +Inf',
        'atoll_odd_count{name="e"} NaN',
        'atoll_odd_count{name="f"} -Inf',
        '',
      ].join('\n'),
    )
  })

  it.each(['things_total', 'atoll_things', 'atoll_latency_ms', 'atoll_Things_total', 'atoll_things_total\n'])(
    '[MT3] refuses the name %j',
    name => {
      expect(() => new Metrics().counter(name, 'Things.')).toThrow(InvariantError)
    },
  )

  it('[MT3] refuses a second metric of one name, and a counter that goes down', () => {
    const metrics = new Metrics()
    const counter = metrics.counter('atoll_things_total', 'Things.')
    expect(() => metrics.gauge('atoll_things_total', 'Things.', () => 0)).toThrow(InvariantError)
    expect(() => counter.add(-1)).toThrow(InvariantError)
    expect(() => counter.add(Number.NaN)).toThrow(InvariantError)
  })

  it('[MT4] every process tells its memory, time, stalls, connections and what it believes of the members', async () => {
    const nodes = new SimulatedNodes(3)
    nodes.start(...nodes.names)
    await nodes.run(3_000)
    const text = await nodes.doing(() => nodes.node(nodes.names[0] as never).context.metrics.text())
    for (const name of [
      'process_resident_bytes',
      'process_heap_bytes',
      'process_cpu_seconds_total',
      'process_uptime_seconds',
      'process_stalls_total',
      'process_stalled_seconds_total',
      'native_connections_count',
      'gossip_connections_count',
      'gossip_messages_received_total',
      'gossip_messages_sent_total',
      'gossip_local_health_ratio',
    ])
      expect(text).toMatch(new RegExp(`^atoll_${name} \\d`, 'm'))
    expect(text).toContain('atoll_members_count{state="alive"} 3')
  })
})
