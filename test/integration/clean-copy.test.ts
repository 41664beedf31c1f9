// What a newcomer does, in a copy of the sources that has never been set up, in a path with a space: `npm start` with the
// default port taken, Ctrl-C, and `npm start` again. It installs from what this checkout's own setup has downloaded before.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const copy = realpathSync(mkdtempSync(join(tmpdir(), 'atoll clean ')))
const NOT_COPIED = new Set(['node_modules', 'dist', '.git', '.atoll', '.cache'])
const SETUP_TIMEOUT_MS = 180_000

let occupant: Server | undefined

beforeAll(async () => {
  cpSync(root, copy, {
    recursive: true,
    filter: source =>
      !relative(root, source)
        .split(sep)
        .some(part => NOT_COPIED.has(part)),
  })
  occupant = createServer().listen(7201, '127.0.0.1')
  // Taken by somebody else is as good as taken by this test.
  await Promise.race([once(occupant, 'listening'), once(occupant, 'error')])
})

afterAll(() => {
  occupant?.close()
  rmSync(copy, { recursive: true, force: true })
})

/** `npm start` in the copy, in a process group of its own as a terminal would make one, up to its word that it is ready. */
async function npmStart(): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn('npm', ['start'], { cwd: copy, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
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
    await interrupt(first.child)
    const second = await npmStart()
    expect(second.said).not.toMatch(/installing|is taken/i)
    await interrupt(second.child)
  },
  SETUP_TIMEOUT_MS,
)
