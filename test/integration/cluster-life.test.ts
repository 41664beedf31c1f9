// The life of a cluster through the command line: up and down, ports, data, names, configuration, and what is said.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allGone, freePorts, occupy, release, type Status, TestCluster } from './cluster-fixture.ts'

describe('a running cluster', () => {
  let cluster: TestCluster
  let summary: string
  beforeAll(async () => {
    cluster = await TestCluster.create()
    summary = await cluster.ok('up', '-d')
  })
  afterAll(() => cluster.remove())

  it('is ready when `up -d` returns: every node answers and sees every other', async () => {
    const { code, stdout } = await cluster.run('status', '--json')
    const status = JSON.parse(stdout) as Status
    expect(code).toBe(0)
    expect(status).toMatchObject({ schema: 1, cluster: 'main', ready: true, running: true, unready: [] })
    expect(status.nodes.map(({ name, role, state, answers }) => ({ name, role, state, answers }))).toEqual(
      [1, 2, 3].map(i => ({ name: `coordinator-${i}`, role: 'coordinator', state: 'running', answers: true })),
    )
    expect(status.nodes.map(node => node.endpoints)).toEqual(
      cluster.ports.map(port => [{ protocol: 'native', host: '127.0.0.1', port, wanted: port }]),
    )
    expect(status.endpoints).toEqual({ native: cluster.ports.map(port => `127.0.0.1:${port}`) })
  })

  it('says what runs, what to do next and what stays, on one screen and without colour in a pipe', () => {
    expect(summary).toMatch(/^✓ Cluster main is ready in \d+\.\d s\n/)
    expect(summary).toContain('cluster status --watch')
    expect(summary).toContain(`Data stays in ${cluster.paths.directory}`)
    expect(summary.split('\n').length).toBeLessThanOrEqual(24)
    expect(summary).not.toContain('\x1b')
  })

  it('is left as it is by another `up`', async () => {
    const before = await cluster.processes()
    expect(await cluster.ok('up', '-d')).toMatch(/^✓ Cluster main is ready \(it was running\)\n/)
    expect(await cluster.ok('up')).toContain('it was running')
    expect(await cluster.processes()).toEqual(before)
  })

  it('starts nodes again that are down when `up` is said', async () => {
    await cluster.ok('kill', 'coordinator-2')
    expect((await cluster.run('status')).code).toBe(4)
    await cluster.ok('up', '-d')
    expect((await cluster.run('status')).code).toBe(0)
  })

  it('names what differs when its configuration changed, and takes it over with --recreate', async () => {
    cluster.configure({ gossip: { probeIntervalMs: 60, suspicionMsMin: 200 } })
    const refused = await cluster.run('up', '-d')
    expect(refused.code).toBe(5)
    expect(refused.stderr).toContain('gossip.probeIntervalMs: runs with 50, now 60')
    expect(refused.stderr).toContain('--recreate')
    const before = await cluster.processes()
    await cluster.ok('up', '-d', '--recreate')
    await allGone(before)
    cluster.configure({})
    await cluster.ok('up', '-d', '--recreate')
  })

  it('lists its processes fast, as a table, as names and as JSON', async () => {
    expect((await cluster.ok('ps', '-q')).split('\n')).toEqual(['coordinator-1', 'coordinator-2', 'coordinator-3', ''])
    const { processes } = await cluster.json<{ processes: { name: string; pid: number }[] }>('ps')
    expect(processes.map(({ name }) => name)).toEqual(['coordinator-1', 'coordinator-2', 'coordinator-3'])
    expect(await cluster.ok('ps')).toContain(String(processes[0]!.pid))
  })

  it('gives its addresses to other programs, and their exit code back', async () => {
    const addresses = cluster.ports.map(port => `127.0.0.1:${port}`).join(',')
    expect(await cluster.json('env')).toEqual({ schema: 1, COORDINATORS: addresses, ATOLL_TARGET: cluster.paths.directory })
    expect(await cluster.ok('env')).toContain(`COORDINATORS=${addresses}\n`)
    expect(await cluster.ok('env', '--export')).toContain(`export COORDINATORS='${addresses}'\n`)
    const { code, stdout } = await cluster.run('exec', '--', 'sh', '-c', 'echo $COORDINATORS $1; exit 43', 'sh', '--color')
    expect({ code, stdout }).toEqual({ code: 43, stdout: `${addresses} --color\n` })
    expect((await cluster.run('exec', '--', 'sh', '-c', 'kill -TERM $$')).code).toBe(143)
    expect((await cluster.run('exec', '--', 'no-such-program')).code).toBe(8)
  })

  it('does not hit every node by accident', async () => {
    for (const verb of ['kill', 'pause', 'restart']) {
      const { code, stderr } = await cluster.run(verb, '*')
      expect({ verb, code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') as string })
    }
    expect((await cluster.status()).ready).toBe(true)
  })

  it('does nothing to no node', async () => {
    for (const verb of ['kill', 'pause', 'resume', 'restart']) {
      const { code, stderr } = await cluster.run(verb)
      expect({ verb, code, stderr }).toMatchObject({ verb, code: 2, stderr: expect.stringContaining('Which nodes?') as string })
    }
  })

  it('writes a report without its secret', async () => {
    const { code } = await cluster.run('doctor', '--report', 'report.json')
    expect(code).toBe(0)
    const report = readFileSync(join(cluster.directory, 'report.json'), 'utf8')
    expect(JSON.parse(report)).toMatchObject({ schema: 1, status: { ready: true } })
    expect(report).toContain('"coordinator-1.ndjson"')
    expect(report).not.toContain(readFileSync(cluster.paths.secret, 'utf8').trim())
  })

  it('prints no colour when told so, and colour when told so', async () => {
    expect((await cluster.start(['status'], { FORCE_COLOR: '1' }).finished()).stdout).toContain('\x1b[')
    expect((await cluster.start(['status'], { FORCE_COLOR: '1', NO_COLOR: '1' }).finished()).stdout).not.toContain('\x1b[')
    expect(await cluster.ok('status', '--color', 'always')).toContain('\x1b[')
  })

  it('stops in order, keeps its data, and is not there any more', async () => {
    const before = await cluster.processes()
    const { code, stderr } = await cluster.run('down')
    expect(code).toBe(0)
    expect(stderr).toContain(`Data and logs stay in ${cluster.paths.directory}`)
    await allGone(before, 0)
    const { code: degraded, stdout } = await cluster.run('status', '--json')
    expect(degraded).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({ running: false, ready: false, nodes: [], endpoints: {} })
    for (const command of [['status'], ['ps'], ['env'], ['kill', 'coordinator-1'], ['heal'], ['exec', '--', 'true']])
      expect({ command, code: (await cluster.run(...command)).code }).toEqual({ command, code: 3 })
    expect(await cluster.run('down')).toMatchObject({ code: 0, stderr: expect.stringContaining('is not running') as string })
    expect(await cluster.json('ls')).toMatchObject({ clusters: [{ name: 'main', state: 'stopped' }] })
    await cluster.ok('down', '--volumes')
    expect(existsSync(dirname(cluster.paths.directory))).toBe(false)
  })
})

describe('ports', () => {
  it('replaces a taken port, says by whom it is taken, and remembers the new one', async () => {
    await using cluster = await TestCluster.create({ count: 2 })
    const taken = await occupy(cluster.ports[0]!)
    const { code, stderr } = await cluster.run('up', '-d')
    expect(code).toBe(0)
    expect(stderr).toMatch(new RegExp(`Port ${cluster.ports[0]} is taken by .*\\(pid ${process.pid}\\); coordinator-1 listens on`))
    const [first] = (await cluster.status()).nodes
    expect(first!.endpoints[0]).toMatchObject({ wanted: cluster.ports[0] })
    const replacement = first!.endpoints[0]!.port
    expect(replacement).not.toBe(cluster.ports[0])
    await cluster.ok('down')
    await release(taken)
    const again = await cluster.run('up', '-d')
    expect(again.stderr).not.toContain('is taken')
    expect((await cluster.node('coordinator-1')).endpoints[0]!.port).toBe(replacement)
  })

  it('fails on a taken port with --strict-ports, and stops what was started', async () => {
    await using cluster = await TestCluster.create({ count: 2 })
    const taken = await occupy(cluster.ports[1]!)
    const { code, stderr } = await cluster.run('up', '-d', '--strict-ports')
    await release(taken)
    expect(code).toBe(5)
    expect(stderr).toContain('coordinator-2 failed')
    expect(stderr).toMatch(new RegExp(`Port ${cluster.ports[1]} is taken by .*\\(pid ${process.pid}\\); without --strict-ports`))
    expect((await cluster.run('status')).code).toBe(3)
  })

  it('moves by an offset, and shows where each value is from', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    const [base] = await freePorts(1)
    const offset = String(Math.max(1, base! - cluster.ports[0]!) || 1)
    const { config, origins } = await cluster.json<{ config: object; origins: Record<string, string> }>('config', '--port-offset', offset)
    expect(config).toMatchObject({ roles: { coordinator: { nativePort: cluster.ports[0]! + Number(offset) } } })
    expect(origins).toMatchObject({
      'roles.coordinator.nativePort': 'flag',
      'roles.coordinator.count': 'file',
      'logs.level': 'default',
    })
    const fromEnvironment = await cluster.start(['config', '--json'], { ATOLL_PORT_OFFSET: '1' }).finished()
    expect(JSON.parse(fromEnvironment.stdout)).toMatchObject({ origins: { 'roles.coordinator.nativePort': 'environment' } })
    expect(await cluster.ok('up', '--dry-run', '--port-offset', offset)).toContain(`127.0.0.1:${cluster.ports[0]! + Number(offset)}`)
  })
})

describe('names and data', () => {
  it('runs two clusters of one configuration side by side', async () => {
    await using cluster = await TestCluster.create({ count: 2 })
    await Promise.all([cluster.ok('up', '-d', '--name', 'one'), cluster.ok('up', '-d', '--name', 'two')])
    const [one, two] = await Promise.all(['one', 'two'].map(name => cluster.json<Status>('status', '--name', name)))
    expect([one!.ready, two!.ready]).toEqual([true, true])
    const addresses = [one!, two!].flatMap(({ endpoints }) => endpoints['native'] ?? [])
    expect(new Set(addresses).size).toBe(4)
    expect((await cluster.ok('ls', '-q')).split('\n')).toEqual(['one', 'two', ''])
    await cluster.ok('down', '--name', 'one')
    expect((await cluster.json<Status>('status', '--name', 'two')).ready).toBe(true)
    await cluster.ok('down', '--volumes', '--name', 'two')
    await cluster.ok('down', '--volumes', '--name', 'one')
  })

  it('starts also when nobody listens to what it says', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    const up = cluster.start(['up', '-d'])
    up.child.stderr?.destroy()
    expect((await up.finished()).code).toBe(0)
    expect((await cluster.status()).ready).toBe(true)
  })

  it('starts once when two ask at the same time', async () => {
    await using cluster = await TestCluster.create({ count: 2 })
    const both = await Promise.all([cluster.run('up', '-d'), cluster.run('up', '-d')])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect((await cluster.status()).nodes).toHaveLength(2)
  })

  it('deletes an ephemeral cluster when it stops, and never one whose data is kept', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    expect(await cluster.ok('up', '-d', '--ephemeral')).toContain('is deleted when it stops')
    await cluster.ok('down')
    expect(existsSync(cluster.paths.directory)).toBe(false)
    await cluster.ok('up', '-d')
    await cluster.ok('down')
    const refused = await cluster.run('up', '-d', '--ephemeral')
    expect(refused.code).toBe(5)
    expect(refused.stderr).toContain('holds data that is kept')
  })

  it('refuses state of a newer version and touches nothing of it', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    await cluster.ok('up', '-d')
    await cluster.ok('down')
    const newer = JSON.stringify({ format: 99, clusterId: 'x' })
    writeFileSync(cluster.paths.identity, newer)
    const { code, stderr } = await cluster.run('up', '-d')
    expect(code).toBe(5)
    expect(stderr).toContain('newer version')
    expect(readFileSync(cluster.paths.identity, 'utf8')).toBe(newer)
  })

  it('works in a directory whose path is too long for a socket', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    const name = 'a'.repeat(63)
    for (const runtime of [undefined, '', 'not/absolute']) {
      const up = await cluster.start(['up', '-d', '--name', name], { XDG_RUNTIME_DIR: runtime }).finished()
      expect({ runtime, ...up }).toMatchObject({ runtime, code: 0 })
      expect((await cluster.json<Status>('status', '--name', name)).ready).toBe(true)
      await cluster.ok('down', '--volumes', '--name', name)
    }
  })
})

