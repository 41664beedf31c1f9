// Writes the pages of docs/ that are generated from values in the code, so that they cannot say anything else than the code.
// `npx cluster --run docs` writes them; tidy only compares.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** A page, and the function without arguments that returns its text: `export` of the package's module `module`. */
interface Page {
  readonly file: string
  readonly module: string
  readonly export: string
}

/** Modules are given by their path from the root: the root itself depends on no package of the workspace. */
const pages: readonly Page[] = [
  { file: 'docs/protocol.md', module: 'packages/protocol/src/index.ts', export: 'protocolPage' },
  { file: 'docs/kafka-protocol.md', module: 'packages/broker/src/index.ts', export: 'kafkaPage' },
  { file: 'docs/config.md', module: 'packages/service/src/index.ts', export: 'configPage' },
]

async function textOf(root: string, page: Page): Promise<string> {
  const module: Record<string, unknown> = await import(join(root, page.module))
  const render = module[page.export]
  if (typeof render !== 'function') throw new Error(`${page.module} exports no function ${page.export}`)
  return String(render())
}

/** The generated pages that are not what the code now says. */
export async function stalePages(root: string, all: readonly Page[] = pages): Promise<string[]> {
  const stale: string[] = []
  for (const page of all) {
    const file = join(root, page.file)
    const written = existsSync(file) ? readFileSync(file, 'utf8') : undefined
    if (written !== (await textOf(root, page))) stale.push(`${page.file}: not what the code says; run: npx cluster --run docs`)
  }
  return stale
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '..')
  for (const page of pages) {
    mkdirSync(dirname(join(root, page.file)), { recursive: true })
    writeFileSync(join(root, page.file), await textOf(root, page))
  }
}
