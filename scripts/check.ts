// `npm run check`: everything that can be said about the source without starting a process of ours. Two steps run at a time.
// `--without unit` leaves a step out, `--only lint types` runs just these; `--fix` lets Biome and the lint mend what they can.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { parseArgs, styleText } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const tool = (path: string) => join(root, 'node_modules', path)

interface Step {
  readonly name: string
  readonly args: readonly string[]
  readonly fix?: readonly string[]
}

/** Longest first, so that two of them keep two cores busy to the end. */
const steps: readonly Step[] = [
  { name: 'unit', args: [tool('vitest/vitest.mjs'), 'run', '--project', 'unit', '--reporter', 'dot'] },
  { name: 'knip', args: [tool('knip/bin/knip.js'), '--no-progress', '--no-config-hints'] },
  { name: 'types', args: [tool('typescript/bin/tsc'), '--pretty', 'false'] },
  { name: 'lint', args: [tool('oxlint/bin/oxlint')], fix: ['--fix'] },
  { name: 'layers', args: [join(root, 'scripts/layers.ts')] },
  { name: 'format', args: [tool('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '--colors=off'], fix: ['--write'] },
  { name: 'tidy', args: ['--conditions=source', join(root, 'scripts/tidy.ts')] },
]

interface Outcome {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
}

/** Some tools start a helper with whatever Node comes first on the path: let it be this one. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` }

function run(step: Step, fix: boolean): Promise<Outcome> {
  const started = performance.now()
  const args = [...step.args, ...(fix ? (step.fix ?? []) : [])]
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
  // The launcher went away: nobody is left to read the result.
  process.once('disconnect', () => child.kill())
  return new Promise((settle, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      const seconds = (performance.now() - started) / 1000
      const ok = code === 0
      console.log(`${styleText(ok ? 'green' : 'red', ok ? '✓' : '✗')} ${step.name.padEnd(8)} ${seconds.toFixed(1)} s`)
      if (!ok) console.log(Buffer.concat(output).toString().trimEnd())
      settle({ name: step.name, ok, seconds })
    })
  })
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    without: { type: 'string', multiple: true },
    fix: { type: 'boolean', default: false },
  },
})
const known = new Set(steps.map(step => step.name))
const unknown = [...(values.only ?? []), ...(values.without ?? [])].filter(name => !known.has(name))
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(', ')}. There are ${[...known].join(', ')}.`)
  process.exit(2)
}
const started = performance.now()
const waiting = steps.filter(step => (values.only?.includes(step.name) ?? true) && !values.without?.includes(step.name))
const outcomes: Outcome[] = []
const worker = async () => {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) outcomes.push(await run(step, values.fix))
}
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker))
const failed = outcomes.filter(outcome => !outcome.ok).map(outcome => outcome.name)
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(
  failed.length === 0 ? `check: all ${outcomes.length} steps passed in ${seconds} s` : `check: failed: ${failed.join(', ')} (${seconds} s)`,
)
process.exitCode = failed.length === 0 ? 0 : 1
// `npm test` counts every step; the open channel would keep this process alive.
process.send?.({ passed: outcomes.length - failed.length, failed: failed.length })
if (process.connected) process.disconnect()
