// The front door of `base`: assertions, branded names, bounded queues, seeded randomness, and the ports through
// which all time, randomness, network and process control enter.
export { assert, InvariantError, present, unreachable } from './assert.ts'
export { BoundedQueue } from './bounded-queue.ts'
export type { Brand, ClusterId, Incarnation, MonotonicMs, NodeId, WallMs } from './brand.ts'
export { clusterId, isDnsLabel, nodeId } from './brand.ts'
export { corrupted, drawDatagramFate, holdMs, Throttle } from './link-effects.ts'
export type { Clock, Timer } from './ports/clock.ts'
export type { Compute, Hash32, NativeCodec } from './ports/compute.ts'
export { CompressionError } from './ports/compute.ts'
export type { Disk, DiskEntry, DiskErrorCode, DiskFault, DiskFaults, DiskFile, OpenMode } from './ports/disk.ts'
export { checkDiskPath, DiskError, directoryOf } from './ports/disk.ts'
export type { LinkEnd, LinkFault, LinkFaults, LinkRule } from './ports/links.ts'
export { faultOn } from './ports/links.ts'
export type { LogFields, Logger, LogSink } from './ports/log.ts'
export { silentLogger } from './ports/log.ts'
export type {
  CloseReason,
  Connection,
  ConnectionHandlers,
  ConnectOptions,
  DatagramFate,
  Endpoint,
  Listener,
  ListenOptions,
  Net,
  NetErrorCode,
} from './ports/net.ts'
export { formatEndpoint, NetError } from './ports/net.ts'
export type { Process, ProcessUsage } from './ports/process.ts'
export type { Random } from './ports/random.ts'
export { SeededRandom, seededRandom, shuffle } from './prng.ts'
export type { Xxhash32Module } from './sliced-hash.ts'
export { slicedXxhash32 } from './sliced-hash.ts'
export { clusterIdIn, SECRET_BYTES, STATE_FORMAT, StateFormatError, secretIn } from './state-format.ts'
export { AbortedError, sleep, withDeadline } from './wait.ts'
export type { ZlibModule } from './zlib-compression.ts'
export { zlibCompression } from './zlib-compression.ts'
