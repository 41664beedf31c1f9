// Values and where they are from, and what differs between two configurations.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { CommandError } from './exit-codes.ts'
import { type ConfigOptions, configChanges, resolveConfig } from './resolved-config.ts'
import { findTarget } from './target.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'atoll-config-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const resolved = (text: string, options: ConfigOptions = {}, env: NodeJS.ProcessEnv = {}) => {
  writeFileSync(join(home, 'cluster.config.json'), text)
  return resolveConfig(findTarget({}, {}, home), options, env)
}

it('puts a flag over the environment over the file over the defaults', () => {
  const { config, origins } = resolved('{"logs":{"level":"debug"}}', { portOffset: '10' }, { ATOLL_PORT_OFFSET: '20' })
  expect(config.roles.coordinator.nativePort).toBe(7211)
  expect(origins.get('roles.coordinator.nativePort')).toBe('flag')
  expect(origins.get('logs.level')).toBe('file')
  expect(origins.get('logs.filesMax')).toBe('default')
  expect(resolved('{}', {}, { ATOLL_PORT_OFFSET: '20' }).config.roles.coordinator.nativePort).toBe(7221)
})

it('names every problem, and an offset past the last port', () => {
  expect(() => resolved('{"host":"0.0.0.0","bogus":1}')).toThrow(CommandError)
  try {
    resolved('{"host":"0.0.0.0","bogus":1}')
  } catch (error) {
    expect((error as CommandError).details).toHaveLength(2)
  }
  expect(() => resolved('{}', { portOffset: '60000' })).toThrow(/cannot be used/)
  expect(() => resolved('{}', { portOffset: 'x' })).toThrow(/port offset/)
})

it('runs only a part of the cluster and its coordinators', () => {
  const { plan, origins } = resolved('{"roles":{"broker":{"count":2}}}', { only: 'log' })
  expect(Map.groupBy(plan, ({ role }) => role).size).toBe(2)
  expect(origins.get('roles.broker.count')).toBe('file')
  expect(() => resolved('{}', { only: 'moon' })).toThrow("these parts: log; not 'moon'")
})

it('is read again as what it was written', () => {
  const { text, config } = resolved('{"gossip":{"probeIntervalMs":50}}')
  expect(resolved(text).config).toEqual(config)
  expect(configChanges(text, resolved('{"gossip":{"probeIntervalMs":60}}').text)).toEqual([
    { key: 'gossip.probeIntervalMs', before: 50, after: 60 },
  ])
  expect(configChanges(text, text)).toEqual([])
})
