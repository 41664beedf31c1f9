// Planted bugs: a package with one thing wrong, to prove that a simulation would notice. Production code carries no
// switches for this; the bug is written into a copy of the source.
//
// A mutation names a file and what to replace in it. Each `find` must occur there exactly once, so a mutation that the
// source has outgrown fails loudly instead of testing nothing. `loadMutated` bundles the package from its entry with
// the mutations applied, its workspace imports included, and imports the result as a module of its own:
//
//   const mutant = await loadMutated<typeof import('@atoll/swim')>('packages/swim/src/index.ts', {
//     name: 'incarnation not raised',
//     edits: [{ file: 'packages/swim/src/self-record.ts', find: 'claimed) + 1', replace: 'claimed)' }],
//   })
//
// Then run `mutant` through the same scenarios and seeds that the real module passes, and expect a violation.
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

export interface Mutation {
  /** What is wrong, in a few words; appears in the test's title. */
  readonly name: string
  readonly edits: readonly Edit[]
}

export interface Edit {
  /** Relative to the root of the checkout. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}

const root = resolve(import.meta.dirname, '../..')
const mutants = join(root, 'node_modules/.cache/mutants')

/** The module that `entry` (relative to the root) makes once `mutation` is in its sources. */
export async function loadMutated<Module>(entry: string, mutation: Mutation): Promise<Module> {
  const applied = new Set<Edit>()
  const result = await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    write: false,
    format: 'esm',
    // Some of what is bundled is older than modules.
    banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
    platform: 'node',
    conditions: ['source'],
    sourcemap: 'inline',
    logLevel: 'silent',
    plugins: [planter(mutation, applied)],
  })
  const missed = mutation.edits.filter(edit => !applied.has(edit))
  if (missed.length > 0) throw new Error(`${mutation.name}: ${entry} does not import ${missed.map(edit => edit.file).join(', ')}`)
  const code = result.outputFiles[0]?.contents ?? new Uint8Array()
  const file = join(mutants, `${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`)
  await mkdir(mutants, { recursive: true })
  await writeFile(file, code)
  return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Module
}

function planter(mutation: Mutation, applied: Set<Edit>): Plugin {
  return {
    name: 'planted bug',
    setup(bundle) {
      // What brings a binary along cannot be bundled, and is nothing to plant bugs in.
      bundle.onResolve({ filter: /^@node-rs\// }, async ({ path, resolveDir, kind, pluginData }) => {
        if (pluginData === 'resolved') return undefined
        const { path: found } = await bundle.resolve(path, { resolveDir, kind, pluginData: 'resolved' })
        return { path: found, external: true }
      })
      bundle.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const edits = mutation.edits.filter(edit => join(root, edit.file) === path)
        if (edits.length === 0) return undefined
        const contents = edits.reduce((text, edit) => plant(mutation, edit, text), await readFile(path, 'utf8'))
        for (const edit of edits) applied.add(edit)
        return { contents, loader: 'ts' }
      })
    },
  }
}

function plant({ name }: Mutation, { file, find, replace }: Edit, text: string): string {
  const parts = text.split(find)
  if (parts.length !== 2) throw new Error(`${name}: ${JSON.stringify(find)} occurs ${parts.length - 1} times in ${file}, not once`)
  return parts.join(replace)
}