describe('usage', () => {
  it('answers wrong usage with what is right, and exit code 2', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['kil'], /Did you mean kill\?/],
      [['dns', 'query'], /unknown command 'dns'/],
      [['up', '--bogus'], /unknown option '--bogus'/],
      [['up', '--timeout', 'soon'], /--timeout wants seconds/],
      [['status', '--watch=abc'], /--watch wants seconds/],
      [['logs', '--level', 'loud'], /--level wants one of debug, info, warn, error/],
      [['status', '--name', 'No Name'], /cannot name a cluster/],
      [['up', '--port-offset', '-1'], /port offset is a whole number/],
    ]
    for (const [args, sentence] of cases) {
      const { code, stderr, stdout } = await cluster.run(...args)
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
      expect(stderr).toMatch(sentence)
    }
    cluster.configure({ gossip: { probeIntervalMs: 'fast' }, bogus: 1 })
    const { code, stderr } = await cluster.run('up', '-d')
    expect(code).toBe(2)
    expect(stderr).toContain('gossip.probeIntervalMs')
    expect(stderr).toContain('"bogus"')
    expect((await cluster.run('up', '--config', 'nowhere.json')).code).toBe(8)
    const directory = await cluster.run('up', '--config', '.')
    expect(directory).toMatchObject({ code: 2, stderr: `✗ cannot read ${cluster.directory}: it is a directory.\n` })
  })

  it('says in a sentence what the machine does not let it do, with 7', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    const report = await cluster.run('doctor', '--report', '/nodir/x')
    expect(report).toMatchObject({ code: 7, stderr: '✗ cannot open /nodir/x: no such file or directory\n' })
    writeFileSync(join(cluster.directory, '.atoll'), '')
    const up = await cluster.run('up', '-d')
    expect({ code: up.code, stack: /\n +at /.test(up.stderr), bug: up.stderr.includes('bug of ours') }).toEqual({
      code: 7,
      stack: false,
      bug: false,
    })
  })

  it('completes commands and options in a shell', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    const script = await cluster.ok('completion', 'bash')
    const complete = (line: string): string[] => {
      const probe = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _cluster; echo "\${COMPREPLY[*]}"`
      return execFileSync('bash', ['-c', probe], { encoding: 'utf8' }).trim().split(' ').toSorted()
    }
    expect(complete('cluster re')).toEqual(['restart', 'resume'])
    expect(complete('cluster up --st')).toEqual(['--strict-ports'])
    expect(await cluster.ok('completion', 'fish')).toContain('-n __fish_use_subcommand -a kill')
    expect((await cluster.run('completion', 'tcsh')).code).toBe(2)
  })

  it('explains itself on one screen, exit codes included', async () => {
    await using cluster = await TestCluster.create({ count: 1 })
    const help = await cluster.ok('--help')
    expect(help.split('\n').length).toBeLessThanOrEqual(25)
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(118)
    expect(help).toContain('130 interrupted')
    expect(await cluster.ok('up', '--help')).toContain('--strict-ports')
    expect(await cluster.ok('--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
