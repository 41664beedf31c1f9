// The front door of `node-ports`: the ports of `base` on Node.js, with fault hooks on the links between nodes.
export { createClock } from './clock.ts'
export { createCompute } from './compute.ts'
export type { FileLogSinkOptions } from './file-log-sink.ts'
export { createFileLogSink } from './file-log-sink.ts'
export type { NetOptions, NodeNet } from './net.ts'
export { createNet } from './net.ts'
export { createProcess } from './process.ts'
export { systemRandom } from './random.ts'
