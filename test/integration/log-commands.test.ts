// The commands about the log: topics, and records from and to a shell, with a broker that dies in between.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Finished, TestCluster } from './cluster-fixture.ts'

describe('the commands about the log', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.create({ count: 9 })
    const [first, native, kafka] = [cluster.ports[0], cluster.ports[3], cluster.ports[6]]
    cluster.configure({
      roles: { coordinator: { count: 3, nativePort: first }, broker: { count: 3, nativePort: native, kafkaPort: kafka } },
    })
    await cluster.ok('up', '-d')
  })
  afterAll(() => cluster.remove())

  const produce = (input: string, ...args: readonly string[]): Promise<Finished> => {
    const running = cluster.start(['produce', ...args], {}, 'pipe')
    running.child.stdin?.end(input)
    return running.finished()
  }

  it('create, list, describe and delete topics', async () => {
    await cluster.ok(
      'topic',
      'create',
      'a',
      '--partitions',
      '2',
      '--replicas',
      '3',
      '--config',
      'retention.ms=1000',
      '--config',
      'flush=os',
    )
    expect((await cluster.run('topic', 'create', 'a')).code).toBe(5)
    expect((await cluster.run('topic', 'create', 'b', '--config', 'no.such=1')).code).toBe(2)
    expect((await cluster.run('topic', 'create', 'b', '--partitions', 'many')).code).toBe(2)
    expect(await cluster.json('topic', 'list')).toMatchObject({ topics: [{ name: 'a', partitions: 2, replicas: 3, internal: false }] })
    expect(await cluster.ok('topic', 'list', '--internal')).toContain('__consumer_offsets')
    const parts = [0, 1].map(partition => ({
      partition,
      leader: expect.stringMatching(/^broker-/),
      minIsr: 2,
      flush: 'os',
      highWatermark: 0,
    }))
    expect(await cluster.json('topic', 'describe', 'a')).toMatchObject({ configs: { 'retention.ms': '1000' }, parts })
    expect(await cluster.ok('topic', 'describe', 'a')).toContain('losing power may lose it')
    await cluster.ok('topic', 'delete', 'a')
    expect((await cluster.run('topic', 'describe', 'a')).code).toBe(8)
  })

  it('send a record for each line, and print what was sent, also after a broker was killed', async () => {
    await cluster.ok('topic', 'create', 't', '--partitions', '3', '--replicas', '3')
    const lines = Array.from({ length: 1_000 }, (_, n) => `k${n % 7}:v${n}`)
    expect(await produce(lines.slice(0, 500).join('\n'), 't', '--key-separator', ':')).toMatchObject({
      code: 0,
      stderr: 'Sent 500 records to t.\n',
    })
    await cluster.ok('kill', 'broker-2')
    expect(await produce(`${lines.slice(500).join('\n')}\n`, 't', '--key-separator', ':')).toMatchObject({ code: 0 })
    const values = (await cluster.ok('consume', 't', '--from-beginning', '--exit-at-end')).trimEnd().split('\n')
    expect(values.toSorted()).toEqual(lines.map(line => line.slice(line.indexOf(':') + 1)).toSorted())
    const records = (await cluster.ok('consume', 't', '--from-beginning', '--exit-at-end', '--json')).trimEnd().split('\n')
    const parsed = records.map(record => JSON.parse(record) as { key: string; value: string })
    const ofOneKey = parsed.filter(({ key }) => key === 'k3').map(({ value }) => Number(value.slice(1)))
    expect(ofOneKey).toEqual(ofOneKey.toSorted((a, b) => a - b))
    await cluster.ok('restart', 'broker-2')
  })

  it('go on where a group stopped, and show how far it is', async () => {
    await cluster.ok('topic', 'create', 'g', '--partitions', '1')
    await cluster.ok('topic', 'alter', 'g', '--partitions', '2', '--config', 'retention.ms=5000')
    expect(await produce('one\ntwo', 'g')).toMatchObject({ code: 0 })
    const consume = ['consume', 'g', '--from-beginning', '--exit-at-end', '--group', 'readers']
    expect((await cluster.ok(...consume)).trimEnd().split('\n').toSorted()).toEqual(['one', 'two'])
    expect(await produce('three', 'g')).toMatchObject({ code: 0 })
    expect(await cluster.json('group', 'list')).toMatchObject({ groups: [{ group: 'readers', state: 'empty' }] })
    const { offsets } = (await cluster.json('group', 'describe', 'readers')) as { offsets: { lag: number }[] }
    expect(offsets.reduce((sum, { lag }) => sum + lag, 0)).toBe(1)
    expect(await cluster.ok('group', 'describe', 'readers')).toContain('LAG')
    expect(await cluster.ok(...consume)).toBe('three\n')
    expect(await cluster.json('broker', 'list')).toMatchObject({ brokers: [1, 2, 3].map(n => ({ name: `broker-${n}`, state: 'active' })) })
  })

  it('print what comes until they are interrupted', async () => {
    await cluster.ok('topic', 'create', 'live')
    const consumer = cluster.start(['consume', 'live', '--from-beginning'])
    expect(await produce('one\ntwo', 'live')).toMatchObject({ code: 0 })
    await consumer.says(/one\ntwo\n/)
    consumer.signal('SIGINT')
    expect((await consumer.finished()).code).toBe(0)
  })

  it('say what is wrong', async () => {
    expect(await produce('x', 'nope')).toMatchObject({ code: 8, stderr: expect.stringContaining('there is no topic nope') })
    expect((await cluster.run('consume', 'nope')).code).toBe(8)
    expect((await cluster.run('group', 'describe', 'nope')).code).toBe(8)
    expect((await cluster.run('topic', 'alter', 'live')).code).toBe(2)
  })
})
