// The layer check: dependency-cruiser with the rules of .dependency-cruiser.mjs, plus proof that it saw every file there is.
import { globSync } from 'node:fs'
import { resolve } from 'node:path'
import { cruise, type ICruiseOptions, type ICruiseResult } from 'dependency-cruiser'
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options'
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config'

const root = resolve(import.meta.dirname, '..')

/** Every violation under `baseDir`, one line each. The rules are always this workspace's own, so that a fixture can be held to them. */
export async function layerViolations(baseDir: string): Promise<readonly string[]> {
  const files = globSync('packages/*/src/**/*.ts', { cwd: baseDir })
  if (files.length === 0) return ['no module found under packages/*/src']
  const options: ICruiseOptions = { ...(await extractOptions(resolve(root, '.dependency-cruiser.mjs'))), baseDir }
  const tsConfig = resolve(root, 'tsconfig.json')
  const { output } = await cruise(files, options, {}, { tsConfig: extractTsConfig(tsConfig) })
  const { modules, summary } = output as ICruiseResult
  const violations = summary.violations.map(found => `${found.rule.name}: ${found.from} → ${found.to}`)
  // Beside a TypeScript it cannot use, dependency-cruiser sees nothing and is content.
  const seen = new Set(modules.map(module => module.source))
  const missed = files.filter(file => !seen.has(file))
  return [...violations, ...missed.map(file => `not seen by dependency-cruiser: ${file}`)]
}

if (import.meta.main) {
  const violations = await layerViolations(root)
  for (const line of violations) console.error(line)
  process.exitCode = violations.length === 0 ? 0 : 1
}
