// Brokers in a cluster as its user has them: where clients find them, what is said when a port is taken, and what a death costs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePorts, occupy, release, TestCluster } from './cluster-fixture.ts'

const names = ['broker-1', 'broker-2']
/** How long a registration lasts that is not renewed, and how often it is, in milliseconds. */
const [LEASE_MS, RENEWAL_MS] = [3_000, 1_250]

describe('brokers', () => {
  let cluster: TestCluster
  let ports: readonly number[]
  beforeAll(async () => {
    cluster = await TestCluster.create()
    ports = await freePorts(5)
    const [coordinator, broker, , kafka] = ports
    const roles = { coordinator: { count: 1, nativePort: coordinator }, broker: { count: 2, nativePort: broker, kafkaPort: kafka } }
    cluster.configure({ roles })
    await cluster.ok('up', '-d', '--only', 'log')
  })
  afterAll(() => cluster.remove())

  const brokers = async () => (await cluster.json<{ KAFKA_BROKERS: string }>('env')).KAFKA_BROKERS.split(',')

  it('are where the configuration says, for people and for programs', async () => {
    const addresses = ports.slice(3).map(port => `127.0.0.1:${port}`)
    expect(await brokers()).toEqual(addresses)
    const { ready, endpoints, nodes } = await cluster.status()
    expect({ ready, kafka: endpoints['kafka'] }).toEqual({ ready: true, kafka: addresses })
    expect(nodes.filter(({ role }) => role === 'broker').map(({ name }) => name)).toEqual(names)
    const printed = 'process.stdout.write(process.env.KAFKA_BROKERS)'
    expect(await cluster.ok('exec', '--', process.execPath, '-e', printed)).toBe(addresses.join())
  })

  it('[CT9] killed: fenced before the lease has ended, and the cluster is not ready until it is back where it was', async () => {
    const before = await brokers()
    await cluster.ok('kill', 'broker-1')
    expect(await cluster.msUntilFenced('broker-1')).toBeLessThan(LEASE_MS - RENEWAL_MS)
    const { ready, unready } = await cluster.status()
    expect([ready, unready]).toEqual([false, expect.arrayContaining(['broker-1 is killed (SIGKILL)'])])
    expect(await brokers()).toEqual(before)
    await cluster.ok('restart', 'broker-1')
    await cluster.until(({ ready: isReady }) => isReady, true)
    expect(await brokers()).toEqual(before)
  })

  it('get another port when theirs is taken, which is said, and remembered', async () => {
    await cluster.ok('down')
    const [, , , kafka] = ports
    const taken = await occupy(kafka!)
    const { stderr } = await cluster.run('up', '-d')
    await release(taken)
    const [first, second] = await brokers()
    expect(stderr).toMatch(new RegExp(`Port ${kafka} is taken by .*; broker-1 listens on ${first} instead`))
    expect([first === `127.0.0.1:${kafka}`, second]).toEqual([false, `127.0.0.1:${ports[4]}`])
    await cluster.ok('down')
    await cluster.ok('up', '-d')
    expect(await brokers()).toEqual([first, second])
  })
})
