// The shape of the workspace in one table: which package may import which, and which code must be reproducible from a seed.
// Lint, the layer check and tidy all read it, and test/structure plants a violation of each rule.

/**
 * Packages from the bottom up. A package may import only from rows above its own, never from its own row.
 * Planned packages stand here already, so that the first file of one is held to its place.
 */
export const layers: readonly (readonly string[])[] = [
  ['base'],
  ['protocol', 'records', 'history'],
  ['swim', 'raft', 'commit-log', 'hash-ring', 'http', 'node-ports', 'sim-ports'],
  ['client'],
  ['service'],
  ['coordinator', 'broker', 'cache', 'proxy', 'gateway', 'resolver', 'console'],
  ['supervisor', 'sim'],
  ['testkit'],
  ['cli'],
]

/** Packages that touch the machine: Node's ports, what spawns processes, the SDK's outer layer and the HTTP edge. Of these only `core/` is simulated. */
export const machinePackages: readonly string[] = [
  'node-ports',
  'client',
  'supervisor',
  'testkit',
  'cli',
  'http',
  'proxy',
  'gateway',
  'console',
]

/** Everything else runs in the simulator: time, randomness, network and disk reach it only through the ports of `base`. */
export const purePackages: readonly string[] = layers.flat().filter(name => !machinePackages.includes(name))

/** Process entries: the one file of a pure package that may use Node, because it hands Node's ports to the rest. */
export const processEntry = 'src/main.ts'

/** What `sim-ports` may take from Node: hashes and codecs are pure, and the simulator has to see what escapes its own scheduler. */
export const simPortsModules: readonly string[] = ['node:crypto', 'node:zlib', 'node:async_hooks']
export const simPortsGlobals: readonly string[] = ['setImmediate']

/** Globals that bring time, randomness, I/O or the garbage collector's timing into code that must replay from a seed. */
export const impureGlobals: Readonly<Record<string, string>> = {
  Date: 'take the time from the Clock port',
  Temporal: 'take the time from the Clock port',
  performance: 'take the time from the Clock port',
  setTimeout: 'use the Clock port',
  setInterval: 'use the Clock port',
  setImmediate: 'use Clock.endOfTurn',
  clearTimeout: 'use the Clock port',
  clearInterval: 'use the Clock port',
  clearImmediate: 'use the Clock port',
  process: 'use the Process port, or pass the value in from main.ts',
  crypto: 'use the Random port',
  fetch: 'use the Net port',
  WebSocket: 'use the Net port',
  EventSource: 'use the Net port',
  ReadableStream: 'use the Net and Disk ports',
  WritableStream: 'use the Net and Disk ports',
  TransformStream: 'use the Net and Disk ports',
  CompressionStream: 'use the Compute port',
  DecompressionStream: 'use the Compute port',
  Worker: 'use the Compute port',
  MessageChannel: 'use Clock.endOfTurn',
  BroadcastChannel: 'use the Net port',
  WeakRef: 'what the garbage collector does is not reproducible',
  FinalizationRegistry: 'what the garbage collector does is not reproducible',
  Buffer: 'use Uint8Array',
  console: 'use the log sink',
  require: 'use an import',
  global: 'name what you need instead of reaching through the global object',
  globalThis: 'name what you need instead of reaching through the global object',
}

/** The same for members of globals that are otherwise welcome. */
export const impureProperties: readonly { readonly object: string; readonly property: string; readonly message: string }[] = [
  { object: 'Math', property: 'random', message: 'use the Random port' },
  { object: 'AbortSignal', property: 'timeout', message: 'use the Clock port' },
]

/** Names that say nothing about what is inside. */
export const emptyNames: readonly string[] = ['utils', 'util', 'helpers', 'helper', 'common', 'types', 'misc']

/** Bundles of `dist/` and the file each starts from. One whose file does not exist yet is not built. */
export const bundles: Readonly<Record<string, string>> = {
  cli: 'packages/cli/src/main.ts',
  supervisor: 'packages/supervisor/src/main.ts',
  coordinator: 'packages/coordinator/src/main.ts',
  broker: 'packages/broker/src/main.ts',
}

/** Packages that run in other people's processes: where each is built to, and from which file. */
export const sdks: Readonly<Record<string, string>> = { 'packages/client/dist': 'packages/client/src/index.ts' }
/** The oldest Node they have to run on. */
export const sdkNodeMajor = 20

/** Native code, left out of every bundle; a dependency of the root, so that `dist/` finds it. */
export const externals: readonly string[] = ['@node-rs/crc32']
