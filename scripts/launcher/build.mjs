// Builds the bundles of dist/ when a source file, the build itself or an installed dependency is not that of the last build.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runStep, SetupError } from './child.mjs'
import { withLock } from './lock.mjs'

export async function bringUpToDate(root, node) {
  if (isUpToDate(root)) return
  const onWait = () => console.error('Another command is building this checkout; waiting for it.')
  await withLock(join(root, '.cache/lock'), onWait, async () => {
    if (isUpToDate(root)) return
    // Taken before the build, so that a file saved meanwhile is built next time.
    const stamp = wantedStamp(root)
    const code = await runStep(node, [join(root, 'scripts/build.ts')], { cwd: root })
    if (code !== 0) throw new SetupError('The build failed; the lines above say why.', 1)
    mkdirSync(join(root, 'dist'), { recursive: true })
    writeFileSync(stampFile(root), stamp)
  })
}

const stampFile = root => join(root, 'dist/.built')

/** Path, size and time of every source file: a deleted or renamed one counts too, which comparing times alone would miss. */
function wantedStamp(root) {
  const hash = createHash('sha256').update(readFileSync(join(root, 'node_modules/.atoll-installed')))
  const add = path => {
    const { size, mtimeMs } = statSync(join(root, path))
    hash.update(`${path} ${size} ${mtimeMs}\n`)
  }
  const walk = directory => {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = `${directory}/${entry.name}`
      if (entry.isDirectory()) walk(path)
      else if (!entry.name.endsWith('.test.ts')) add(path)
    }
  }
  for (const name of readdirSync(join(root, 'packages')).sort()) {
    if (readdirSync(join(root, 'packages', name)).includes('src')) walk(`packages/${name}/src`)
  }
  for (const path of ['scripts/build.ts', 'scripts/structure.ts']) add(path)
  return hash.digest('hex')
}

function isUpToDate(root) {
  try {
    return readFileSync(stampFile(root), 'utf8') === wantedStamp(root)
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw error
  }
}
