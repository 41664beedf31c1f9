// Processes are told apart by pid and start time; groups are signalled only when they still are who they were.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { identify, isRunning, isStopped, killGroups, signalGroup, until } from './processes.ts'

const started: ChildProcess[] = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

/** A process in a group of its own that does nothing. */
async function idler(): Promise<number> {
  const child = spawn('/bin/sh', ['-c', 'echo; read -r _'], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
  started.push(child)
  await once(child.stdout, 'data')
  return child.pid!
}

it('knows a process by its pid and start time, and not once it has ended', async () => {
  const pid = await idler()
  const identity = identify(pid)!
  expect(identity.startTime).toMatch(/^\S+$/)
  expect(isRunning(identity)).toBe(true)
  expect(isRunning({ ...identity, startTime: 'another' })).toBe(false)
  expect(isRunning({ ...identity, bootId: 'of the day before' })).toBe(false)
  expect(isRunning({ pid, startTime: identity.startTime })).toBe(true)
  signalGroup(pid, 'SIGKILL')
  expect(await until(() => !isRunning(identity), 5_000)).toBe(true)
  expect(identify(pid)).toBeUndefined()
})

it('tells a stopped process from a running one', async () => {
  const pid = await idler()
  expect(isStopped(pid)).toBe(false)
  signalGroup(pid, 'SIGSTOP')
  expect(await until(() => isStopped(pid), 5_000)).toBe(true)
  signalGroup(pid, 'SIGCONT')
  expect(await until(() => !isStopped(pid), 5_000)).toBe(true)
})

it('kills only the process that is meant, never another one with its pid', async () => {
  const [meant, reused] = [identify(await idler())!, identify(await idler())!]
  killGroups([meant, { ...reused, startTime: 'of the one before' }])
  expect(await until(() => !isRunning(meant), 5_000)).toBe(true)
  expect(isRunning(reused)).toBe(true)
})

it('says when nobody is left in a group', () => {
  expect(signalGroup(2 ** 22 - 7, 'SIGTERM')).toBe(false)
})

it('gives up waiting', async () => {
  expect(await until(() => false, 1, 1)).toBe(false)
})
