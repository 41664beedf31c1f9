// What pids.json tells the next supervisor about processes that were left behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { killLeftovers, leftovers, ProcessList, TOKEN_VARIABLE } from './process-list.ts'
import { identify } from './processes.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-processes-'))
  path = join(directory, 'pids.json')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function idler(token: string): Promise<number> {
  const env = { ...process.env, [TOKEN_VARIABLE]: token }
  const child = spawn('/bin/sh', ['-c', 'echo; read -r _'], { detached: true, stdio: ['pipe', 'pipe', 'ignore'], env })
  await once(child.stdout, 'data')
  return child.pid!
}

it('names a process before it runs, when it runs, and no more when it has ended', async () => {
  const list = new ProcessList(path)
  const token = list.announce('coordinator-1')
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([{ name: 'coordinator-1', token }])
  const pid = await idler(token)
  expect(list.started('coordinator-1', pid)).toEqual(identify(pid))
  expect(leftovers(path)).toEqual([{ name: 'coordinator-1', ...identify(pid)! }])
  expect(await killLeftovers(path)).toEqual(['coordinator-1'])
  expect(leftovers(path)).toEqual([])
  list.ended('coordinator-1')
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([])
})

it('spares a process that only has the pid of one of ours', async () => {
  const list = new ProcessList(path)
  const pid = await idler(list.announce('coordinator-1'))
  list.started('coordinator-1', pid)
  const rows = JSON.parse(readFileSync(path, 'utf8')) as { startTime: string }[]
  writeFileSync(path, JSON.stringify(rows.map(row => ({ ...row, startTime: 'before' }))))
  expect(await killLeftovers(path)).toEqual([])
  process.kill(-pid, 'SIGKILL')
})

it.runIf(process.platform === 'linux')('finds a process whose pid was never written down by its token', async () => {
  const pid = await idler(new ProcessList(path).announce('coordinator-1'))
  expect(leftovers(path)).toEqual([{ name: 'coordinator-1', ...identify(pid)! }])
  await killLeftovers(path)
})

it('knows of nothing where there is no file', async () => {
  expect(await killLeftovers(path)).toEqual([])
})
