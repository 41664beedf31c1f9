// What no other tool checks: names, opening comments, leftovers, rules without a test, stale generated pages, dead links.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { stalePages } from './docs.ts'
import { emptyNames } from './structure.ts'

/** The files of a tree that are looked at, with their text: all that git tracks or would track. */
type Files = ReadonlyMap<string, string>

export function readTree(root: string): Files {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  // A copy without its history is checked as well: all that is not made by the tools.
  const made = ['**/node_modules', '**/dist', '.git', '.cache', '**/.atoll']
  const paths = git.status === 0 ? git.stdout.split('\0') : globSync(['**/*', '**/.*'], { cwd: root, exclude: made })
  const files = [...new Set(paths)].filter(path => path !== '' && statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
  return new Map(files.filter(isText).map(path => [path, readFileSync(join(root, path), 'utf8')]))
}

const isText = (path: string) => /\.(ts|mts|mjs|js|json|ya?ml|md|sh|txt|html|css)$|^\.?[^.]*$|\/[^.]+$/.test(path)
const isSource = (path: string) => /\.(ts|mts|mjs|js)$/.test(path)
const isTest = (path: string) => path.endsWith('.test.ts')
const where = (text: string, index: number) => text.slice(0, index).split('\n').length

/** Every match of `pattern` in the chosen files, as `file:line: message (match)`. */
function matches(files: Files, chosen: (path: string) => boolean, pattern: RegExp, message: string): string[] {
  return [...files]
    .filter(([path]) => chosen(path))
    .flatMap(([path, text]) =>
      [...text.matchAll(pattern)].map(match => `${path}:${where(text, match.index)}: ${message} (${match[0].trim()})`),
    )
}

/** No file or folder is named after nothing in particular. */
export function badNames(files: Files): string[] {
  const vague = (path: string) => path.split('/').find(part => emptyNames.includes(part.replace(/(\.test)?\.[a-z]+$/, '')))
  return [...files.keys()].flatMap(path => {
    const part = isSource(path) ? vague(path) : vague(dirname(path))
    return part === undefined ? [] : [`${path}: '${part}' says nothing about what is inside`]
  })
}

/** A source file opens with a comment that says what it is. */
export function missingOpenings(files: Files): string[] {
  return [...files].flatMap(([path, text]) => {
    const first = text.replace(/^#!.*\n/, '')
    return !isSource(path) || /^(\/\/ ?\S|\/\*\*)/.test(first) ? [] : [`${path}:1: does not open with a comment that says what it is`]
  })
}

/** Notes to oneself, tests left out, and errors dropped in a script. Spelled apart, so that this file does not find itself. */
export function leftovers(files: Files): string[] {
  const notes = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`, 'g')
  return [
    ...matches(files, path => isSource(path) || path.endsWith('.sh'), notes, 'unfinished'),
    ...matches(files, isTest, /\b(it|test|describe|suite)\.(only|skip|todo|fails)\b/g, 'a test that does not count'),
  ]
}

/** Every rule [ABC12] of a SPEC.md is proved by a test whose title opens with it. */
export function untestedRules(files: Files): string[] {
  const tests = [...files].filter(([path]) => isTest(path)).map(([, text]) => text)
  const proved = new Set(
    tests
      .flatMap(text => [...text.matchAll(/['"`]((\[[A-Z]+\d+\]\s*)+)/g)])
      .flatMap(([, rules = '']) => rules.match(/\[[A-Z]+\d+\]/g) ?? []),
  )
  return [...files]
    .filter(([path]) => /^packages\/[^/]+\/SPEC\.md$/.test(path))
    .flatMap(([path, text]) => {
      const first = new Map<string, number>()
      for (const { 0: rule, index } of text.matchAll(/\[[A-Z]+\d+\](?!\()/g)) if (!first.has(rule)) first.set(rule, where(text, index))
      return [...first]
        .filter(([rule]) => !proved.has(rule))
        .map(([rule, line]) => `${path}:${line}: no test has a title that opens with ${rule}`)
    })
}

/** No path of the machine that something was written on, and no registry host in the lockfile. */
export function machinePaths(files: Files, root: string): string[] {
  // A checkout at /app says nothing: that path may well stand in a manifest as an example.
  const telling = [root, homedir()].filter((place, index) => place.split('/').length > (index === 0 ? 2 : 1) && place !== '/')
  const places = telling.map(place => `${place}/`.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const everywhere = () => true
  return [
    ...matches(files, everywhere, new RegExp(`(?<![\\w.])(${places.join('|')})`, 'g'), 'a path of this machine'),
    ...matches(files, everywhere, /(?<![\w.])\/(home|Users)\/[a-z][\w-]*\//g, 'a path of some machine'),
    ...matches(files, path => path === 'pnpm-lock.yaml', /https?:\/\/\S+/g, 'a host in the lockfile'),
  ]
}

/** Relative links in Markdown lead to a file. */
export function deadLinks(files: Files, root: string): string[] {
  return [...files]
    .filter(([path]) => path.endsWith('.md'))
    .flatMap(([path, text]) =>
      [...text.matchAll(/\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)/g)]
        .filter(match => !existsSync(resolve(root, dirname(path), decodeURIComponent(match[1] ?? ''))))
        .map(match => `${path}:${where(text, match.index)}: nothing there: ${match[1]}`),
    )
}

/** Every folder of packages/ has a manifest, and every manifest its front door once it has sources. */
export function missingFrontDoors(root: string): string[] {
  return globSync('packages/*/src', { cwd: root })
    .filter(source => !existsSync(join(root, source, 'index.ts')) && !existsSync(join(root, source, 'main.ts')))
    .map(source => `${source}: neither index.ts nor main.ts`)
}

export async function problems(root: string): Promise<readonly string[]> {
  const files = readTree(root)
  return [
    ...badNames(files),
    ...missingOpenings(files),
    ...leftovers(files),
    ...untestedRules(files),
    ...machinePaths(files, root),
    ...deadLinks(files, root),
    ...missingFrontDoors(root),
    ...(await stalePages(root)),
  ]
}

if (import.meta.main) {
  const found = await problems(resolve(import.meta.dirname, '..'))
  for (const line of found) console.error(line)
  process.exitCode = found.length === 0 ? 0 : 1
}
