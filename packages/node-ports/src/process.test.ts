// The process port in real processes: what asks them to stop, and that a parent which is gone counts.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { createProcess } from './index.ts'

const program = `
  import { createProcess } from '@atoll/node-ports'
  const own = createProcess()
  own.onStopRequest(why => { console.log(why); own.exit(7) })
  setInterval(() => {}, 1_000)
  console.log('ready')
`

/** A process that stops when asked and says why, once it is ready. */
async function start(): Promise<{ child: ChildProcess; output: () => string }> {
  const args = ['--conditions=source', '--no-warnings', '--input-type=module', '--eval', program]
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  let text = ''
  await new Promise<void>(resolve => {
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('ready')) resolve()
    })
  })
  return { child, output: () => text.replace('ready\n', '').trim() }
}

/** Not the event `close`: after a disconnect it does not come. */
async function exitCode(child: ChildProcess): Promise<number> {
  const [[code]] = await Promise.all([once(child, 'exit') as Promise<[number]>, child.stdout === null ? [] : once(child.stdout, 'end')])
  return code
}

it.each(['SIGTERM', 'SIGHUP'] as const)('%s asks for a stop', async signal => {
  const { child, output } = await start()
  child.kill(signal)
  expect([await exitCode(child), output()]).toEqual([7, signal])
})

it('so does a parent that closes its channel', async () => {
  const { child, output } = await start()
  child.disconnect()
  expect([await exitCode(child), output()]).toEqual([7, 'the parent closed its channel'])
})

it('knows its pid and what it uses', () => {
  const own = createProcess()
  expect(own.pid).toBe(process.pid)
  const usage = own.usage()
  expect(usage.residentBytes).toBeGreaterThan(usage.heapBytes / 4)
  expect(usage.heapBytes).toBeGreaterThan(1_000_000)
  expect(usage.cpuMs).toBeGreaterThan(0)
})
