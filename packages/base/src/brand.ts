// Branded primitives: a node's name and a member's incarnation are both primitives, and mixing them up must not compile.

declare const brand: unique symbol
/** A primitive that only a named constructor may make. Costs nothing at run time. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** A process's name in the cluster, e.g. `broker-2`: 1 to 63 characters, a DNS label (RFC 1035 section 2.3.1). */
export type NodeId = Brand<string, 'NodeId'>
/** A cluster's identity: set when its state directory is made, never reused. 1 to 63 characters. */
export type ClusterId = Brand<string, 'ClusterId'>
/** A SWIM member's own counter; only its subject raises it (SWIM section 4.2). */
export type Incarnation = Brand<number, 'Incarnation'>
/** Milliseconds on a monotonic clock with an arbitrary origin; may be fractional; never compared with wall time. */
export type MonotonicMs = Brand<number, 'MonotonicMs'>
/** Milliseconds since the Unix epoch; may jump. */
export type WallMs = Brand<number, 'WallMs'>

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** True when `name` can be a node's or a cluster's name (a lower-case DNS label). */
export function isDnsLabel(name: string): boolean {
  return DNS_LABEL.test(name)
}

/** `name` as a node's name. Throws a RangeError naming it when it is not a DNS label. */
export function nodeId(name: string): NodeId {
  if (!isDnsLabel(name))
    throw new RangeError(`not a node name: ${JSON.stringify(name)} (want a lower-case DNS label of 1 to 63 characters)`)
  return name as NodeId
}

/** `name` as a cluster's identity. Throws a RangeError naming it when it is not a DNS label. */
export function clusterId(name: string): ClusterId {
  if (!isDnsLabel(name))
    throw new RangeError(`not a cluster id: ${JSON.stringify(name)} (want a lower-case DNS label of 1 to 63 characters)`)
  return name as ClusterId
}
