// What a newcomer does, in a copy of the sources that has never been set up, in a path with a space: `npm start` with the
// default port taken, Ctrl-C, and `npm start` again. It installs from what this checkout's own setup has downloaded before.
// The copy lies below the checkout, so that a run that was killed leaves nothing outside of it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { until } from '@atoll/supervisor'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const cache = join(root, '.cache')
mkdirSync(cache, { recursive: true })
const copy = mkdtempSync(join(cache, 'clean copy '))
const NOT_COPIED = new Set(['node_modules', 'dist', '.git', '.atoll', '.cache'])
const SETUP_TIMEOUT_MS = 180_000

/** What the product promises after a `kill -9`, in milliseconds. */
const GONE_TIMEOUT_MS = 5_000

let occupant: Server | undefined
const started: ChildProcess[] = []

/** The command lines of processes that run from the copy. Only Linux tells without a program of its own. */
function processesOfCopy(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return line.includes(copy) ? [`${pid} ${line}`] : []
      } catch {
        return [] // it ended while we looked
      }
    })
}

async function nothingRuns(): Promise<void> {
  await until(() => processesOfCopy().length === 0, GONE_TIMEOUT_MS)
  expect(processesOfCopy()).toEqual([])
}

beforeAll(async () => {
  const isCopied = (path: string): boolean => !NOT_COPIED.has(basename(path))
  // One by one: a directory cannot be copied as a whole to a place below it.
  for (const name of readdirSync(root).filter(isCopied)) cpSync(join(root, name), join(copy, name), { recursive: true, filter: isCopied })
  occupant = createServer().listen(7201, '127.0.0.1')
  // Taken by somebody else is as good as taken by this test.
  await Promise.race([once(occupant, 'listening'), once(occupant, 'error')])
})

afterAll(async () => {
  occupant?.close()
  for (const { pid, exitCode, signalCode } of started)
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL')
  try {
    await nothingRuns()
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
})

/** `npm start` in the copy, in a process group of its own as a terminal would make one, up to its word that it is ready. */
async function npmStart(): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn('npm', ['start'], { cwd: copy, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  let said = ''
  const ready = new Promise<void>((settle, reject) => {
    const hear = (chunk: Buffer): void => {
      said += chunk.toString()
      if (/is ready in [\d.]+ s/.test(said) && said.includes('Data stays in')) settle()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('exit', code => reject(new Error(`npm start ended with ${code}:\n${said}`)))
  })
  await ready
  return { child, said }
}

/** Ctrl-C: the terminal sends it to the whole group. */
async function interrupt(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  process.kill(-(child.pid as number), 'SIGINT')
  await ended
}

it(
  'starts from nothing, replaces a taken port and says so, and does it again',
  async () => {
    const first = await npmStart()
    expect(first.said).toMatch(/First start: installing/)
    expect(first.said).toMatch(/Port 7201 is taken .*coordinator-1 listens on 127\.0\.0\.1:\d+ instead/)
    // What lies above the copy must not stand in for what belongs into it.
    expect(existsSync(join(copy, 'node_modules/node'))).toBe(true)
    await interrupt(first.child)
    const second = await npmStart()
    expect(second.said).not.toMatch(/installing|is taken/i)
    await interrupt(second.child)
    await nothingRuns()
  },
  SETUP_TIMEOUT_MS,
)
