// The process port: what a service may know of and do to the process it runs in.

export interface ProcessUsage {
  /** Resident set, in bytes. */
  readonly residentBytes: number
  /** JavaScript heap in use, in bytes. */
  readonly heapBytes: number
  /** CPU time spent so far, user and system, in milliseconds. */
  readonly cpuMs: number
}

export interface Process {
  readonly pid: number
  /** Which start of the machine this is: with another one what was not synced is gone. Never empty. */
  readonly bootId: string
  usage(): ProcessUsage
  /** Calls `handler` when the process is asked to stop (SIGTERM, or the parent's channel closing); `why` names it. */
  onStopRequest(handler: (why: string) => void): void
  /** Ends the process at once. 0 is a clean stop. In the simulator the node's events end here. */
  exit(code: number): void
}
