// Which cluster a command is about.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findTarget, labelOf } from './target.ts'

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'Shop_'))
  mkdirSync(join(home, 'src/deep'), { recursive: true })
  mkdirSync(join(home, 'kept/.atoll/kept'), { recursive: true })
  mkdirSync(join(home, 'src/.atoll'), { recursive: true })
  writeFileSync(join(home, 'kept/.atoll/kept/cluster.json'), '{}')
  writeFileSync(join(home, 'cluster.config.json'), '{}')
  writeFileSync(join(home, 'src/other.json'), '{}')
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

it('is the one of the nearest configuration above, named after its directory; an empty state folder counts for nothing', () => {
  const target = findTarget({}, {}, join(home, 'src/deep'))
  expect(target.configFile).toBe(join(home, 'cluster.config.json'))
  expect(target.name).toMatch(/^shop-[a-z0-9-]+$/)
  expect(target.paths.directory).toBe(join(home, '.atoll', target.name))
})

it('is the one whose state lies nearer, even without a configuration', () => {
  expect(findTarget({}, {}, join(home, 'kept'))).toMatchObject({
    configFile: undefined,
    stateRoot: join(home, 'kept/.atoll'),
    name: 'kept',
  })
})

it('is the one that a flag says, else the environment', () => {
  const env = { ATOLL_NAME: 'second', ATOLL_CONFIG: 'src/other.json' }
  expect(findTarget({}, env, home)).toMatchObject({ name: 'second', nameOrigin: 'environment', stateRoot: join(home, 'src/.atoll') })
  expect(findTarget({ name: 'first', config: 'cluster.config.json' }, env, home)).toMatchObject({
    name: 'first',
    nameOrigin: 'flag',
    stateRoot: join(home, '.atoll'),
  })
})

it('refuses a name that is no label and a file that is not there', () => {
  expect(() => findTarget({ name: 'My Cluster' }, {}, home)).toThrow(/cannot name a cluster/)
  expect(() => findTarget({ config: 'nowhere.json' }, {}, home)).toThrow(/There is no file/)
})

it.each([
  ['My Shop', 'my-shop'],
  ['--x--', 'x'],
  ['日本', 'atoll'],
  ['a'.repeat(80), 'a'.repeat(50)],
])('makes a name of %s', (directory, name) => {
  expect(labelOf(directory)).toBe(name)
})
