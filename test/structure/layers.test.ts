// Plants a violation of every rule on imports and expects dependency-cruiser to name it.
import { describe, expect, it } from 'vitest'
import { layerViolations } from '../../scripts/layers.ts'
import { fixture } from './fixture.ts'

/** The levels of the design, written out a second time, so that a slip in the table the rules are made from shows here. */
const levels: Readonly<Record<string, number>> = Object.fromEntries(
  [
    'base',
    'protocol records history',
    'swim raft commit-log hash-ring http node-ports sim-ports',
    'client',
    'service',
    'coordinator broker cache proxy gateway resolver console',
    'supervisor sim',
    'testkit',
    'cli',
  ].flatMap((row, level) => row.split(' ').map(name => [name, level])),
)
const names = Object.keys(levels)
const indexes = Object.fromEntries(names.map(name => [`packages/${name}/src/index.ts`, '// Empty.\nexport const nothing = 0\n']))

describe('between packages', () => {
  it('allows exactly the imports that point to a lower number', async () => {
    const importAll = (from: string) =>
      names
        .filter(to => to !== from)
        .map(to => `import '@atoll/${to}'\n`)
        .join('')
    const all = Object.fromEntries(names.map(from => [`packages/${from}/src/all.ts`, importAll(from)]))
    using tree = fixture({ ...indexes, ...all })
    const violations = await layerViolations(tree.path)
    const refused = violations.filter(line => line.startsWith('layer-')).map(line => line.replace(/^layer-\d+: packages\/|src\/\S+/g, ''))
    const pairs = refused.map(line => line.replace(/\/? → packages\//, ' ').replaceAll('/', ''))
    const expected = names.flatMap(from =>
      names.filter(to => to !== from && (levels[to] ?? 0) >= (levels[from] ?? 0)).map(to => `${from} ${to}`),
    )
    expect(pairs.toSorted()).toEqual(expected.toSorted())
  })
})

/** A planted import, and the rules that must name it. `clean` ones must pass. */
const cases: readonly (readonly [rule: string, file: string, source: string])[] = [
  ['known-package', 'packages/unheard/src/index.ts', "import '@atoll/base'\n"],
  ['front-door', 'packages/protocol/src/deep.ts', "import '../../base/src/inner.ts'\n"],
  ['main-for-main', 'packages/service/src/uses-main.ts', "import './main.ts'\n"],
  ['main-for-main', 'packages/coordinator/src/uses-main.ts', "import '@atoll/service/main'\n"],
  ['by-name', 'packages/protocol/src/sideways.ts', "import '../../base/src/index.ts'\n"],
  ['no-node-in-pure-code', 'packages/swim/src/files.ts', "import 'node:fs'\n"],
  ['no-node-in-pure-code', 'packages/swim/src/bare.ts', "import 'fs'\n"],
  ['no-node-in-pure-code', 'packages/swim/src/type-only.ts', "import type { Readable } from 'node:stream'\nexport type Input = Readable\n"],
  ['no-node-in-pure-code', 'packages/service/src/late.ts', "export const load = () => import('node:os')\n"],
  ['no-node-in-pure-code', 'packages/proxy/src/core/socket.ts', "import 'node:net'\n"],
  ['no-node-in-sim-ports', 'packages/sim-ports/src/files.ts', "import 'node:fs'\n"],
  ['no-machine-package-in-pure-code', 'packages/service/src/ports.ts', "import '@atoll/node-ports'\n"],
  ['no-machine-package-in-pure-code', 'packages/coordinator/src/ports.ts', "import '@atoll/node-ports'\n"],
  ['no-test-in-source', 'packages/base/src/uses-test.ts', "import './inner.test.ts'\n"],
  ['no-test-in-source', 'packages/base/src/uses-bench.ts', "import '../../../bench/load.ts'\n"],
  ['no-cycle', 'packages/base/src/one.ts', "import { two } from './two.ts'\nexport const one = () => two\n"],
  ['resolvable', 'packages/base/src/lost.ts', "import './gone.ts'\n"],
  ['clean', 'bench/load.ts', 'export const load = 0\n'],
  ['clean', 'packages/base/src/two.ts', "import { one } from './one.ts'\nexport const two = () => one\n"],
  ['clean', 'packages/base/src/inner.ts', 'export const inner = 0\n'],
  ['clean', 'packages/base/src/inner.test.ts', "import 'node:assert'\nimport './inner.ts'\n"],
  ['clean', 'packages/swim/src/good.ts', "import '@atoll/base'\nimport '@atoll/protocol'\n"],
  ['clean', 'packages/node-ports/src/disk.ts', "import 'node:fs'\nimport '@atoll/base'\n"],
  ['clean', 'packages/sim-ports/src/hash.ts', "import 'node:crypto'\nimport 'node:async_hooks'\n"],
  ['clean', 'packages/service/src/main.ts', "import 'node:process'\nimport '@atoll/node-ports'\n"],
  ['clean', 'packages/coordinator/src/main.ts', "import '@atoll/node-ports'\nimport '@atoll/service'\nimport '@atoll/service/main'\n"],
  ['clean', 'packages/proxy/src/listen.ts', "import 'node:net'\nimport './core/other.ts'\n"],
  ['clean', 'packages/proxy/src/core/other.ts', "import './another.ts'\n"],
  ['clean', 'packages/proxy/src/core/another.ts', 'export const another = 0\n'],
  ['clean', 'packages/base/src/type-one.ts', "import type { Two } from './type-two.ts'\nexport interface One { two?: Two }\n"],
  ['clean', 'packages/base/src/type-two.ts', "import type { One } from './type-one.ts'\nexport interface Two { one?: One }\n"],
]

describe('inside packages', async () => {
  using tree = fixture({ ...indexes, ...Object.fromEntries(cases.map(([, file, source]) => [file, source])) })
  const violations = await layerViolations(tree.path)
  it.each(cases)('%s: %s', (rule, file) => {
    const found = violations.filter(line => line.includes(`: ${file} → `)).map(line => line.slice(0, line.indexOf(':')))
    if (rule === 'clean') expect(found.filter(name => name !== 'no-cycle' || !file.endsWith('two.ts'))).toEqual([])
    else expect(found).toContain(rule)
  })
})

describe('the check itself', () => {
  it('fails when it finds nothing to look at', async () => {
    using tree = fixture({})
    expect(await layerViolations(tree.path)).toEqual(['no module found under packages/*/src'])
  })
})
