// A small workspace in a temporary folder, held to this workspace's own rules: where a violation is planted to see it caught.
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

export interface Fixture extends Disposable {
  readonly path: string
}

/** Writes `files` and makes every package among them resolvable by its name, as the install does. */
export function fixture(files: Readonly<Record<string, string>>): Fixture {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'atoll structure ')))
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(path, file)), { recursive: true })
    writeFileSync(join(path, file), text)
  }
  for (const [file, text] of Object.entries(files)) write(file, text)
  mkdirSync(join(path, 'node_modules/@atoll'), { recursive: true })
  const packages = new Set(Object.keys(files).flatMap(file => /^packages\/([^/]+)\//.exec(file)?.[1] ?? []))
  for (const name of packages) {
    const manifest = {
      name: `@atoll/${name}`,
      type: 'module',
      exports: { '.': { source: './src/index.ts' }, './main': { source: './src/main.ts' } },
    }
    write(`packages/${name}/package.json`, JSON.stringify(manifest))
    symlinkSync(join(path, 'packages', name), join(path, 'node_modules/@atoll', name))
  }
  for (const installed of ['.bin', '@types', 'oxlint', 'oxlint-tsgolint', 'vitest']) {
    symlinkSync(join(root, 'node_modules', installed), join(path, 'node_modules', installed))
  }
  for (const config of ['tsconfig.json', 'oxlint.config.ts']) copyFileSync(join(root, config), join(path, config))
  symlinkSync(join(root, 'scripts'), join(path, 'scripts'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
