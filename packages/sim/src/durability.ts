// Durable before acknowledged, asked of the disks themselves: whatever a coordinator believes, what it acknowledges would be
// left on a majority of the disks if now the power of all machines failed and everything not synced were lost.
import type { NodeId } from '@atoll/base'
import type { SimCluster } from './sim-cluster.ts'

/** Of the end of each log; what is acknowledged now was written a moment ago. */
const TAIL_BYTES = 32_768

/** Undefined when a majority holds `command`, the entry at `index`; otherwise a sentence that says who does. */
export function notDurable(
  cluster: SimCluster,
  command: Uint8Array,
  index: number,
  snapshotOf: (name: NodeId) => number,
): string | undefined {
  const { names } = cluster
  const holders = names.filter(name => snapshotOf(name) >= index || isDamaged(cluster, name) || holds(cluster, name, command))
  if (holders.length * 2 > names.length) return undefined
  return `${index} is acknowledged, and only ${holders.join(', ') || 'nobody'} would have it after a loss of power`
}

/** A disk that lost something may have lost it since. */
function isDamaged(cluster: SimCluster, name: NodeId): boolean {
  const { bitsFlipped, wiped } = cluster.diskOf(name).fired
  return bitsFlipped + wiped > 0
}

function holds(cluster: SimCluster, name: NodeId, command: Uint8Array): boolean {
  for (const [path, file] of cluster.diskOf(name).files())
    if (path.endsWith('.log') && isWithin(file.durableBytes().subarray(-TAIL_BYTES), command)) return true
  return false
}

function isWithin(bytes: Uint8Array, wanted: Uint8Array): boolean {
  const [first] = wanted
  for (let at = bytes.indexOf(first as number); at !== -1; at = bytes.indexOf(first as number, at + 1)) {
    let same = 1
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++
    if (same === wanted.length) return true
  }
  return false
}
