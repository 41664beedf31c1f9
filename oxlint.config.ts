// Lint: what the type checker cannot see about promises and conditions, the purity bans, and the house rules.
// Formatting is Biome's, imports between packages are dependency-cruiser's.
import { defineConfig } from 'oxlint'
import { impureGlobals, impureProperties, machinePackages, processEntry, purePackages, simPortsGlobals } from './scripts/structure.ts'

const bannedGlobals = (allowed: readonly string[] = []) =>
  Object.entries(impureGlobals)
    .filter(([name]) => !allowed.includes(name))
    .map(([name, message]) => ({ name, message }))

const pureCode = purePackages
  .map(name => `packages/${name}/**/*.ts`)
  .concat(machinePackages.map(name => `packages/${name}/src/core/**/*.ts`))

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'vitest'],
  jsPlugins: ['./scripts/lint/rules.ts'],
  categories: { correctness: 'error' },
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['**/dist/**', '**/node_modules/**', '.atoll/**', '.cache/**'],
  rules: {
    'atoll/no-enum': 'error',
    'atoll/no-export-all': 'error',
    'atoll/no-silent-catch': 'error',
    'import/no-default-export': 'error',
    'no-empty': 'error',
    'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'], location: 'anywhere' }],
    'no-console': 'off',
    'no-control-regex': 'off',
    'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'prefer-const': 'error',
    'no-var': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/return-await': ['error', 'error-handling-correctness-only'],
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
    'typescript/only-throw-error': 'error',
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/use-unknown-in-catch-callback-variable': 'error',
    'typescript/consistent-type-imports': 'error',
    'unicorn/prefer-node-protocol': 'error',
    'vitest/no-focused-tests': 'error',
    'vitest/valid-expect': ['error', { maxArgs: 2 }],
    'vitest/no-disabled-tests': 'error',
    'vitest/expect-expect': 'off',
    // A table of cases decides per row what to expect.
    'vitest/no-conditional-expect': 'off',
    'vitest/require-mock-type-parameters': 'off',
    'unicorn/no-thenable': 'error',
    // A preallocated array is said best with its length.
    'unicorn/no-new-array': 'off',
  },
  overrides: [
    {
      files: pureCode,
      rules: {
        'no-restricted-globals': ['error', ...bannedGlobals()],
        'no-restricted-properties': ['error', ...impureProperties],
        'atoll/no-dynamic-import': 'error',
        'atoll/no-module-state': 'error',
      },
    },
    {
      files: ['packages/sim-ports/**/*.ts'],
      rules: {
        'no-restricted-globals': ['error', ...bannedGlobals(simPortsGlobals)],
        'no-restricted-imports': [
          'error',
          { paths: [{ name: 'node:crypto', allowImportNames: ['createHash', 'createHmac'], message: 'Only hashes are pure.' }] },
        ],
      },
    },
    {
      // A process entry hands Node's ports to code that is otherwise pure.
      files: purePackages.map(name => `packages/${name}/${processEntry}`),
      rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' },
    },
    {
      // Unit tests of pure code may compare with Node's own Buffer and print; they still have no clock of their own.
      files: purePackages.map(name => `packages/${name}/**/*.test.ts`),
      rules: { 'no-restricted-globals': ['error', ...bannedGlobals(['Buffer', 'process', 'console'])], 'no-restricted-imports': 'off' },
    },
    {
      files: ['**/*.test.ts'],
      rules: {
        'atoll/no-sleep': 'error',
        // A test reads better when it states what it knows of its own data.
        'typescript/no-non-null-assertion': 'off',
      },
    },
    {
      // The relations between constants are asserted so that changing one of them is noticed.
      files: ['**/limits.ts'],
      rules: { 'typescript/no-unnecessary-condition': 'off' },
    },
    {
      // Tools that insist on a default export.
      files: ['*.config.ts', 'scripts/lint/rules.ts', '.dependency-cruiser.mjs'],
      rules: { 'import/no-default-export': 'off' },
    },
  ],
})
