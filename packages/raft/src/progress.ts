// What the leader knows of one peer's log, and how it may send to it (etcd's design: probe, replicate, snapshot).
// probe: where the logs agree is not known; one message at a time. replicate: messages follow each other without
// waiting, up to the window. snapshot: what the peer needs is no longer in the log.
import { assert } from '@atoll/base'
import { Inflight } from './inflight.ts'
import type { Snapshot } from './raft-log.ts'
import type { RaftSettings } from './settings.ts'
import { SnapshotSender } from './snapshot-sender.ts'
import { type LogIndex, logIndex, type Member, next } from './terms.ts'

export class Progress {
  readonly member: Member
  readonly inflight: Inflight
  readonly #settings: RaftSettings
  #match = logIndex(0)
  #nextIndex: LogIndex
  #state: 'probe' | 'replicate' = 'probe'
  #snapshot: SnapshotSender | undefined
  /** When the probe under way was sent. */
  #probedMs: number | undefined
  /** The peer lost entries that it once confirmed. */
  damaged = false
  /** The highest commit index told. */
  commitTold = logIndex(0)
  /** When anything of this term came from the peer. */
  heardMs: number

  constructor(member: Member, nextIndex: LogIndex, settings: RaftSettings, now: number) {
    this.member = member
    this.#nextIndex = nextIndex
    this.#settings = settings
    this.inflight = new Inflight(settings.inflightMessagesMax, settings.inflightBytesMax)
    this.heardMs = now
  }

  /** The two logs are equal up to here and the peer has it on disk. */
  get match(): LogIndex {
    return this.#match
  }

  /** The next entry to send. */
  get nextIndex(): LogIndex {
    return this.#nextIndex
  }

  get state(): 'probe' | 'replicate' | 'snapshot' {
    return this.#snapshot === undefined ? this.#state : 'snapshot'
  }

  get snapshot(): SnapshotSender | undefined {
    return this.#snapshot
  }

  /** What counts towards a commit. */
  get counted(): LogIndex {
    return this.damaged ? logIndex(0) : this.#match
  }

  mayProbe(now: number): boolean {
    return this.#probedMs === undefined || now - this.#probedMs >= 3 * this.#settings.heartbeatMs
  }

  /** Entries up to `lastIndex` left. */
  sent(lastIndex: LogIndex, bytes: number, now: number): void {
    if (this.#state === 'probe') {
      this.#probedMs = now
      return
    }
    assert(lastIndex >= this.#nextIndex, 'what is sent is new to the peer')
    this.inflight.add({ lastIndex, bytes, sentMs: now })
    this.#nextIndex = next(lastIndex)
  }

  /** The peer confirmed everything up to `match`. */
  accepted(match: LogIndex): void {
    this.inflight.answered(match)
    if (match > this.#match) this.#match = match
    if (match >= this.#nextIndex) this.#nextIndex = next(match)
    const awaited = this.#snapshot?.snapshot.index
    if (awaited !== undefined && match < awaited) return
    if (awaited !== undefined || this.#state === 'probe') {
      this.#snapshot = undefined
      this.#state = 'replicate'
      this.#probedMs = undefined
      this.inflight.clear()
      this.#nextIndex = next(this.#match)
    }
  }

  /** The logs do not agree before `nextIndex`. Returns false for an answer that something newer has overtaken. */
  rejected(prevIndex: LogIndex, agreeAtMost: LogIndex, damaged: boolean): boolean {
    if (damaged) {
      // A damaged peer takes back what it confirmed in an earlier life.
      this.damaged = true
      this.#match = logIndex(0)
    } else if (prevIndex <= this.#match || (this.#state === 'probe' && prevIndex !== this.#nextIndex - 1)) return false
    if (this.#snapshot !== undefined) return false
    const agreed = agreeAtMost < this.#match ? this.#match : agreeAtMost
    this.#probeFrom(next(agreed))
    return true
  }

  /** What was in flight may be lost: begin again where the logs are known to agree. */
  lost(): void {
    if (this.#snapshot === undefined) this.#probeFrom(next(this.#match))
  }

  /** Nothing came back for so long that what was sent must be lost. */
  isStalled(now: number): boolean {
    const oldest = this.inflight.oldestMs
    return oldest !== undefined && now - oldest > this.#settings.electionTimeoutMsMin
  }

  sendSnapshot(snapshot: Snapshot, now: number): void {
    this.inflight.clear()
    this.#state = 'probe'
    this.#snapshot = new SnapshotSender(snapshot, this.#settings, now)
  }

  /** The snapshot is no longer to be had. */
  abandonSnapshot(): void {
    this.#snapshot = undefined
    this.#probeFrom(next(this.#match))
  }

  #probeFrom(index: LogIndex): void {
    this.#state = 'probe'
    this.#probedMs = undefined
    this.inflight.clear()
    this.#nextIndex = index
    assert(this.#nextIndex > this.#match, 'what a peer confirmed is not sent again')
  }
}
