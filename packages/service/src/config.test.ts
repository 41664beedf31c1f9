// Configurations: what is taken, what is refused and how it is said.
import { describe, expect, it } from 'vitest'
import { ConfigError, plannedNodes, resolvedConfig } from './config.ts'
import { configPage } from './config-page.ts'
import { configSchema, parseConfig } from './config-schema.ts'

const problemsOf = (parse: () => unknown): readonly string[] => {
  try {
    parse()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}
const problems = (value: unknown): readonly string[] => problemsOf(() => parseConfig(JSON.stringify(value), 'test.json'))

describe('parseConfig', () => {
  it('[CF1] an empty object is a whole configuration', () => {
    const config = parseConfig('{}', 'test.json')
    expect(plannedNodes(config).map(({ name, nativePort }) => `${name}:${nativePort}`)).toEqual([
      'coordinator-1:7201',
      'coordinator-2:7202',
      'coordinator-3:7203',
      'broker-1:7301',
      'broker-2:7302',
      'broker-3:7303',
    ])
    expect(plannedNodes(config).flatMap(({ fronts }) => fronts)).toEqual([9092, 9093, 9094].map(port => ({ protocol: 'kafka', port })))
    expect(parseConfig(JSON.stringify(config), 'again')).toEqual(config)
  })

  it('[CF2] names every problem of a file at once, each with its place', () => {
    const found = problems({
      gossip: { probeIntervalMs: 'often', suspicionMsMin: 1 },
      logs: { level: 'loud' },
      roles: { coordinator: { count: 99 } },
    })
    expect(found.map(problem => problem.split(':')[0])).toEqual([
      'roles.coordinator.count',
      'gossip.probeIntervalMs',
      'gossip.suspicionMsMin',
      'logs.level',
    ])
    expect(() => parseConfig('{"faults": 1, "host": 2}', 'my.json')).toThrow(/^my\.json: 2 problems\n/)
  })

  it('[CF2] names what only two settings together show beside what one shows alone', () => {
    const found = problems({
      host: '10.0.0.1',
      gossip: { probeIntervalMs: 500, suspicionMsMin: 600 },
      roles: { coordinator: { nativePort: 65_535 }, broker: { kafkaPort: 7_302 } },
    })
    expect(found.map(problem => problem.split(':')[0])).toEqual([
      'host',
      'roles.coordinator.nativePort',
      'roles.coordinator.nativePort',
      'roles.broker.nativePort',
      'roles.broker.nativePort',
      'gossip.suspicionMsMin',
    ])
  })

  it('[CF2] says that a file is not JSON', () => {
    expect(problemsOf(() => parseConfig('{ "host" ', 'test.json'))[0]).toMatch(/^not JSON: /)
    expect(problems([])).toHaveLength(1)
    expect(problems(null)).toHaveLength(1)
  })

  it('[CF3] refuses settings it does not know, by name', () => {
    expect(problems({ hots: '127.0.0.1', gossip: { probe: 1, floor: 2 } })).toEqual([
      'gossip: unknown settings "probe", "floor"',
      'the file: unknown setting "hots"',
    ])
    expect(problems(JSON.parse('{"__proto__": {"faults": true}}'))).toHaveLength(1)
  })

  it.each(['127.0.0.1', '127.255.0.9', '::1'])('[CF4] listens on the loopback address %s', host => {
    expect(problems({ host })).toEqual([])
  })

  it.each(['0.0.0.0', '::', '10.0.0.1', 'localhost', '127.1', '127.0.0.256', '127.0.0.01', '127.0.0.1.5', ' 127.0.0.1', ''])(
    '[CF4] refuses to listen on %j',
    host => expect(problems({ host })[0]).toMatch(/^host: want a loopback address/),
  )

  it('[CF5] refuses a native port past 65535', () => {
    expect(problems({ roles: { coordinator: { count: 3, nativePort: 65_534 } } })).toEqual([
      'roles.coordinator.nativePort: coordinator-3 would need port 65536, past 65535',
    ])
  })

  it('[CF6] refuses a suspicion too short for two probes', () => {
    expect(problems({ gossip: { probeIntervalMs: 500, suspicionMsMin: 999 } })).toHaveLength(1)
    expect(problems({ gossip: { probeIntervalMs: 500, suspicionMsMin: 1_000 } })).toEqual([])
  })
})

describe('resolvedConfig', () => {
  it('[CF7] takes what the schema made', () => {
    const config = parseConfig('{"roles":{"coordinator":{"count":5}}}', 'test.json')
    expect(resolvedConfig(JSON.stringify(config), 'resolved.json')).toEqual(config)
  })

  it('[CF7] refuses a file that was not resolved, naming all that is missing', () => {
    expect(problemsOf(() => resolvedConfig('{"host":"127.0.0.1","faults":true,"roles":{"coordinator":{"count":"3"}}}', 'x'))).toEqual([
      'roles.coordinator.count: want a number, found "3"',
      'roles.coordinator.nativePort: want a number, found nothing',
      'roles.broker: want an object',
      'gossip: want an object',
      'logs: want an object',
      'shutdownGraceMs: want a number, found nothing',
      'stallWarnMs: want a number, found nothing',
    ])
    expect(problemsOf(() => resolvedConfig('null', 'x'))).toEqual(['the file: want an object'])
    expect(problemsOf(() => resolvedConfig('', 'x'))).toHaveLength(1)
  })
})

describe('configPage', () => {
  it('[CF8] has a row for every setting, with its default', () => {
    const leaves = (value: unknown, path: string): string[] =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([name, inner]) => leaves(inner, path === '' ? name : `${path}.${name}`))
        : [path]
    const page = configPage()
    for (const path of leaves(configSchema.parse({}), '')) expect(page).toContain(`| \`${path}\` |`)
    expect(page).toContain('| `logs.level` | `debug`, `info`, `warn`, `error` | `"info"` |')
  })
})
