// `npm run fuzz -- --inputs 1000000 [--seed N]`: hostile bytes against the native protocol, until a bug or the end.

import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createSimHashes } from '@atoll/sim-ports'
import { describeFailure, ProtocolFuzzer } from '../test/fuzz/protocol-fuzzer.ts'

/** Inputs between two looks at the memory. */
const LOOK_EVERY = 50_000
/** What may have grown since the first look, in bytes: the code itself warms up before it. */
const GROWTH_BYTES_MAX = 32 * 1024 * 1024

const { values } = parseArgs({ options: { inputs: { type: 'string', default: '200000' }, seed: { type: 'string' } } })
const inputs = Number(values.inputs)
const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)
if (!Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed)) {
  console.error('usage: npm run fuzz -- [--inputs N] [--seed N]')
  process.exit(2)
}

// Most inputs end in an error whose stack nobody reads.
Error.stackTraceLimit = 0
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const fuzzer = new ProtocolFuzzer(seed, { ...(await createSimHashes()), secureBytes: length => new Uint8Array(length) })
const { counts } = fuzzer
const startMs = performance.now()
let firstBytes: number | undefined

/** Twice, with a turn between: buffers are given back after the collection that found them unused. */
async function keptBytes(): Promise<number> {
  collectGarbage()
  await new Promise(resolve => setImmediate(resolve))
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

console.log(`seed ${seed}, ${inputs.toLocaleString('en-US')} inputs`)
while (counts.inputs < inputs) {
  try {
    await fuzzer.step()
  } catch (error) {
    console.error(describeFailure(error, seed, counts.inputs))
    process.exit(1)
  }
  if (counts.inputs % LOOK_EVERY > 0) continue
  const bytes = await keptBytes()
  firstBytes ??= bytes
  console.log(`${counts.inputs.toLocaleString('en-US')} inputs, ${(bytes / 2 ** 20).toFixed(1)} MiB kept`)
  if (bytes - firstBytes > GROWTH_BYTES_MAX) {
    console.error(`seed ${seed}: memory grew by ${bytes - firstBytes} bytes in ${counts.inputs} inputs`)
    process.exit(1)
  }
}
const seconds = (performance.now() - startMs) / 1000
console.log(
  `${Math.round(counts.inputs / seconds).toLocaleString('en-US')} inputs/s (${(counts.bytes / seconds / 2 ** 20).toFixed(1)} MiB/s); slowest ${counts.slowestMs.toFixed(1)} ms`,
)
console.log(`${counts.frames} frames read, ${counts.introduced} hellos believed, ${counts.survived} sessions survived; seed ${seed}`)
