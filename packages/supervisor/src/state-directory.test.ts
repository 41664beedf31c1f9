// What a cluster keeps on disk: made once, for its owner only, refused when it is newer or damaged.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { RememberedPorts } from './remembered-ports.ts'
import {
  clusterNames,
  discardEphemeral,
  establish,
  makeDirectory,
  makeOwnDirectory,
  makeSocketDirectory,
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
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true, force: true })
})

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
    ['[]', /is damaged/],
  ])('%s is refused', (text, sentence) => {
    writeFileSync(paths.identity, text)
    expect(() => readIdentity(paths)).toThrow(StateError)
    expect(() => readIdentity(paths)).toThrow(sentence)
  })

  it('a damaged secret is refused, not replaced', () => {
    establish(paths, 'main', false)
    writeFileSync(paths.secret, 'short')
    expect(() => readSecret(paths)).toThrow(/does not hold a secret/)
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

it('takes a short place for its socket from XDG_RUNTIME_DIR when that is usable', () => {
  const long = statePaths(join(root, 'x'.repeat(100)))
  expect(socketPath(long, { XDG_RUNTIME_DIR: '/run/user/7' })).toMatch(/^\/run\/user\/7\/atoll-[0-9a-f]{16}\.sock$/)
  for (const unusable of ['', 'relative/path', `/${'y'.repeat(100)}`])
    expect(socketPath(long, { XDG_RUNTIME_DIR: unusable })).toBe(socketPath(long, {}))
})

it('puts its socket only where nobody else has a hand in it', () => {
  vi.stubEnv('TMPDIR', root)
  const socket = socketPath(statePaths(join(root, 'x'.repeat(100))), {})
  expect(socket.startsWith(root)).toBe(true)
  makeSocketDirectory(socket)
  expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700)
  chmodSync(dirname(socket), 0o755)
  expect(() => makeSocketDirectory(socket)).toThrow(/only you can use/)
  rmdirSync(dirname(socket))
  mkdirSync(join(root, 'elsewhere'), { mode: 0o700 })
  symlinkSync(join(root, 'elsewhere'), dirname(socket))
  expect(() => makeSocketDirectory(socket)).toThrow(StateError)
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

it('says where a directory cannot be made, and does not try for ever', () => {
  const blocked = join(root, 'a file')
  writeFileSync(blocked, '')
  expect(() => makeOwnDirectory(join(blocked, 'state', 'logs'))).toThrow(/a file.state cannot be made \(ENOTDIR\)/)
  // A file system that answers "no such file" although the parent is there.
  if (process.platform === 'linux') expect(() => makeOwnDirectory('/proc/atoll/logs')).toThrow(/\/proc\/atoll cannot be made \(ENOENT\)/)
})
