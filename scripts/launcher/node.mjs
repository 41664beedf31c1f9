// Which Node runs everything but this launcher: the pinned one that the install brought, else a recent enough one of the user's.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError } from './child.mjs'

export function pinnedNode(root) {
  const pinned = join(root, 'node_modules/node/bin/node')
  if (existsSync(pinned)) return pinned
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const wanted = Number.parseInt(optionalDependencies.node, 10)
  if (Number.parseInt(process.versions.node, 10) >= wanted) return process.execPath
  throw new SetupError(
    `Atoll needs Node ${wanted} or later. The npm package 'node' brings it where its install script may run and has a build ` +
      `for ${process.platform}-${process.arch}; here it did not, and this is Node ${process.versions.node}. Install Node ${wanted}, then try again.`,
    7,
  )
}
