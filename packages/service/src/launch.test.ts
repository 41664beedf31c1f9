// What a node process accepts at its start: flags and files, and what it says when they are wrong.
import { describe, expect, it } from 'vitest'
import { parseConfig } from './config-schema.ts'
import { LaunchError, type LaunchFlags, readLaunch } from './launch.ts'

const FLAGS: LaunchFlags = { node: 'coordinator-2', state: '/state', config: '/state/config.json' }
const FILES: Readonly<Record<string, string>> = {
  '/state/cluster.json': '{"format":1,"clusterId":"shop-1"}',
  '/state/secret': `${'0af9'.repeat(16)}\n`,
  '/state/config.json': JSON.stringify(parseConfig('{}', 'test')),
}

function launch(flags: Partial<LaunchFlags> = {}, files: Readonly<Record<string, string | undefined>> = {}, role = 'coordinator') {
  const all = { ...FILES, ...files }
  return readLaunch(role, { ...FLAGS, ...flags }, path => {
    const text = all[path]
    if (text === undefined) throw new Error('no such file')
    return text
  })
}

const refusal = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(LaunchError)
    return (error as Error).message
  }
  throw new Error('it was accepted')
}

describe('readLaunch', () => {
  it('[LC1] reads who it is, where it listens and where the others are', () => {
    const { options, logPath, dataPath, seeds } = launch()
    expect(options).toMatchObject({ name: 'coordinator-2', clusterId: 'shop-1', native: { host: '127.0.0.1', port: 7202, strict: false } })
    expect(options.secret).toEqual(Uint8Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? 0x0a : 0xf9)))
    expect(logPath).toBe('/state/logs/coordinator-2.ndjson')
    expect(dataPath).toBe('/state/data/coordinator-2')
    expect(seeds.map(({ port }) => port)).toEqual([7201, 7203, 7301, 7302, 7303])
    expect(launch({ 'native-port': '0', 'strict-ports': true }).options.native).toEqual({ host: '127.0.0.1', port: 0, strict: true })
  })

  it('[LC1] reads where clients find a broker: where the configuration says, or at the port that is given', () => {
    const front = { protocol: 'kafka', host: '127.0.0.1', wanted: 9093, strict: false }
    expect(launch({ node: 'broker-2' }, {}, 'broker').options.fronts).toEqual([{ ...front, port: 9093 }])
    expect(launch({ node: 'broker-2', front: ['kafka=19093'] }, {}, 'broker').options.fronts).toEqual([{ ...front, port: 19_093 }])
    expect(launch().options.fronts).toEqual([])
  })

  it.each(['kafka', 'kafka=', 'kafka=x', 'kafka=70000'])('[LC1] refuses the front door %j', front => {
    expect(refusal(() => launch({ front: [front] }))).toMatch(/^--front/)
  })

  it.each(['node', 'state', 'config'] as const)('[LC1] refuses to start without --%s', flag => {
    expect(refusal(() => launch({ [flag]: undefined }))).toMatch(/^usage: /)
  })

  it.each(['', 'x', '-1', '65536', '1e3', '0x10', ' 80'])('[LC1] refuses port %j', port => {
    expect(refusal(() => launch({ 'native-port': port }))).toContain('want 0 to 65535')
  })

  it('[LC1] refuses a name that the configuration does not have, and says which it has', () => {
    expect(refusal(() => launch({ node: 'coordinator-9' }))).toContain('it has coordinator-1, coordinator-2, coordinator-3')
  })

  it.each(Object.keys(FILES))('[LC1] names %s when it cannot be read', path => {
    expect(refusal(() => launch({}, { [path]: undefined }))).toBe(`cannot read ${path}: no such file`)
  })

  it('[LC1] names the configuration that is no configuration', () => {
    expect(refusal(() => launch({}, { '/state/config.json': '{}' }))).toMatch(/^\/state\/config\.json: \d+ problems/)
    expect(refusal(() => launch({}, { '/state/config.json': '{"host":' }))).toContain('not JSON')
  })

  it('[LC2] refuses the state of a newer version', () => {
    expect(refusal(() => launch({}, { '/state/cluster.json': '{"format":2,"clusterId":"shop-1","more":1}' }))).toContain(
      'newer version (format 2, this version knows 1)',
    )
  })

  it.each(['null', '[]', '"x"', '{', '{"format":"1","clusterId":"a"}', '{"format":1}', '{"format":1,"clusterId":"A b"}', '{"format":0}'])(
    '[LC2] refuses the damaged identity %s',
    text => expect(refusal(() => launch({}, { '/state/cluster.json': text }))).toContain('/state/cluster.json is damaged'),
  )

  it.each(['', 'abcd', 'g'.repeat(32), `${'ab'.repeat(16)}zz`, `${'ab'.repeat(16)}a`])(
    '[LC3] refuses the secret %j without repeating it',
    text => {
      const message = refusal(() => launch({}, { '/state/secret': text }))
      expect(message).toContain('does not hold a secret')
      if (text !== '') expect(message).not.toContain(text)
    },
  )
})
