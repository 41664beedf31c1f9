// The log by the SDK as an application has it: the bundle, in a process of its own.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root, TestCluster } from './cluster-fixture.ts'

const parent = join(root, 'node_modules/.cache')
mkdirSync(parent, { recursive: true })
/** Inside the checkout, so that `@atoll/client` is found as in any application. */
const folder = mkdtempSync(join(parent, 'sdk-log-'))

describe('the log in an application', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.create({ count: 9 })
    const [first, native, kafka] = [cluster.ports[0], cluster.ports[3], cluster.ports[6]]
    cluster.configure({
      roles: { coordinator: { count: 3, nativePort: first }, broker: { count: 3, nativePort: native, kafkaPort: kafka } },
    })
    await cluster.ok('up', '-d')
  })
  afterAll(async () => {
    await cluster.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  async function program(text: string): Promise<{ readonly code: number | null; readonly output: string }> {
    const file = join(folder, 'app.mjs')
    writeFileSync(file, text)
    const env = { ...process.env, ATOLL_TARGET: cluster.paths.directory }
    const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()))
    const code = await new Promise<number | null>(resolve => child.once('close', resolve))
    return { code, output }
  }

  it('[SL19] does what the README shows, and the process ends by itself', async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const example = /The log, without Kafka[^`]*```js\n([^`]+)```/.exec(readme)?.[1] ?? ''
    expect(await program(example)).toEqual({ code: 0, output: '0 anna 2\n' })
  })

  it('[SL19] leaves nothing behind when its client is closed in the middle of everything', async () => {
    const text = `import { connect } from '@atoll/client'
const client = connect()
await client.log.topics.create('busy', { partitions: 2 })
const topic = client.log.topic('busy')
const ends = []
for (let n = 0; n < 500; n++) ends.push(topic.send(String(n)))
ends.push(topic.consume().next(), topic.consume({ group: 'g' }).next(), client.log.topic('none').consume().next(), topic.producer({ lingerMs: 5_000 }).send('x'))
const ending = Promise.allSettled(ends)
await Promise.all(ends.slice(0, 500))
await client.close()
console.log((await ending).filter(({ reason }) => reason !== undefined && reason.name !== 'AtollError').length)`
    expect(await program(text)).toEqual({ code: 0, output: '0\n' })
  })
})
