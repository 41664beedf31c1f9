// Whoever dies, nothing is left behind: launcher, command line, supervisor, test runner, with one node paused each time,
// since a paused process can notice nothing by itself.
import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identify, isRunning, type ProcessIdentity, socketPath } from '@atoll/supervisor'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allGone, Running, root, TestCluster } from './cluster-fixture.ts'

describe('deaths', () => {
  let cluster: TestCluster
  beforeEach(async () => {
    cluster = await TestCluster.create()
  })
  afterEach(() => cluster.remove())

  /** The processes of a running cluster, one of them paused. */
  async function withOnePaused(): Promise<readonly ProcessIdentity[]> {
    const processes = await cluster.processes()
    expect(processes).toHaveLength(5)
    await cluster.ok('pause', 'coordinator-2')
    return processes
  }

  it('command line killed: the cluster goes with it', async () => {
    const up = cluster.start(['up'])
    await up.says(/is ready/)
    const processes = await withOnePaused()
    up.signal('SIGKILL')
    await allGone(processes)
    expect((await cluster.run('status')).code).toBe(3)
  })

  it('command line killed while it starts a detached cluster: the cluster goes with it', async () => {
    const up = cluster.start(['up', '-d'])
    await up.says(/Preparing/)
    await expect.poll(() => existsSync(cluster.paths.processes), { interval: 5 }).toBe(true)
    up.signal('SIGKILL')
    await up.finished()
    await cluster.until(({ running }) => running, false)
    const doctor = await cluster.json<{ findings: { message: string }[] }>('doctor')
    expect(doctor.findings.filter(({ message }) => message.includes('left these processes'))).toEqual([])
  })

  it('launcher killed: the cluster goes with it', async () => {
    const launcher = new Running(
      spawn(process.execPath, [join(root, 'scripts/cluster.mjs'), 'up', '--name', 'main'], {
        cwd: cluster.directory,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    await launcher.says(/is ready/)
    const processes = await withOnePaused()
    launcher.signal('SIGKILL')
    await allGone(processes)
  })

  it('test runner killed: launcher, command line and cluster go with it', async () => {
    const script = join(cluster.directory, 'runner.mjs')
    writeFileSync(
      script,
      `import { spawn } from 'node:child_process'
const child = spawn(process.execPath, [${JSON.stringify(join(root, 'scripts/cluster.mjs'))}, 'up', '--name', 'main'], { stdio: 'inherit' })
console.log('launcher', child.pid)`,
    )
    const runner = new Running(spawn(process.execPath, [script], { cwd: cluster.directory, stdio: ['ignore', 'pipe', 'pipe'] }))
    const launcher = identify(Number((await runner.says(/launcher (\d+)/))[1]))
    await runner.says(/is ready/)
    const processes = await withOnePaused()
    runner.signal('SIGKILL')
    await allGone([...processes, launcher!])
  })

  it('supervisor killed: the reaper ends every node, and the next start finds nothing to clean', async () => {
    await cluster.ok('up', '-d')
    const processes = await withOnePaused()
    process.kill((await cluster.status()).supervisor!.pid, 'SIGKILL')
    await allGone(processes)
    expect((await cluster.run('status')).code).toBe(3)
    const again = await cluster.run('up', '-d')
    expect(again).toMatchObject({ code: 0, stderr: expect.not.stringContaining('left behind') as string })
  })

  it('supervisor killed under a foreground command: the command says so and fails', async () => {
    const up = cluster.start(['up'])
    await up.says(/is ready/)
    const processes = await cluster.processes()
    process.kill((await cluster.status()).supervisor!.pid, 'SIGKILL')
    expect(await up.finished()).toMatchObject({ code: 1, stderr: expect.stringContaining('supervisor was killed') as string })
    await allGone(processes)
  })

  it('reaper killed: another one takes its place', async () => {
    await cluster.ok('up', '-d')
    const reaper = () => cluster.listed('reaper')
    const first = reaper()
    process.kill(first!.pid, 'SIGKILL')
    await expect.poll(() => reaper()?.pid !== first!.pid && reaper() !== undefined, { timeout: 5_000, interval: 20 }).toBe(true)
    const processes = await withOnePaused()
    process.kill((await cluster.status()).supervisor!.pid, 'SIGKILL')
    await allGone(processes)
  })

  it('reaper and supervisor killed at once: the nodes notice, and the next start ends the paused one', async () => {
    await cluster.ok('up', '-d')
    const supervisor = (await cluster.status()).supervisor!.pid
    const reaper = cluster.listed('reaper')!.pid
    const paused = identify((await cluster.node('coordinator-2')).pid!)!
    const processes = await withOnePaused()
    // Stopped first, so that it cannot replace the reaper.
    process.kill(supervisor, 'SIGSTOP')
    process.kill(reaper, 'SIGKILL')
    process.kill(supervisor, 'SIGKILL')
    await allGone(processes.filter(({ pid }) => pid !== paused.pid))
    expect(isRunning(paused)).toBe(true)
    const doctor = await cluster.run('doctor')
    expect(doctor.stdout).toContain(`left these processes: coordinator-2 (${paused.pid})`)
    const { code, stderr } = await cluster.run('up', '-d')
    expect({ code, cleaned: stderr.includes('left behind: coordinator-2') }).toEqual({ code: 0, cleaned: true })
    expect(isRunning(paused)).toBe(false)
  })

  it('command line of a single node killed: the node goes with it, paused or not', async () => {
    const alone = cluster.start(['node', 'run', 'coordinator-1'])
    await alone.says(/Listening for native/)
    const started = JSON.parse((await cluster.ok('logs', 'coordinator-1', '--json')).split('\n')[0]!) as { pid: number }
    const node = identify(started.pid)!
    process.kill(node.pid, 'SIGSTOP')
    alone.signal('SIGKILL')
    await allGone([node])
    // What it held is free again.
    await cluster.ok('up', '-d')
  })

  it('supervisor hangs: the second Ctrl-C ends the cluster all the same', async () => {
    // Longer than this test may take.
    cluster.configure({ shutdownGraceMs: 100_000 })
    const up = cluster.start(['up', '--progress', 'json'])
    await up.says(/is ready/)
    const processes = await cluster.processes()
    process.kill((await cluster.status()).supervisor!.pid, 'SIGSTOP')
    up.signal('SIGINT')
    // Two signals that come too close are one.
    await up.says(/"Stopping cluster main","outcome":"begun"/)
    up.signal('SIGINT')
    const { code, stderr } = await up.finished()
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('did not answer and was killed') as string })
    await allGone(processes)
  })

  it('leftovers are cleaned by the doctor when asked to', async () => {
    await cluster.ok('up', '-d', '--ephemeral')
    const processes = await cluster.processes()
    process.kill((await cluster.status()).supervisor!.pid, 'SIGKILL')
    await allGone(processes)
    expect((await cluster.run('doctor')).stdout).toContain('left its ephemeral state')
    expect((await cluster.run('doctor', '--fix')).stdout).toContain('cleaned up')
    expect(existsSync(cluster.paths.directory)).toBe(false)
  })

  it('a socket that stayed is deleted by the doctor, too', async () => {
    await cluster.ok('up', '-d')
    const processes = await cluster.processes()
    process.kill((await cluster.status()).supervisor!.pid, 'SIGKILL')
    await allGone(processes)
    expect(existsSync(socketPath(cluster.paths))).toBe(true)
    expect((await cluster.run('doctor', '--fix')).stdout).toContain('cleaned up')
    expect(existsSync(socketPath(cluster.paths))).toBe(false)
    expect((await cluster.run('doctor')).stdout).toContain('nothing is left behind')
  })

  it('Ctrl-C stops the cluster in order and exits with 0', async () => {
    const up = cluster.start(['up'])
    await up.says(/is ready/)
    const processes = await cluster.processes()
    up.signal('SIGINT')
    const { code, stderr } = await up.finished()
    expect(code).toBe(0)
    expect(stderr).toContain('Stopping cluster main')
    expect(stderr).toContain('Data stays in')
    await allGone(processes, 0)
    expect(await cluster.ok('logs', 'coordinator-1', '--grep', 'stopping')).toContain('stopping')
  })

  it('Ctrl-C before the cluster is ready exits with 130 and leaves nothing', async () => {
    const up = cluster.start(['up', '-d'])
    await up.says(/Preparing/)
    up.signal('SIGINT')
    const { code } = await up.finished()
    expect(code).toBe(130)
    expect((await cluster.run('status')).code).toBe(3)
  })

  it('TERM ends the cluster, too, and says 143', async () => {
    const up = cluster.start(['up'])
    await up.says(/is ready/)
    const processes = await withOnePaused()
    up.signal('SIGTERM')
    expect((await up.finished()).code).toBe(143)
    await allGone(processes, 0)
  })

  it('a cluster that is stopped from elsewhere ends the foreground with 0', async () => {
    const up = cluster.start(['up'])
    await up.says(/is ready/)
    await cluster.ok('down')
    expect((await up.finished()).code).toBe(0)
  })
})
