// What is compared: three servers on this machine, and a client of theirs.

export interface Subject {
  readonly name: string
  /** Starts three servers on empty disks; resolves when the first put is acknowledged. */
  start(): Promise<void>
  put(key: string, value: Uint8Array): Promise<void>
  /** Linearizable. */
  get(key: string): Promise<void>
  /** `kill -9` of whoever leads; resolves, with how many milliseconds later, when the next put is acknowledged. */
  killLeader(): Promise<number>
  /** Starts again what was killed, and resolves when all is as before. */
  mend(): Promise<void>
  close(): Promise<void>
}
