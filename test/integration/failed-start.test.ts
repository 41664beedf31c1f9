// Starts that fail, with coordinators that misbehave in one way each: what is said, which exit code, and that nothing stays.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { allGone, root, TestCluster } from './cluster-fixture.ts'

/** Programs of this checkout but for the coordinator, which does what `coordinator.mjs` is made to say. */
const checkout = realpathSync(mkdtempSync(join(tmpdir(), 'atoll-programs-')))
const programs = join(checkout, 'dist')

function coordinatorThat(source: string): void {
  writeFileSync(join(programs, 'coordinator.mjs'), source)
}

const bound = `process.send({ kind: 'bound', endpoints: [{ protocol: 'native', host: '127.0.0.1', port: 1, wanted: 1 }] })
process.send({ kind: 'running' })
process.on('disconnect', () => process.exit(0))
setInterval(() => {}, 1000)`

describe('a start that fails', () => {
  let cluster: TestCluster
  beforeAll(() => {
    mkdirSync(programs)
    for (const name of readdirSync(join(root, 'dist')))
      if (/^(cli|supervisor)\..*mjs$/.test(name)) copyFileSync(join(root, 'dist', name), join(programs, name))
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
  })
  afterAll(() => rmSync(checkout, { recursive: true, force: true }))
  beforeEach(async () => {
    cluster = await TestCluster.create({ count: 2, programs, config: { shutdownGraceMs: 500 } })
  })
  afterEach(() => cluster.remove())

  it('shows the last lines of the node that failed, where the rest is, and what to try', async () => {
    coordinatorThat(`for (let i = 1; i <= 30; i++) console.error('line ' + i)
process.exit(process.argv.includes('coordinator-2') ? 1 : 0)`)
    const { code, stderr, stdout } = await cluster.run('up', '-d')
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain('coordinator-2 failed: exit code 1')
    expect(stderr).toMatch(/\| line 11\n(.*\n){18}.*\| line 30\n/)
    expect(stderr).not.toContain('| line 10\n')
    expect(stderr).toContain(`Its output: ${join(cluster.paths.logs, 'coordinator-2.stderr')}`)
    expect(stderr).toContain('Try: cluster logs coordinator-1, or cluster doctor')
    expect((await cluster.run('status')).code).toBe(3)
  })

  it('keeps what was started with --retain', async () => {
    coordinatorThat(`if (process.argv.includes('coordinator-2')) throw new Error('broken on purpose')
${bound}`)
    const { code, stderr } = await cluster.run('up', '-d', '--retain')
    expect(code).toBe(1)
    expect(stderr).toContain('broken on purpose')
    expect((await cluster.status()).nodes.map(({ state }) => state)).toEqual(['running', 'failed'])
  })

  it('gives up after --timeout with 6, says what is missing, and stops what was started', async () => {
    coordinatorThat(bound)
    const up = cluster.start(['up', '-d', '--timeout', '1'])
    await up.says(/Waiting/)
    const { code, stderr } = await up.finished()
    expect(code).toBe(6)
    expect(stderr).toContain('Cluster main was not ready within 1 s.')
    expect(stderr).toContain('coordinator-1 does not answer')
    expect((await cluster.run('status')).code).toBe(3)
  })

  it('does not wait with --no-wait, and tells the truth about it later', async () => {
    coordinatorThat(bound)
    expect((await cluster.run('up', '-d', '--no-wait')).code).toBe(0)
    const { ready, running, unready } = await cluster.status()
    expect({ ready, running }).toEqual({ ready: false, running: true })
    expect(unready.length).toBeGreaterThan(0)
  })

  it('ends a node that does not stop in time by force', async () => {
    coordinatorThat(`process.on('SIGTERM', () => {})\n${bound}`)
    await cluster.ok('up', '-d', '--no-wait')
    await cluster.until(({ nodes }) => nodes.map(({ state }) => state), ['running', 'running'])
    const processes = await cluster.processes()
    await cluster.ok('down')
    await allGone(processes, 0)
  })

  it('a second Ctrl-C ends at once what the first would wait for', async () => {
    cluster.configure({ shutdownGraceMs: 60_000 })
    coordinatorThat(`process.on('SIGTERM', () => console.error('asked to stop'))\n${bound}`)
    const up = cluster.start(['up', '--no-wait'])
    await up.says(/is starting/)
    await cluster.until(({ nodes }) => nodes.map(({ state }) => state), ['running', 'running'])
    const processes = await cluster.processes()
    up.signal('SIGINT')
    await cluster.until(({ nodes }) => nodes.map(({ state }) => state), ['stopping', 'stopping'])
    up.signal('SIGINT')
    expect((await up.finished()).code).toBe(0)
    await allGone(processes, 0)
  })

  it('command line killed during an ordered stop: what is left goes at once, not after its grace', async () => {
    cluster.configure({ shutdownGraceMs: 60_000 })
    coordinatorThat(`process.on('SIGTERM', () => {})\n${bound.replace("process.on('disconnect', () => process.exit(0))", '')}`)
    const up = cluster.start(['up', '--no-wait'])
    await up.says(/is starting/)
    await cluster.until(({ nodes }) => nodes.map(({ state }) => state), ['running', 'running'])
    const processes = await cluster.processes()
    up.signal('SIGINT')
    await cluster.until(({ nodes }) => nodes.map(({ state }) => state), ['stopping', 'stopping'])
    up.signal('SIGKILL')
    await allGone(processes)
  })

  it('cannot run a program that is not there', async () => {
    rmSync(join(programs, 'coordinator.mjs'))
    const { code, stderr } = await cluster.run('up', '-d')
    expect(code).toBe(1)
    expect(stderr).toContain('coordinator.mjs')
  })
})

