// The launcher in a checkout of its own whose command is a few lines that say what happens to them: signals, exit codes,
// deaths above it, and two launchers at once. The path has a space in it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const checkout = realpathSync(mkdtempSync(join(tmpdir(), 'atoll launcher ')))
const launcher = join(checkout, 'scripts/cluster.mjs')

/** A command that reports on standard output: how it was started, every signal, and the end of its channel. */
const command = `// A command that says what happens to it.
const say = (line: string) => process.stdout.write(line + '\\n')
const [verb, code] = process.argv.slice(2)
if (verb === 'exit') process.exit(Number(code))
if (verb === 'die') process.kill(process.pid, 'SIGKILL')
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => say(name))
process.on('disconnect', () => {
  say('disconnect')
  if (verb !== 'stubborn') process.exit(0)
})
say('ready ' + process.pid + ' node ' + process.versions.node.split('.')[0])
setInterval(() => {}, 1000)
`

beforeAll(() => {
  for (const file of ['scripts', 'package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'])
    cpSync(join(root, file), join(checkout, file), { recursive: true })
  for (const name of readdirSync(join(root, 'packages'))) {
    mkdirSync(join(checkout, 'packages', name), { recursive: true })
    cpSync(join(root, 'packages', name, 'package.json'), join(checkout, 'packages', name, 'package.json'))
  }
  // Only what the launcher needs: should it ever install here, it must not do so through a link into the real one.
  mkdirSync(join(checkout, 'node_modules'))
  cpSync(join(root, 'node_modules/.atoll-installed'), join(checkout, 'node_modules/.atoll-installed'))
  for (const name of ['node', 'esbuild']) symlinkSync(join(root, 'node_modules', name), join(checkout, 'node_modules', name))
  mkdirSync(join(checkout, 'packages/cli/src'))
  writeFileSync(join(checkout, 'packages/cli/src/main.ts'), command)
})
afterAll(() => rmSync(checkout, { recursive: true, force: true }))

/** A started launcher and what its command has said so far. */
class Launched {
  readonly child: ChildProcess
  #said = ''
  #listeners: (() => void)[] = []

  constructor(program: string, args: readonly string[]) {
    this.child = spawn(program, args, { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'inherit'] })
    this.child.stdout?.on('data', chunk => {
      this.#said += String(chunk)
      for (const listener of this.#listeners.splice(0)) listener()
    })
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#said)
      if (match !== null) return match
      await new Promise<void>(resolve => this.#listeners.push(resolve))
    }
  }

  async exitCode(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit')
    return this.child.exitCode
  }
}

const launch = (...args: string[]) => new Launched(process.execPath, [launcher, ...args])

/** Resolves once the process is gone, however long that takes; the test's own deadline bounds it. */
async function gone(pid: number): Promise<void> {
  const isThere = () => {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false // no such process
    }
  }
  await expect.poll(isThere, { timeout: 10_000, interval: 50 }).toBe(false)
}

describe('the launcher', () => {
  it('builds once when two start at the same time, and hands over its arguments and exit code', async () => {
    const both = [launch('exit', '0'), launch('exit', '43')]
    expect(await Promise.all(both.map(one => one.exitCode()))).toEqual([0, 43])
    // The lock counts its holders: the one that came second found the work done.
    expect(readdirSync(join(checkout, 'dist')).filter(name => name.startsWith('.draft'))).toEqual([])
    expect(readdirSync(join(checkout, '.cache/lock'))).toHaveLength(1)
  })

  it('builds again after a source file changed', async () => {
    const file = join(checkout, 'packages/cli/src/main.ts')
    writeFileSync(file, command.replace('process.exit(Number(code))', 'process.exit(Number(code) + 1)'))
    expect(await launch('exit', '1').exitCode()).toBe(2)
    writeFileSync(file, command)
    expect(await launch('exit', '1').exitCode()).toBe(1)
  })

  it('runs the pinned Node and answers with 128 and the signal for a command that was killed', async () => {
    const one = launch()
    expect((await one.says(/node (\d+)/))[1]).toBe('24')
    one.child.kill()
    await one.says(/SIGTERM/)
    one.child.kill('SIGKILL')
    expect(await launch('die').exitCode()).toBe(137)
  })

  it('leaves Ctrl-C to the command and forwards TERM and HUP', async () => {
    const one = launch()
    const pid = Number((await one.says(/ready (\d+)/))[1])
    one.child.kill('SIGINT')
    one.child.kill('SIGTERM')
    await one.says(/SIGTERM/)
    one.child.kill('SIGHUP')
    const all = await one.says(/[^]*SIGHUP/)
    expect(all[0]).not.toContain('SIGINT')
    process.kill(pid, 'SIGKILL')
    expect(await one.exitCode()).toBe(137)
  })

  it('takes the command with it when it is killed itself', async () => {
    const one = launch()
    const pid = Number((await one.says(/ready (\d+)/))[1])
    one.child.kill('SIGKILL')
    await one.says(/disconnect/)
    await gone(pid)
  })

  it('ends when its parent is killed, and makes a stubborn command end', async () => {
    const script = `require('node:child_process').spawn(process.execPath, process.argv.slice(1), { stdio: 'inherit' })`
    const parents = ['', 'stubborn'].map(verb => new Launched(process.execPath, ['-e', script, launcher, verb]))
    const pids = await Promise.all(parents.map(async parent => Number((await parent.says(/ready (\d+)/))[1])))
    for (const parent of parents) parent.child.kill('SIGKILL')
    await Promise.all(parents.map(parent => parent.says(/disconnect/)))
    await Promise.all(pids.map(gone))
  })

  it('refuses a script that does not exist as a usage error', async () => {
    expect(await launch('--run', 'nothing').exitCode()).toBe(2)
    expect(await launch('--run', '../evil').exitCode()).toBe(2)
  })
})
