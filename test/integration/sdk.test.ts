// The SDK as an application has it: built, found by its name, in a process of its own beside a real cluster.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root, TestCluster } from './cluster-fixture.ts'

/** Where a program finds the packages of the checkout by their names. */
const folder = join(root, 'node_modules/.cache/atoll-sdk-test')

let programs = 0

/** Runs a program to its own end: nothing stops it. */
async function program(
  text: string,
  env: NodeJS.ProcessEnv,
  cwd = folder,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const file = join(folder, `${++programs}.mjs`)
  writeFileSync(file, text)
  const child = spawn(process.execPath, [file], {
    cwd,
    env: { ...process.env, ATOLL_TARGET: '', ATOLL_NAME: '', COORDINATORS: '', ...env },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      output += String(chunk)
    })
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  return { code, output }
}

describe('the SDK', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    mkdirSync(folder, { recursive: true })
    cluster = await TestCluster.create()
    await cluster.ok('up', '-d')
  })
  afterAll(async () => {
    await cluster.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it('[SD21] [SD22] does what the README shows, and the process ends by itself', async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const example = /## Use it from an application\n\n```js\n([^`]+)```/.exec(readme)?.[1] ?? ''
    expect(example.trim().split('\n').length).toBeLessThanOrEqual(12)
    const { code, output } = await program(example, { ATOLL_TARGET: cluster.paths.directory })
    expect(output).toMatch(/^config\/colour green\ntoken \d+ lost false\ncoordinator-1 coordinator-2 coordinator-3\n$/)
    expect(code).toBe(0)
  })

  it('[SD11] [SD21] answers two looks at a watch in turn, and names the option that makes no sense', async () => {
    const text = `import { connect } from '@atoll/client'
const client = connect()
const watch = client.kv.watch('turns')
await watch.ready()
const looks = [watch.next(), watch.next()]
await client.kv.put('turns', 'one')
await client.kv.put('turns', 'two')
console.log((await Promise.all(looks)).map(({ value }) => value.value).join(' '))
await client.close()
const explicit = { clusterId: 'a', secret: 'short', coordinators: '127.0.0.1:1' }
for (const options of [explicit, { ...explicit, clusterId: 'A B' }]) {
  const other = connect(options)
  await other.kv.get('k').catch(error => console.log(error.code, error.message.includes('secret'), error.message.includes('clusterId')))
  await other.close()
}
try { connect({ name: 'No Name' }) } catch (error) { console.log(error.code) }`
    const { code, output } = await program(text, { ATOLL_TARGET: cluster.paths.directory })
    expect(output).toBe('one two\ninvalid_argument true false\ninvalid_argument false true\ninvalid_argument\n')
    expect(code).toBe(0)
  })

  it('[SD21] finds the nearest cluster above the working directory', async () => {
    const below = join(cluster.directory, 'a/b')
    mkdirSync(below, { recursive: true })
    const text = `import { connect } from '@atoll/client'
const client = connect()
console.log((await client.members()).length)
await client.close()`
    expect(await program(text, {}, below)).toEqual({ code: 0, output: '3\n' })
  })

  it('[SD22] leaves nothing behind when it is closed in the middle of everything', async () => {
    const text = `import { connect } from '@atoll/client'
const client = connect()
const ends = []
await client.kv.put('a', '1')
for (let i = 0; i < 50; i++) ends.push(client.kv.put('k' + i, 'v'), client.kv.watch('k').next(), client.lock('l').acquire())
await client.lease()
const ending = Promise.allSettled(ends)
await client.close()
const settled = await ending
console.log(settled.filter(({ reason }) => reason !== undefined && reason.name !== 'AtollError').length)`
    expect(await program(text, { ATOLL_TARGET: cluster.paths.directory })).toEqual({ code: 0, output: '0\n' })
  })

  it('[SD23] says that there is no cluster, and what to do about it', async () => {
    const text = `import { connect } from '@atoll/client'
const client = connect('${join(cluster.directory, 'nowhere')}')
await client.kv.get('a').catch(error => console.log(error.code, error.message))`
    const { code, output } = await program(text, {})
    expect(output).toContain('cluster_not_found')
    expect(output).toContain('nowhere')
    expect(code).toBe(0)
  })
})