describe('a supervisor that says nothing', () => {
  it('does not keep Ctrl-C from ending the start', async () => {
    const mute = realpathSync(mkdtempSync(join(tmpdir(), 'atoll-mute-')))
    for (const name of readdirSync(join(root, 'dist')))
      if (/^cli\..*mjs$/.test(name)) copyFileSync(join(root, 'dist', name), join(mute, name))
    // Bundles leave one native module out, which they find beside them.
    symlinkSync(join(root, 'node_modules'), join(mute, 'node_modules'))
    const heard = join(mute, 'heard')
    writeFileSync(
      join(mute, 'supervisor.mjs'),
      `import { writeFileSync } from 'node:fs'
process.on('disconnect', () => process.exit(0))
process.on('message', () => writeFileSync(${JSON.stringify(heard)}, String(process.pid)))`,
    )
    await using cluster = await TestCluster.create({ count: 1, programs: mute })
    const up = cluster.start(['up', '-d'])
    await expect.poll(() => existsSync(heard), { timeout: 10_000, interval: 10 }).toBe(true)
    up.signal('SIGINT')
    expect(await up.finished()).toMatchObject({ code: 130, stdout: '', stderr: expect.stringContaining('nothing runs') as string })
    rmSync(mute, { recursive: true, force: true })
  })
})

describe('a single node', () => {
  it('runs in the foreground, finds the others, and stops on TERM', async () => {
    await using cluster = await TestCluster.create({ count: 2 })
    const first = cluster.start(['node', 'run', 'coordinator-1'])
    await first.says(new RegExp(`Listening for native on 127.0.0.1:${cluster.ports[0]}`))
    const second = cluster.start(['node', 'run', 'coordinator-2', '--join', `127.0.0.1:${cluster.ports[0]}`])
    await second.says(/Listening/)
    await expect
      .poll(async () => await cluster.ok('logs', 'coordinator-1', '--grep', 'coordinator-2'), { timeout: 5_000 })
      .toContain('a member is alive member=coordinator-2')
    const refused = await cluster.run('node', 'run', 'coordinator-3')
    expect(refused.code).toBe(8)
    for (const command of [['node', 'run', 'coordinator-1'], ['up', '-d'], ['down'], ['down', '--volumes']]) {
      const { code, stderr } = await cluster.run(...command)
      expect({ command, code, stderr }).toMatchObject({ code: 5, stderr: expect.stringContaining(`rocess ${first.pid} `) as string })
    }
    first.signal('SIGTERM')
    second.signal('SIGTERM')
    expect([(await first.finished()).code, (await second.finished()).code]).toEqual([0, 0])
  })
})
