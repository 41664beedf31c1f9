// The bundle of `doctor --report`: one JSON file with everything that helps to find a bug, and nothing that identifies
// the user or opens the cluster.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir, hostname, release, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import manifest from '../package.json' with { type: 'json' }
import type { Finding } from './machine-checks.ts'
import { connect, statusOf } from './running-cluster.ts'
import { statusJson } from './status-view.ts'
import type { Target } from './target.ts'

/** Of each log, the last so many bytes. */
const LOG_BYTES_MAX = 256 * 1024

/** Writes the bundle. Answers where it is. */
export async function writeReport(file: string, target: Target, findings: readonly Finding[]): Promise<string> {
  await using client = await connect(target)
  const report = {
    schema: 1,
    writtenAt: new Date().toISOString(),
    atoll: manifest.version,
    node: process.versions,
    system: `${process.platform} ${process.arch} ${release()}`,
    findings,
    status: statusJson(target, client === undefined ? undefined : await statusOf(client, true)),
    config: textOf(target.configFile),
    configInForce: textOf(target.paths.config),
    ports: textOf(target.paths.ports),
    logs: Object.fromEntries(logFiles(target).map(name => [name, tailOf(join(target.paths.logs, name))])),
  }
  const path = resolve(file)
  writeFileSync(path, `${redact(JSON.stringify(report, undefined, 1))}\n`, { mode: 0o600 })
  return path
}

/** Home, user and machine go; secrets never were in it. */
function redact(text: string): string {
  const words: readonly (readonly [string, string])[] = [
    [ifKnown(homedir), '~'],
    [hostname(), 'HOST'],
    [ifKnown(() => userInfo().username), 'USER'],
  ]
  // A name that is part of ordinary words says nothing about anybody.
  return words.filter(([word]) => word.length > 3 && word !== 'root').reduce((all, [word, by]) => all.replaceAll(word, by), text)
}

/** A user without an entry in the system's list has no name and no home; Node throws then. */
function ifKnown(ask: () => string): string {
  try {
    return ask()
  } catch {
    return ''
  }
}

function logFiles({ paths }: Target): string[] {
  try {
    return readdirSync(paths.logs).filter(name => /\.(ndjson|stderr)(\.1)?$/.test(name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function tailOf(path: string): string[] {
  return readFileSync(path, 'utf8').slice(-LOG_BYTES_MAX).split('\n')
}

function textOf(path: string | undefined): string | null {
  try {
    return path === undefined ? null : readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
