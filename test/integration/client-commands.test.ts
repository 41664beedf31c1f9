// The commands that are clients of the coordinators: keys, locks and members from a shell.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestCluster } from './cluster-fixture.ts'

describe('the commands that use the coordinators', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.create()
    await cluster.ok('up', '-d')
  })
  afterAll(() => cluster.remove())

  it('put, get, list and delete keys', async () => {
    await cluster.ok('kv', 'put', 'a/1', 'one')
    await cluster.ok('kv', 'put', 'a/2', 'two')
    expect(await cluster.ok('kv', 'get', 'a/1')).toBe('one\n')
    expect(await cluster.json('kv', 'get', 'a/2')).toMatchObject({ key: 'a/2', value: 'two', version: 1 })
    expect(await cluster.ok('kv', 'ls')).toBe('a/1\na/2\n')
    expect(await cluster.ok('kv', 'ls', 'a/', '--limit', '1')).toBe('a/1\n')
    expect((await cluster.run('kv', 'get', 'nothing')).code).toBe(8)
    expect((await cluster.run('kv', 'put', '$atoll/x', '1')).code).toBe(2)
    expect(await cluster.json('kv', 'del', 'a/', '--prefix')).toMatchObject({ deleted: 2 })
    expect(await cluster.ok('kv', 'ls')).toBe('')
  })

  it('watch keys until they are interrupted', async () => {
    const watch = cluster.start(['kv', 'watch', 'w/', '--prefix'])
    await watch.says(/Watching from revision/)
    await cluster.ok('kv', 'put', 'w/1', 'x')
    await cluster.ok('kv', 'del', 'w/1')
    await watch.says(/put w\/1 x\ndelete w\/1/)
    watch.signal('SIGINT')
    expect((await watch.finished()).code).toBe(0)
  })

  it('run a program while a lock is held', async () => {
    const held = cluster.start(['lock', 'nightly', '--', 'sh', '-c', 'echo token $ATOLL_LOCK_TOKEN; exec sleep 30'])
    await held.says(/token \d+/)
    expect(await cluster.json('lock', 'ls')).toMatchObject({ locks: [{ name: 'nightly', waiting: 0 }] })
    expect((await cluster.run('lock', '--no-wait', 'nightly', '--', 'true')).code).toBe(5)
    held.signal('SIGTERM')
    expect((await held.finished()).code).toBe(143)
    const next = await cluster.run('lock', 'nightly', '--', 'sh', '-c', 'exit 7')
    expect(next.code).toBe(7)
    expect(await cluster.json('lock', 'ls')).toMatchObject({ locks: [] })
  })

  it('end the program when the lock is lost', async () => {
    const held = cluster.start(['lock', '--ttl', '1', 'short', '--', 'sleep', '60'])
    await expect.poll(() => cluster.json<{ locks: unknown[] }>('lock', 'ls').then(({ locks }) => locks.length)).toBe(1)
    await cluster.ok('pause', '--all')
    expect(await held.finished()).toMatchObject({ code: 5 })
    await cluster.ok('resume', '--all')
  })

  it('list the members, and who leads', async () => {
    const { members } = await cluster.json<{ members: { name: string; leader: boolean; state: string }[] }>('member', 'ls')
    expect(members.map(({ name }) => name)).toEqual(['coordinator-1', 'coordinator-2', 'coordinator-3'])
    await expect
      .poll(
        async () => (await cluster.json<{ members: { leader: boolean }[] }>('member', 'ls')).members.filter(({ leader }) => leader).length,
      )
      .toBe(1)
  })

  it('say who leads in the status, too', async () => {
    await expect.poll(async () => (await cluster.json<{ leader: string | null }>('status')).leader).toMatch(/^coordinator-\d$/)
    const { stdout } = await cluster.run('status')
    expect(stdout).toMatch(/running, leads/)
  })

  it('say that nothing runs', async () => {
    await cluster.ok('down')
    const { code, stderr } = await cluster.run('kv', 'get', 'a')
    expect(code).toBe(3)
    expect(stderr).toContain('is not running')
  })
})
