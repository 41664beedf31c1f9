// Death, pause, restart and partition of each node: what every other one believes, and that all comes back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Status, TestCluster } from './cluster-fixture.ts'

/** How long a registration lasts that is not renewed, and how often it is, in milliseconds. */
const [LEASE_MS, RENEWAL_MS] = [3_000, 1_250]
const names = ['coordinator-1', 'coordinator-2', 'coordinator-3']
const others = (name: string): string[] => names.filter(other => other !== name)

/** What each of `by` believes of `subject`. */
const beliefs =
  (subject: string, by: readonly string[]) =>
  ({ nodes }: Status): (string | undefined)[] =>
    by.map(name => nodes.find(node => node.name === name)?.members.find(({ node }) => node === subject)?.state)

describe('faults', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.create()
    await cluster.ok('up', '-d')
  })
  afterAll(() => cluster.remove())

  it.each(names)('%s killed: all others see it dead; restarted: alive, at the same address', async name => {
    const before = await cluster.node(name)
    await cluster.ok('kill', name)
    // The process is gone when the command answers.
    expect(await cluster.node(name)).toMatchObject({ state: 'killed', pid: null, answers: false })
    await cluster.until(beliefs(name, others(name)), ['dead', 'dead'])
    const { code, stdout } = await cluster.run('status')
    expect(code).toBe(4)
    expect(stdout).toContain(`${name} is killed (SIGKILL)`)
    // Once more changes nothing.
    await cluster.ok('kill', name)
    await cluster.ok('restart', name)
    const after = await cluster.node(name)
    expect(after).toMatchObject({ state: 'running', answers: true, endpoints: before.endpoints })
    expect(after.pid).not.toBe(before.pid)
    await cluster.until(({ ready }) => ready, true)
  })

  it.each(names)('[CT9] %s killed: the coordinators know before its lease has ended', async name => {
    await cluster.until(({ ready }) => ready, true)
    await cluster.ok('kill', name)
    expect(await cluster.msUntilFenced(name)).toBeLessThan(LEASE_MS - RENEWAL_MS)
    await cluster.ok('restart', name)
    await cluster.until(({ ready }) => ready, true)
  })

  it.each(names)('%s paused: all others see it dead; resumed: alive, the same process', async name => {
    const before = await cluster.node(name)
    await cluster.ok('pause', name)
    expect(await cluster.node(name)).toMatchObject({ state: 'paused', pid: before.pid, answers: false })
    await cluster.until(beliefs(name, others(name)), ['dead', 'dead'])
    await cluster.ok('resume', name)
    expect(await cluster.node(name)).toMatchObject({ state: 'running', pid: before.pid })
    await cluster.until(({ ready }) => ready, true)
  })

  it.each(names)('%s cut off: it and the others see each other dead; healed: all alive', async name => {
    await cluster.ok('partition', name)
    const [left, right] = others(name) as [string, string]
    await cluster.until(beliefs(name, [left, right]), ['dead', 'dead'])
    await cluster.until(beliefs(left, [name, right]), ['dead', 'alive'])
    // A node that is cut off from all others still answers whoever asks it itself.
    expect(await cluster.node(name)).toMatchObject({ state: 'running', answers: true })
    expect((await cluster.run('status')).stdout).toContain(
      name === 'coordinator-1'
        ? '! cut: coordinator-1 | coordinator-2, coordinator-3 (`cluster heal` undoes it)\n'
        : '! cut: coordinator-1',
    )
    await cluster.ok('heal')
    await cluster.until(({ ready, links }) => ({ ready, links }), { ready: true, links: [] })
  })

  it('cuts between named groups only, adds up, and takes globs', async () => {
    await cluster.ok('partition', 'coordinator-1', '*-2')
    expect((await cluster.status()).links).toEqual([
      { from: 'coordinator-1', to: 'coordinator-2', cut: true },
      { from: 'coordinator-2', to: 'coordinator-1', cut: true },
    ])
    await cluster.ok('partition', 'coordinator-3', 'coordinator-1', '--one-way')
    expect((await cluster.status()).links).toHaveLength(3)
    expect((await cluster.run('partition', 'coordinator-1', 'coordinator-?')).code).toBe(2)
    expect((await cluster.run('partition', '*')).code).toBe(2)
    expect((await cluster.run('partition', 'nobody')).code).toBe(8)
    await cluster.ok('heal')
    await cluster.until(({ ready }) => ready, true)
  })

  it('keeps a node that starts or resumes behind the cut', async () => {
    await cluster.ok('kill', 'coordinator-2')
    await cluster.ok('pause', 'coordinator-3')
    const { stderr } = await cluster.run('partition', 'coordinator-1')
    expect(stderr).toContain('coordinator-2, coordinator-3 do not answer')
    await cluster.ok('restart', 'coordinator-2')
    await cluster.ok('resume', 'coordinator-3')
    await cluster.until(beliefs('coordinator-3', ['coordinator-2']), ['alive'])
    await cluster.until(beliefs('coordinator-1', ['coordinator-3']), ['dead'])
    expect(beliefs('coordinator-1', ['coordinator-2'])(await cluster.status())).not.toEqual(['alive'])
    await cluster.ok('heal')
    await cluster.until(({ ready }) => ready, true)
  })

  it('says so when a node ends by itself, and leaves the others alone', async () => {
    const before = await cluster.status()
    process.kill(before.nodes[1]!.pid!, 'SIGABRT')
    await cluster.until(({ nodes }) => nodes.map(({ state }) => state), ['running', 'failed', 'running'])
    expect(await cluster.node('coordinator-2')).toMatchObject({ exit: 'SIGABRT', pid: null })
    expect((await cluster.status()).nodes[0]!.pid).toBe(before.nodes[0]!.pid)
    expect((await cluster.run('pause', 'coordinator-2')).code).toBe(5)
    await cluster.ok('restart', 'coordinator-2')
    await cluster.until(({ ready }) => ready, true)
  })

  it('notices a pause and its end that somebody else brought about', async () => {
    const { pid } = await cluster.node('coordinator-2')
    process.kill(pid!, 'SIGSTOP')
    await cluster.until(({ nodes }) => nodes.map(({ state }) => state), ['running', 'paused', 'running'])
    process.kill(pid!, 'SIGCONT')
    await cluster.until(({ ready }) => ready, true)
  })

  it('says which supervisor does not answer, and what ends it', async () => {
    const { pid } = (await cluster.status()).supervisor!
    process.kill(pid, 'SIGSTOP')
    const { code, stderr } = await cluster.run('ps')
    process.kill(pid, 'SIGCONT')
    expect(code).toBe(1)
    expect(stderr).toContain(`(pid ${pid}) does not answer`)
    expect(stderr).toContain(`kill -9 ${pid}`)
    await cluster.until(({ ready }) => ready, true)
  })

  it('stops a cluster with a paused and a dead node', async () => {
    const before = await cluster.processes()
    await cluster.ok('pause', 'coordinator-1')
    await cluster.ok('kill', 'coordinator-2')
    await cluster.ok('down')
    expect(before.length).toBeGreaterThan(3)
    expect((await cluster.run('status')).code).toBe(3)
  })

  it('refuses link faults where the configuration does', async () => {
    cluster.configure({ faults: false })
    await cluster.ok('up', '-d')
    const { code, stderr } = await cluster.run('partition', 'coordinator-1')
    expect(code).toBe(5)
    expect(stderr).toContain('"faults": true')
  })
})
