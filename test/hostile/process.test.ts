// A node process and its parent, its files and its signals: what it refuses, what it survives and how it ends.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { logged, type NodeProcess, StateDirectory } from './coordinators.ts'

/** Starts one, waits until it serves. */
async function running(directory: StateDirectory, args?: readonly string[]): Promise<NodeProcess> {
  const node = directory.spawn('coordinator-1', args)
  await node.bound
  await node.openAdmin()
  return node
}

describe('a node process that cannot start', () => {
  it.each([
    [['--no-such-flag'], /no-such-flag/],
    [['--native-port', 'http'], /--native-port: want 0 to 65535, got "http"/],
    [['--node', 'coordinator-9'], /coordinator-9 is no coordinator of .*; it has coordinator-1, coordinator-2, coordinator-3/],
    [['--config', '/nowhere/config.json'], /cannot read \/nowhere\/config\.json: ENOENT/],
  ])('[LC1] says in one line what is wrong with %j, to its parent too, and exits with 2', async (args, message) => {
    await using directory = new StateDirectory()
    const node = directory.spawn('coordinator-1', args)
    expect(await node.ended).toEqual({ code: 2, signal: null })
    expect(node.stderr).toMatch(message)
    expect(node.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(node.told).toEqual([{ kind: 'fatal', message: expect.stringMatching(message) }])
  })

  it('[LC1] exits with 5 when the port it must have is taken', async () => {
    await using directory = new StateDirectory()
    const { port } = await running(directory)
    const second = directory.spawn('coordinator-2', ['--native-port', String(port), '--strict-ports'])
    expect(await second.ended).toEqual({ code: 5, signal: null })
    expect(second.stderr).toBe(`port ${port} on 127.0.0.1 is taken\n`)
    expect(second.told).toEqual([{ kind: 'fatal', message: `port ${port} on 127.0.0.1 is taken`, portTaken: port }])
  })

  it('[LC2] leaves the state of a newer version as it is', async () => {
    await using directory = new StateDirectory()
    const written = '{"format":2,"clusterId":"hostile-1","new":true}'
    writeFileSync(join(directory.path, 'cluster.json'), written)
    const node = directory.spawn('coordinator-1')
    expect((await node.ended).code).toBe(2)
    expect(node.stderr).toContain('newer version')
    expect(readFileSync(join(directory.path, 'cluster.json'), 'utf8')).toBe(written)
    expect(readdirSync(directory.path).toSorted()).toEqual(['cluster.json', 'config.json', 'secret'])
  })
})

describe('a node process that runs', () => {
  it('[LC4] ignores what it does not understand of its parent’s messages', async () => {
    await using directory = new StateDirectory()
    const node = await running(directory)
    for (const message of [{ kind: 'seeds', seeds: 7 }, 'exit', 0, { kind: 'seeds', seeds: [{ host: 'not an address', port: 1 }] }, []])
      node.child.send(message)
    await logged(node, 0, ({ event }) => event === 'parent_not_understood')
    expect((await node.status()).state).toBe('running')
  })

  it('[LC5] ends with 0 after a SIGTERM, its last line written', async () => {
    await using directory = new StateDirectory()
    const node = await running(directory)
    node.child.kill('SIGTERM')
    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect(node.log().at(-1)?.event).toBe('stopped')
    expect(node.stderr).toBe('')
  })

  it('[LC8] says on standard error and in its log what nobody handled, and ends', async () => {
    await using directory = new StateDirectory()
    const preload = join(directory.path, 'bug.mjs')
    writeFileSync(preload, "process.on('message', message => { if (message.kind === 'bug') Promise.reject(new RangeError('a bug')) })\n")
    process.env['NODE_OPTIONS'] = `--import=${JSON.stringify(preload)}`
    const starting = directory.spawn('coordinator-1')
    delete process.env['NODE_OPTIONS']
    await starting.bound
    starting.child.send({ kind: 'bug' })
    expect(await starting.ended).toEqual({ code: 1, signal: null })
    expect(starting.stderr).toContain('RangeError: a bug')
    expect(starting.log().at(-1)).toMatchObject({ level: 'error', event: 'crashed', err: { type: 'RangeError', message: 'a bug' } })
    expect(starting.told.at(-1)).toEqual({ kind: 'fatal', message: 'a bug' })
  })

  it('[LC9] ends at once at a second signal, and not because its parent goes away after the first', async () => {
    await using directory = new StateDirectory()
    const [first, second] = (await directory.cluster(3)) as [NodeProcess, NodeProcess, NodeProcess]
    first.child.kill('SIGTERM')
    first.child.disconnect()
    expect(await first.ended).toEqual({ code: 0, signal: null })
    // Two signals of one kind might arrive as one; its farewell takes longer than the second takes to come.
    second.child.kill('SIGTERM')
    second.child.kill('SIGHUP')
    expect(await second.ended).toEqual({ code: 1, signal: null })
    expect(second.log().at(-1)).toMatchObject({ level: 'error', event: 'stop_forced' })
  })

  it('[LC9] stops in order when its parent goes away', async () => {
    await using directory = new StateDirectory()
    const node = await running(directory)
    node.child.disconnect()
    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect(node.log().find(({ event }) => event === 'stopping')).toMatchObject({ why: 'the parent closed its channel' })
  })

  it('[LG5] goes on when its log cannot be written', async () => {
    await using directory = new StateDirectory()
    // A directory stands where the file should.
    mkdirSync(join(directory.logDirectory(), 'coordinator-1.ndjson'))
    const node = await running(directory)
    for (let i = 0; i < 100; i++) node.child.send({ kind: 'not understood' })
    await node.until('it answers', ({ state }) => state === 'running')
    node.child.kill('SIGTERM')
    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect(existsSync(join(directory.path, 'logs'))).toBe(true)
  })
})
