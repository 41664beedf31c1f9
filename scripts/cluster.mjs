#!/usr/bin/env node
// The launcher behind `npm start`, `npm test` and `npx cluster`: sets up what is missing, then hands over to the pinned Node.
// Plain JavaScript, because it must run on whatever Node (18 or later) the machine has, before anything is installed.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bringUpToDate as build } from './launcher/build.mjs'
import { forwardSignals, handOver, SetupError } from './launcher/child.mjs'
import { bringUpToDate as install } from './launcher/install.mjs'
import { pinnedNode } from './launcher/node.mjs'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const [first, name = '', ...rest] = process.argv.slice(2)

forwardSignals()
try {
  await install(root)
  const node = pinnedNode(root)
  await build(root, node)
  process.exitCode =
    first === '--run' ? await handOver(node, ['--conditions=source', script(name), ...rest]) : await handOver(node, command())
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  if (error.message !== '') console.error(error.message)
  process.exitCode = error.exitCode
}

/** The file behind `npm test` and its like. */
function script(name) {
  const file = resolve(root, 'scripts', `${name}.ts`)
  if (!/^[a-z-]+$/.test(name) || !existsSync(file)) throw new SetupError(`There is no script called '${name}'.`, 2)
  return file
}

function command() {
  const file = resolve(root, 'dist/cli.mjs')
  if (!existsSync(file)) throw new SetupError('This checkout has no command line to build (packages/cli/src/main.ts).', 1)
  return [file, ...process.argv.slice(2)]
}
