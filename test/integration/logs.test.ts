// What the nodes wrote, as a user reads it: merged, filtered, followed through restarts and rotation.
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestCluster } from './cluster-fixture.ts'

describe('logs', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    // Small files, so that debug lines of a few seconds rotate them.
    cluster = await TestCluster.create({ config: { logs: { level: 'info', fileBytesMax: 65_536, filesMax: 3 } } })
    await cluster.ok('up', '-d')
  })
  afterAll(() => cluster.remove())

  const lines = async (...args: readonly string[]): Promise<{ time: number; node: string; level: string; event: string }[]> =>
    (await cluster.ok('logs', '--json', ...args))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as { time: number; node: string; level: string; event: string })

  it('merges all nodes and the supervisor by time', async () => {
    const all = await lines()
    expect(new Set(all.map(({ node }) => node))).toEqual(new Set(['coordinator-1', 'coordinator-2', 'coordinator-3', 'supervisor']))
    expect(all.map(({ time }) => time)).toEqual(all.map(({ time }) => time).toSorted((a, b) => a - b))
    expect(await cluster.ok('logs', 'coordinator-1')).toMatch(/^coordinator-1 │ \d\d:\d\d:\d\d\.\d{3} info {2}\S/)
  })

  it('takes nodes, globs, time, level, text and a number of lines', async () => {
    expect(new Set((await lines('coordinator-[12]')).map(({ node }) => node))).toEqual(new Set(['coordinator-1', 'coordinator-2']))
    expect(await lines('--tail', '2')).toHaveLength(2)
    expect(await lines('--tail', '0')).toEqual([])
    expect((await lines('--grep', 'LISTENING')).map(({ event }) => event)).toEqual(['started', 'started', 'started'])
    expect(await lines('--since', '1ms')).toEqual([])
    expect((await lines('--since', '1h')).length).toBeGreaterThan(3)
    expect(await lines('--level', 'error')).toEqual([])
    expect((await cluster.run('logs', 'nobody')).code).toBe(8)
    expect((await cluster.run('logs', '--since', 'lately')).code).toBe(2)
    expect((await cluster.run('logs', '--grep', '(')).code).toBe(2)
  })

  it('follows a node through its death, its restart and the rotation of its file', async () => {
    const follow = cluster.start(['logs', '-f', '--json', '--tail', '0', 'coordinator-1'])
    const path = join(cluster.paths.logs, 'coordinator-1.ndjson')
    const mark = (text: string): void =>
      appendFileSync(path, `${JSON.stringify({ level: 'info', time: Date.now(), node: 'coordinator-1', event: 'mark', msg: text })}\n`)
    const padding = 'x'.repeat(1_000)
    // Nothing is shown of what was there before, so a first line proves that it follows.
    const follows = (): boolean => {
      mark('following')
      return follow.hasSaid(/following/)
    }
    await expect.poll(follows, { timeout: 5_000, interval: 50 }).toBe(true)
    await cluster.ok('kill', 'coordinator-1')
    for (let i = 0; i < 70; i++) mark(`before ${i} ${padding}`)
    // The node finds its file full and sets it aside.
    await cluster.ok('restart', 'coordinator-1')
    await expect.poll(() => readFileSync(`${path}.1`, 'utf8'), { interval: 50 }).toContain('before 69')
    mark('after')
    await follow.says(/"msg":"after"/)
    follow.signal('SIGTERM')
    const shown = (await follow.finished()).stdout.split('\n')
    const marks = shown.flatMap(line => /"msg":"(before \d+|after)/.exec(line)?.[1] ?? [])
    expect(marks).toEqual([...Array.from({ length: 70 }, (_, i) => `before ${i}`), 'after'])
    expect(shown.some(line => line.includes('"event":"started"'))).toBe(true)
    expect((await lines('coordinator-1', '--grep', 'before|after')).length).toBe(71)
  })

  it('stops quietly when its reader has seen enough', async () => {
    const { code, stdout } = await cluster.run(
      'exec',
      '--',
      'sh',
      '-c',
      `"$0" "$1" logs --name main | head -1`,
      process.execPath,
      join(import.meta.dirname, '../../dist/cli.mjs'),
    )
    expect({ code, lines: stdout.trim().split('\n').length }).toEqual({ code: 0, lines: 1 })
  })

  it('shows the log of the foreground', async () => {
    await cluster.ok('down')
    const up = cluster.start(['up'])
    await up.says(/is ready/)
    await cluster.ok('kill', 'coordinator-3')
    await up.says(/supervisor +│ .*a node ended subject=coordinator-3/)
    up.signal('SIGINT')
    expect((await up.finished()).code).toBe(0)
  })
})
