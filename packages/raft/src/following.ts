// The follower's side of log replication: the consistency check, what replaces a conflicting tail, and snapshots.
import { assert, present } from '@atoll/base'
import type { Append, Heartbeat, SnapshotChunk } from './messages.ts'
import { type Batch, isUnbroken } from './raft-log.ts'
import type { Server } from './server.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'
import { type LogIndex, least, type Member, most } from './terms.ts'

export class Following {
  readonly #server: Server
  readonly #receiver = new SnapshotReceiver()

  constructor(server: Server) {
    this.#server = server
  }

  /** Returns false for what no leader sends. */
  append(message: Append, leader: Member): boolean {
    const { log, commit, damage, term, outbox } = this.#server
    if (!isUnbroken(message.batches, message.prevIndex)) return false
    if (message.prevIndex < commit) {
      // Overtaken. What is committed here is what the leader has; it goes on from there.
      this.#accept(commit, leader)
      return true
    }
    if (log.termAt(message.prevIndex) !== message.prevTerm) {
      // The leader skips a whole term at a time: nothing of a later term than its own entry there can agree.
      const hintIndex = most(commit, log.lastUpToTerm(least(message.prevIndex, log.lastIndex), message.prevTerm))
      const hintTerm = present(log.termAt(hintIndex), 'the term of a committed entry')
      damage.believedUntil(message.prevIndex)
      const rejection = { kind: 'append_rejected', term, prevIndex: message.prevIndex, hintIndex, hintTerm } as const
      outbox.send(leader, { ...rejection, damaged: damage.damaged }, 'log')
      return true
    }
    for (const batch of message.batches) this.#appendUnlessThere(batch)
    const match = message.batches.at(-1)?.lastIndex ?? message.prevIndex
    this.#accept(match, leader)
    this.#server.commitTo(least(message.commit, match))
    return true
  }

  heartbeat({ commit, round }: Heartbeat, leader: Member): void {
    const { log, damage, term, outbox } = this.#server
    // A damaged server no longer has everything that the leader knows it confirmed.
    if (!damage.damaged) {
      if (commit <= log.lastIndex) this.#server.commitTo(commit)
      else {
        damage.discover(commit, term)
        outbox.tell({ kind: 'loss_discovered', lastIndex: log.lastIndex, confirmed: commit })
      }
    }
    outbox.send(leader, { kind: 'heartbeat_response', term, round }, 'ballot')
  }

  /** Returns false for what no leader sends. */
  snapshotChunk(message: SnapshotChunk, leader: Member): boolean {
    const { snapshot, offset, lengthBytes } = message
    const { log, commit, term, outbox } = this.#server
    if (offset < 0 || lengthBytes < 0 || offset + lengthBytes > snapshot.sizeBytes) return false
    if (snapshot.index <= commit) {
      this.#accept(commit, leader)
      return true
    }
    if (log.termAt(snapshot.index) === snapshot.term) {
      // The log already reaches the snapshot and agrees with it: nothing needs to be thrown away.
      this.#receiver.abandon()
      this.#server.commitTo(snapshot.index)
      this.#accept(snapshot.index, leader)
      return true
    }
    if (this.#receiver.accept(message)) outbox.keepChunk({ snapshot, offset, lengthBytes })
    const nextOffset = this.#receiver.nextOffset(snapshot)
    outbox.send(leader, { kind: 'snapshot_progress', term, index: snapshot.index, nextOffset }, 'ballot')
    const complete = this.#receiver.takeComplete()
    if (complete === undefined) return true
    this.#server.install(complete)
    this.#accept(complete.index, leader)
    return true
  }

  /** Batches of one leader are cut the same way everywhere, so one that is there is there as a whole. */
  #appendUnlessThere(batch: Batch): void {
    const there = this.#server.log.extentAt(batch.firstIndex)
    if (there?.term !== batch.term) {
      this.#server.append(batch)
      return
    }
    assert(there.firstIndex === batch.firstIndex && there.lastIndex === batch.lastIndex, 'a batch is never cut again')
  }

  #accept(match: LogIndex, leader: Member): void {
    const { damage, term, outbox } = this.#server
    damage.confirm(match)
    outbox.send(leader, { kind: 'append_accepted', term, match, damaged: damage.damaged }, 'log')
  }
}
