// `npm test`: the checks, then every test project, then proof that no process of this checkout is left behind.
// The last line says `N passed, N failed`, each check counting as one. `npm test -- PATH… [--project NAME]` runs just these tests.
import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startVitest, type Vitest } from 'vitest/node'
import { strayProcesses, untilNoneLeft } from './strays.ts'

const root = resolve(import.meta.dirname, '..')

interface Count {
  passed: number
  failed: number
}

/** Everything `npm run check` does, except the unit tests, which come with the other tests. */
async function check(): Promise<Count> {
  const child = spawn(process.execPath, [join(root, 'scripts/check.ts'), '--without', 'unit'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const count: Count = { passed: 0, failed: 0 }
  child.on('message', message => Object.assign(count, message))
  const code = await new Promise<number | null>((settle, reject) => child.on('error', reject).on('close', settle))
  // A check that ended without its count, or against it, failed.
  return (code === 0) === (count.failed === 0) && count.passed + count.failed > 0 ? count : { ...count, failed: count.failed + 1 }
}

/** A test counts by its outcome; a file that cannot be loaded and an error outside any test count as one failure each. */
function countOf(vitest: Vitest): Count {
  const count: Count = { passed: 0, failed: vitest.state.getUnhandledErrors().length }
  for (const module of vitest.state.getTestModules()) {
    const before = count.failed
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') count.passed++
      else if (state === 'failed') count.failed++
    }
    if (module.state() === 'failed' && count.failed === before) count.failed++
  }
  return count
}

const { values, positionals } = parseArgs({ options: { project: { type: 'string', multiple: true } }, allowPositionals: true })
const everything = positionals.length === 0 && values.project === undefined

// Nobody is left to read the result once the launcher is gone; the workers end with this process.
process.once('disconnect', () => process.exit(1))
const before = strayProcesses(root)
const checked = everything ? await check() : { passed: 0, failed: 0 }
const vitest = await startVitest('test', positionals, {
  root,
  watch: false,
  ...(values.project === undefined ? {} : { project: values.project }),
})
const tested = countOf(vitest)
await vitest.close()

const left = await untilNoneLeft(root, before)
for (const stray of left) console.error(`Left behind: process ${stray.pid}: ${stray.command}`)

const passed = checked.passed + tested.passed
const failed = checked.failed + tested.failed + (left.length > 0 ? 1 : 0)
const none = tested.passed + tested.failed === 0
if (none) console.error('No test ran.')
console.log(`${passed} passed, ${failed} failed`)
// vitest may have set its own exit code, and the launcher's channel would keep this process alive.
process.exit(failed > 0 || none ? 1 : 0)
