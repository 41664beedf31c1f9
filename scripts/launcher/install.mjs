// Installs the dependencies when the manifests, the lockfile or the platform are not those of the last install.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runStep, SetupError } from './child.mjs'
import { withLock } from './lock.mjs'

export async function bringUpToDate(root) {
  if (isUpToDate(root)) return
  const onWait = () => console.error('Another command is setting up this checkout; waiting for it.')
  await withLock(join(root, '.cache/lock'), onWait, async () => {
    if (isUpToDate(root)) return
    const first = !existsSync(stampFile(root))
    console.error(first ? 'First start: installing, about half a minute and 0.5 GB.' : 'Dependencies changed: installing.')
    // Taken before the install, so that a manifest edited meanwhile is installed next time.
    const stamp = wantedStamp(root)
    const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    // CI: ask nothing. NODE_ENV=production would leave out the tools that build.
    const env = { ...process.env, CI: 'true', NODE_ENV: 'development' }
    const started = performance.now()
    const code = await runStep('npx', ['-y', packageManager, 'install', '--frozen-lockfile', '--loglevel=error'], { cwd: root, env })
    if (code !== 0) {
      const hint = `After a change to a package.json, run: npx -y ${packageManager} install`
      throw new SetupError(`The dependencies could not be installed; the lines above say why. ${hint}`, 7)
    }
    console.error(`Installed in ${Math.round((performance.now() - started) / 1000)} s.`)
    writeFileSync(stampFile(root), stamp)
  })
}

const stampFile = root => join(root, 'node_modules/.atoll-installed')

/** What the installed dependencies depend on. */
function wantedStamp(root) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  const packages = readdirSync(join(root, 'packages')).sort()
  const manifests = packages.map(name => join('packages', name, 'package.json')).filter(file => existsSync(join(root, file)))
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests]) {
    hash.update(`\n${file}\n`).update(readFileSync(join(root, file)))
  }
  return hash.digest('hex')
}

function isUpToDate(root) {
  try {
    const installed = statSync(stampFile(root))
    // `npm install` rearranges node_modules in its own way and leaves this file: then pnpm has to put it back.
    const npm = statSync(join(root, 'node_modules/.package-lock.json'), { throwIfNoEntry: false })
    if (npm !== undefined && npm.mtimeMs > installed.mtimeMs) return false
    return readFileSync(stampFile(root), 'utf8') === wantedStamp(root)
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw error
  }
}
