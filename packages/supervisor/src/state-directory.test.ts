// What a cluster keeps on disk: made once, for its owner only, refused when it is newer or damaged.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RememberedPorts } from './remembered-ports.ts'
import {
  clusterNames,
  discardEphemeral,
  establish,
  makeDirectory,
  readIdentity,
  readSecret,
  StateError,
  type StatePaths,
  socketPath,
  statePaths,
} from './state-directory.ts'

let root: string
let paths: StatePaths
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'atoll-state-'))
  paths = statePaths(join(root, 'main'))
  makeDirectory(paths)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('identity and secret', () => {
  it('are made once, and only their owner can read them', () => {
    const identity = establish(paths, 'main', false)
    expect(identity.id).toMatch(/^main-[0-9a-f]{8}$/)
    expect(establish(paths, 'main', true)).toEqual(identity)
    expect(readSecret(paths)).toHaveLength(32)
    expect(statSync(paths.secret).mode & 0o777).toBe(0o600)
    expect(statSync(paths.directory).mode & 0o777).toBe(0o700)
    expect(clusterNames(root)).toEqual(['main'])
  })

  it('fit a cluster id however long the name', () => {
    expect(establish(paths, 'a'.repeat(63), false).id.length).toBeLessThanOrEqual(63)
  })

  it.each([
    ['{"format":2,"clusterId":"main-1"}', /newer version \(format 2/],
    ['{"format":1}', /is damaged/],
    ['{', /is damaged/],
    ['[]', /want a JSON object/],
  ])('%s is refused', (text, sentence) => {
    writeFileSync(paths.identity, text)
    expect(() => readIdentity(paths)).toThrow(StateError)
    expect(() => readIdentity(paths)).toThrow(sentence)
  })

  it('a damaged secret is refused, not replaced', () => {
    establish(paths, 'main', false)
    writeFileSync(paths.secret, 'short')
    expect(() => readSecret(paths)).toThrow(/damaged/)
    establish(paths, 'main', false)
    expect(readFileSync(paths.secret, 'utf8')).toBe('short')
  })
})

it('deletes the rest of an ephemeral cluster and nothing of one that is kept', () => {
  establish(paths, 'main', false)
  discardEphemeral(paths)
  expect(readIdentity(paths)).toBeDefined()
  rmSync(paths.identity)
  establish(paths, 'main', true)
  writeFileSync(join(paths.data, 'rest'), '')
  discardEphemeral(paths)
  expect(readIdentity(paths)).toBeUndefined()
  expect(() => statSync(join(paths.data, 'rest'))).toThrow(/ENOENT/)
})

it('has its socket in a short place when its own path is too long', () => {
  expect(socketPath(statePaths('/srv/.atoll/main'))).toBe('/srv/.atoll/main/control.sock')
  const [one, two] = ['a', 'b'].map(end => socketPath(statePaths(join(root, 'x'.repeat(100) + end))))
  expect(Buffer.byteLength(one!)).toBeLessThan(104)
  expect(one).not.toBe(two)
})

it('remembers a port for as long as the same one is wanted', () => {
  const ports = new RememberedPorts(paths.ports)
  expect(ports.portFor('coordinator-1', 7201)).toBe(7201)
  ports.remember('coordinator-1', 7201, 12_345)
  const again = new RememberedPorts(paths.ports)
  expect(again.portFor('coordinator-1', 7201)).toBe(12_345)
  expect(again.portFor('coordinator-1', 7301)).toBe(7301)
  expect(again.portFor('coordinator-2', 7201)).toBe(7201)
})
