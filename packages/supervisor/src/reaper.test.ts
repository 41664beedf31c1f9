// The reaper's script, run by the shell of this machine: what it kills when its pipe closes, and what it spares.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { identify, isRunning, type ProcessIdentity, signalGroup, until } from './processes.ts'
import { Reaper } from './reaper.ts'

const started: ChildProcess[] = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

async function idler(): Promise<ProcessIdentity> {
  const child = spawn('/bin/sh', ['-c', 'echo; read -r _'], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
  started.push(child)
  await once(child.stdout, 'data')
  return identify(child.pid!)!
}

it('kills what it holds when its pipe closes, paused or not, and nothing it was told to forget', async () => {
  const [held, paused, forgotten, another] = [await idler(), await idler(), await idler(), await idler()]
  const pids: number[] = []
  const reaper = new Reaper('reaper of a test', pid => pids.push(pid))
  for (const identity of [held, paused, forgotten]) reaper.hold(identity)
  reaper.hold({ ...another, startTime: `${another.startTime}1` })
  reaper.forget(forgotten.pid)
  signalGroup(paused.pid, 'SIGSTOP')
  expect(pids).toEqual([reaper.pid])
  const self = identify(reaper.pid!)!
  await reaper.close()
  expect(isRunning(self)).toBe(false)
  expect(await until(() => ![held, paused].some(isRunning), 5_000)).toBe(true)
  expect([forgotten, another].map(isRunning)).toEqual([true, true])
})

it('is replaced when it dies, and the new one holds the same', async () => {
  const held = await idler()
  const pids: number[] = []
  const reaper = new Reaper('reaper of a test', pid => pids.push(pid))
  reaper.hold(held)
  signalGroup(reaper.pid!, 'SIGKILL')
  expect(await until(() => pids.length === 2, 5_000)).toBe(true)
  await reaper.close()
  expect(await until(() => !isRunning(held), 5_000)).toBe(true)
})
