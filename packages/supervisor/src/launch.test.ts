// A supervisor that does not answer its starter.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { launchSupervisor } from './launch.ts'
import type { StartRequest } from './launch-messages.ts'

let directory: string
let request: Omit<StartRequest, 'kind'>
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-launch-'))
  request = {
    cluster: 'main',
    directory: join(directory, 'main'),
    programs: directory,
    config: '{}',
    plan: [],
    faults: false,
    shutdownGraceMs: 1,
    ephemeral: false,
    strictPorts: false,
  }
  writeFileSync(join(directory, 'supervisor.mjs'), `process.on('disconnect', () => process.exit(0))`)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

it('is given up after a while, and where to look is said', async () => {
  await expect(launchSupervisor(request, { timeoutMs: 100 })).rejects.toThrow(/did not answer within 0.1 s.*main.logs.supervisor.stderr/)
})

it('is given up when its starter is told to', async () => {
  await expect(launchSupervisor(request, { signal: AbortSignal.abort() })).rejects.toThrow('the start was interrupted')
})

it('that ends is not waited for', async () => {
  writeFileSync(join(directory, 'supervisor.mjs'), 'process.exit(3)')
  await expect(launchSupervisor(request)).rejects.toThrow(/ended while it started/)
})
