// Plants what tidy looks for and expects it to be named; and a tree without faults to pass.
import { describe, expect, it } from 'vitest'
import { stalePages } from '../../scripts/docs.ts'
import { badNames, deadLinks, leftovers, machinePaths, missingFrontDoors, missingOpenings, untestedRules } from '../../scripts/tidy.ts'
import { fixture, root } from './fixture.ts'

const tree = (files: Readonly<Record<string, string>>) => new Map(Object.entries(files))
const note = `${'TO'}${'DO'}`

describe('tidy', () => {
  it('names a file or folder that is called after nothing', () => {
    const files = tree({ 'packages/base/src/utils.ts': '', 'packages/base/src/helpers/ring.ts': '', 'test/chaos/common.test.ts': '' })
    expect(badNames(files)).toHaveLength(3)
    expect(badNames(tree({ 'packages/protocol/src/field-types.ts': '', 'docs/common.md': '' }))).toEqual([])
  })

  it('names a source file without an opening comment', () => {
    const files = tree({ 'a.ts': "import 'x'\n", 'b.ts': '\n// Late.\n', 'c.mjs': '#!/usr/bin/env node\nconst x = 1\n' })
    expect(missingOpenings(files)).toHaveLength(3)
    expect(
      missingOpenings(tree({ 'a.ts': '// A.\n', 'b.ts': '/** B. */\n', 'c.mjs': '#!/usr/bin/env node\n// C.\n', 'd.json': '{}' })),
    ).toEqual([])
  })

  it('names what was left for later', () => {
    expect(leftovers(tree({ 'a.ts': `// ${note} soon\n`, 'a.test.ts': `it.${'only'}('x')\ndescribe.${'todo'}('y')\n` }))).toEqual([
      `a.ts:1: unfinished (${note})`,
      `a.test.ts:1: a test that does not count (it.${'only'})`,
      `a.test.ts:2: a test that does not count (describe.${'todo'})`,
    ])
    expect(leftovers(tree({ 'a.ts': '// Nothing left TODOS.\n', 'a.test.ts': "it('x')\n" }))).toEqual([])
  })

  it('names a rule of a SPEC that no test has in its title', () => {
    const spec = { 'packages/swim/SPEC.md': '# Rules\n- [SW1] suspects\n- [SW12] refutes, as [RFC1](https://example.org) has it\n' }
    expect(
      untestedRules(
        tree({ ...spec, 'packages/swim/src/a.test.ts': "it('[SW12] refutes', () => {\n  // [SW1]\n  log('after [SW1]')\n})\n" }),
      ),
    ).toEqual(['packages/swim/SPEC.md:2: no test has a title that opens with [SW1]'])
    const each = "it.each(cases)('[SW1] suspects %s', f)\nit(`[SW13] [SW12] refutes`, f)\n"
    expect(untestedRules(tree({ ...spec, 'test/simulation/a.test.ts': each }))).toEqual([])
  })

  it('names a path of the machine and a host in the lockfile', () => {
    const home = `/${'home'}/somebody/`
    const files = tree({
      'docs/a.md': `See ${home}notes.`,
      'b.ts': `// ${root}/b.ts`,
      'pnpm-lock.yaml': 'tarball: https://example.org/x.tgz',
    })
    expect(machinePaths(files, root)).toHaveLength(3)
    expect(machinePaths(tree({ 'docs/a.md': 'Open ./docs/home/index.md in /tmp/x.' }), root)).toEqual([])
  })

  it('names a relative link that leads nowhere', () => {
    using files = fixture({ 'docs/here.md': '' })
    const page = '[a](here.md) [b](here.md#part) [c](https://example.org) [d](#part) [e](gone.md)\n'
    expect(deadLinks(tree({ 'docs/page.md': page }), files.path)).toEqual(['docs/page.md:1: nothing there: gone.md'])
  })

  it('names a package without a front door', () => {
    using files = fixture({ 'packages/base/src/ring.ts': '', 'packages/swim/src/index.ts': '' })
    expect(missingFrontDoors(files.path)).toEqual(['packages/base/src: neither index.ts nor main.ts'])
  })

  it('names a generated page that is not what the code says', async () => {
    const source = '// A page.\nexport const page = () => `# Page\n`\n'
    using files = fixture({ 'packages/base/src/page.ts': source, 'docs/fresh.md': '# Page\n', 'docs/stale.md': '# Old page\n' })
    const page = (name: string) => ({ file: `docs/${name}.md`, module: 'packages/base/src/page.ts', export: 'page' })
    expect(await stalePages(files.path, [page('fresh'), page('stale'), page('missing')])).toEqual([
      'docs/stale.md: not what the code says; run: npx cluster --run docs',
      'docs/missing.md: not what the code says; run: npx cluster --run docs',
    ])
  })
})
