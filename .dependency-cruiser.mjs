// The package layers of scripts/structure.ts as dependency-cruiser rules. Path rules end in `/`: `^packages/cli` also matches `client`.
import { layers, machinePackages, purePackages, simPortsModules } from './scripts/structure.ts'

const anyOf = names => `^packages/(${names.join('|')})/`
const all = layers.flat()
const testFile = '[.]test[.]ts$'
/** Pure code: whole packages, and the cores of the others. */
const pure = [anyOf(purePackages), `${anyOf(machinePackages)}src/core/`]
const mainFile = '^packages/[^/]+/src/main[.]ts$'

/** For each layer, everything that does not lie below it, other than the importing package itself. */
const upward = layers.map((layer, level) => ({
  name: `layer-${level}`,
  comment: `${layer.join(', ')} may import only from ${layers.slice(0, level).flat().join(', ') || 'no package'}.`,
  severity: 'error',
  from: { path: `^packages/(${layer.join('|')})/` },
  to: { path: '^packages/', pathNot: [`^packages/$1/`, ...(level === 0 ? [] : [anyOf(layers.slice(0, level).flat())])] },
}))

export default {
  forbidden: [
    ...upward,
    {
      name: 'known-package',
      comment: 'A package has a place in the table of scripts/structure.ts before it has a file.',
      severity: 'error',
      from: { path: '^packages/', pathNot: anyOf(all) },
      to: {},
    },
    {
      name: 'front-door',
      comment: 'A package is entered through its src/index.ts, or that of its core, under its name.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/', pathNot: ['^packages/$1/', '^packages/[^/]+/src/(index|main|core/index)[.]ts$'] },
    },
    {
      name: 'main-for-main',
      comment: 'A main.ts may use Node. Only another main.ts, which may too, builds on it.',
      severity: 'error',
      from: { path: '^packages/', pathNot: [mainFile, testFile] },
      to: { path: mainFile },
    },
    {
      name: 'by-name',
      comment: 'Another package is imported by its name, never by a relative path.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/', pathNot: '^packages/$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'no-node-in-pure-code',
      comment: 'Pure code reaches the machine only through the ports of base.',
      severity: 'error',
      from: { path: pure, pathNot: [testFile, mainFile, '^packages/sim-ports/'] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-node-in-sim-ports',
      comment: `The simulator takes only ${simPortsModules.join(' and ')} from Node.`,
      severity: 'error',
      from: { path: '^packages/sim-ports/', pathNot: testFile },
      to: { dependencyTypes: ['core'], pathNot: `^(node:)?(${simPortsModules.map(name => name.replace('node:', '')).join('|')})$` },
    },
    {
      name: 'no-machine-package-in-pure-code',
      comment: 'Only main.ts of a pure package, which hands the ports to the rest, knows a package that touches the machine.',
      severity: 'error',
      from: { path: pure, pathNot: [mainFile, testFile] },
      to: { path: anyOf(machinePackages), pathNot: '^packages/[^/]+/src/core/' },
    },
    {
      name: 'no-test-in-source',
      comment: 'Source never imports a test, a script, or anything else outside packages/.',
      severity: 'error',
      from: { path: '^packages/', pathNot: testFile },
      to: { path: [testFile, '^(test|scripts|bench)/'] },
    },
    {
      name: 'no-cycle',
      comment: 'Two files that need each other are one idea, or hide a third. Cycles of types alone are harmless.',
      severity: 'error',
      from: { path: '^packages/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'An import that cannot be resolved hides whatever it points to from every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
}
