// What an operator may set. Each default was settled by simulation: bench/swim-simulation.ts, explained in SPEC.md.

export interface SwimSettings {
  /** One member is probed per interval, on average; a probe that got no answer for as long fails. */
  readonly probeIntervalMs: number
  /** So many members are probed at a time, every so many intervals: waking up costs a process more than a message does. */
  readonly probesPerRound: number
  /** Silence after which helpers are asked; the rest of the interval is theirs. */
  readonly ackTimeoutMs: number
  /** Helpers asked to probe a silent member (SWIM's k). */
  readonly indirectProbes: number
  /** A suspected member has at least this long to refute, whatever the size of the cluster. */
  readonly suspicionFloorMs: number
  /** Suspicion lasts at least this many intervals, times log10 of the members (memberlist's SuspicionMult). */
  readonly suspicionMult: number
  /** An unconfirmed suspicion lasts this many times the least (Lifeguard's beta). */
  readonly suspicionMaxMult: number
  /** Between two rounds of gossip while there is something to say. */
  readonly gossipIntervalMs: number
  readonly gossipFanout: number
  /** A member repeats one update this many times ceil(log10(members + 1)), at least 2 (memberlist's RetransmitMult). */
  readonly retransmitMult: number
  /** Between two full exchanges with a random member, up to 32 members; grows with log2 beyond. */
  readonly syncIntervalMs: number
  /** Between two attempts to reach one of the dead. */
  readonly deadGossipIntervalMs: number
  /** A dead or departed member is remembered this long. */
  readonly deadKeptMs: number
}

export const defaultSettings: SwimSettings = {
  probeIntervalMs: 150,
  probesPerRound: 2,
  ackTimeoutMs: 60,
  indirectProbes: 3,
  suspicionFloorMs: 700,
  suspicionMult: 4,
  suspicionMaxMult: 6,
  gossipIntervalMs: 50,
  gossipFanout: 3,
  retransmitMult: 4,
  syncIntervalMs: 30_000,
  deadGossipIntervalMs: 1_000,
  deadKeptMs: 3_600_000,
}
