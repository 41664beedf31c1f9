// Plants a violation of every lint rule the project relies on and expects oxlint, with the project's own configuration, to name it.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { impureGlobals } from '../../scripts/structure.ts'
import { fixture, root } from './fixture.ts'

interface Diagnostic {
  readonly code: string
  readonly filename: string
}

const pure = 'packages/swim/src'
const machine = 'packages/node-ports/src'

/** A planted line and the rule that must name it, or `clean`. A file holds one case. */
const cases: readonly (readonly [rule: string, file: string, source: string])[] = [
  ...Object.keys(impureGlobals).map(
    name => ['no-restricted-globals', `${pure}/global-${name}.ts`, `export const it = () => [${name}]\n`] as const,
  ),
  ['no-restricted-globals', `${pure}/called.ts`, 'export const now = () => Date.now()\n'],
  ['no-restricted-globals', `${pure}/called.test.ts`, 'export const now = () => performance.now()\n'],
  ['no-restricted-globals', 'packages/proxy/src/core/timer.ts', 'export const t = () => setTimeout(() => 0, 1)\n'],
  ['no-restricted-globals', 'packages/sim-ports/src/timer.ts', 'export const t = () => setTimeout(() => 0, 1)\n'],
  ['no-restricted-properties', `${pure}/dice.ts`, 'export const roll = () => Math.random()\n'],
  ['no-restricted-properties', `${pure}/deadline.ts`, 'export const signal = () => AbortSignal.timeout(5)\n'],
  [
    'no-restricted-imports',
    'packages/sim-ports/src/dice.ts',
    "import { randomBytes } from 'node:crypto'\nexport const r = () => randomBytes(4)\n",
  ],
  ['no-dynamic-import', `${pure}/late.ts`, "export const load = () => import('./dice.ts')\n"],
  ['no-module-state', `${pure}/counter.ts`, 'let count = 0\nexport const next = () => count++\n'],
  ['no-module-state', `${pure}/registry.ts`, 'export const known = new Map<string, number>()\n'],
  ['no-enum', `${machine}/colour.ts`, 'export enum Colour { red }\n'],
  ['no-export-all', `${machine}/all.ts`, "export * from './colour.ts'\n"],
  ['no-default-export', `${machine}/default.ts`, 'export default 1\n'],
  ['no-empty', `${machine}/swallow.ts`, 'export function f(g: () => void) {\n  try {\n    g()\n  } catch {}\n}\n'],
  ['no-silent-catch', `${machine}/swallow-later.ts`, 'export const f = (p: Promise<void>) => p.catch(() => {})\n'],
  ['no-warning-comments', `${machine}/later.ts`, `// ${'TO'}${'DO'}: later\nexport const later = 0\n`],
  ['no-floating-promises', `${machine}/floating.ts`, 'export function f(p: Promise<void>) {\n  p\n}\n'],
  ['no-misused-promises', `${machine}/misused.ts`, 'export const f = (p: Promise<boolean>) => (p ? 1 : 2)\n'],
  [
    'switch-exhaustiveness-check',
    `${machine}/exhaustive.ts`,
    "export function f(kind: 'a' | 'b'): number {\n  switch (kind) {\n    case 'a':\n      return 1\n  }\n  return 0\n}\n",
  ],
  ['no-unnecessary-condition', `${machine}/always.ts`, 'export const f = (text: string) => (text === undefined ? 1 : 2)\n'],
  ['no-explicit-any', `${machine}/any.ts`, 'export const f = (value: any): unknown => value\n'],
  ['no-focused-tests', `${machine}/focused.test.ts`, "import { it } from 'vitest'\nit.only('x', () => {})\n"],
  ['no-disabled-tests', `${machine}/disabled.test.ts`, "import { it } from 'vitest'\nit.skip('x', () => {})\n"],
  ['no-sleep', `${machine}/sleep.test.ts`, `export const f = () => new Promise(resolve => setTimeout(${'resolve'}, 50))\n`],
  ['no-sleep', `${machine}/sleep-call.test.ts`, 'export const f = () => new Promise<void>(done => { setTimeout(() => done(), 50) })\n'],
  [
    'no-sleep',
    'test/integration/sleep.test.ts',
    "import { setTimeout as wait } from 'node:timers/promises'\nexport const f = () => wait(50)\n",
  ],
  [
    'clean',
    `${pure}/good.ts`,
    'export const known: ReadonlyMap<string, number> = new Map([])\nexport const now = (nowMs: number) => nowMs + 1\n',
  ],
  ['clean', `${pure}/good.test.ts`, "export const bytes = () => Buffer.from('x')\n"],
  ['clean', 'packages/coordinator/src/main.ts', 'export const at = () => [Date.now(), process.pid]\n'],
  [
    'clean',
    'packages/sim-ports/src/turn.ts',
    "import { createHash } from 'node:crypto'\nexport const f = () => [setImmediate(() => 0), createHash('sha256')]\n",
  ],
  ['clean', `${machine}/clock.ts`, 'export const now = () => Date.now()\n'],
  ['clean', `${machine}/deadline.test.ts`, 'export const f = (stop: () => void) => setTimeout(() => stop(), 50)\n'],
  [
    'clean',
    `${machine}/said.ts`,
    'export const f = (p: Promise<void>) =>\n  p.catch(() => {\n    // The peer is gone, which is what was wanted.\n  })\n',
  ],
]

describe('lint', () => {
  using tree = fixture(Object.fromEntries(cases.map(([, file, source]) => [file, source])))
  const run = spawnSync(process.execPath, [join(root, 'node_modules/oxlint/bin/oxlint'), '--format', 'json', 'packages', 'test'], {
    cwd: tree.path,
    encoding: 'utf8',
  })
  const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: readonly Diagnostic[] }
  it.each(cases)('%s: %s', (rule, file) => {
    const found = diagnostics.filter(({ filename }) => filename.endsWith(file)).map(({ code }) => /\((.*)\)/.exec(code)?.[1] ?? code)
    if (rule === 'clean') expect(found).toEqual([])
    else expect(found).toContain(rule)
  })
})
