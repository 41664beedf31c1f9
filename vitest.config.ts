// The test projects: unit tests sit beside their file in packages/, everything else under test/<project>/.
import { defineConfig } from 'vitest/config'

/** Longest time one test or hook may take, in milliseconds. A test that needs more is waiting for something it should not. */
const timeoutMs: Readonly<Record<string, number>> = {
  unit: 10_000,
  structure: 60_000,
  contract: 30_000,
  golden: 10_000,
  simulation: 120_000,
  fuzz: 60_000,
  hostile: 60_000,
  integration: 60_000,
  chaos: 120_000,
}

/** Projects that start real clusters run one file at a time: they measure time, and two clusters on two cores disturb each other. */
const alone = new Set(['hostile', 'integration', 'chaos'])

// `source` makes a package resolve to its TypeScript, so a test never runs a stale build.
const conditions = ['source', 'node', 'import', 'module', 'default']

export default defineConfig({
  test: {
    passWithNoTests: true,
    pool: 'forks',
    maxWorkers: 2,
    projects: Object.entries(timeoutMs).map(([name, timeout]) => ({
      resolve: { conditions },
      ssr: { resolve: { conditions } },
      test: {
        name,
        include: name === 'unit' ? ['packages/**/*.test.ts'] : [`test/${name}/**/*.test.ts`],
        exclude: ['**/node_modules/**', '**/dist/**'],
        setupFiles: ['scripts/test-worker.ts'],
        testTimeout: timeout,
        hookTimeout: timeout,
        fileParallelism: !alone.has(name),
      },
    })),
  },
})
