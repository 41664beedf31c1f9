// The leader's side of log replication (Raft section 5.3) and the commit rule (5.4.2).
import { assert, type NodeId } from '@atoll/base'
import { majority, majorityIndex } from './configuration.ts'
import type { AppendAccepted, AppendRejected, Heartbeat, SnapshotProgress } from './messages.ts'
import { Progress } from './progress.ts'
import type { Server } from './server.ts'
import { type LogIndex, least, logIndex, next, previous } from './terms.ts'

export class Replication {
  readonly #server: Server
  readonly #peers = new Map<NodeId, Progress>()

  constructor(server: Server, now: number) {
    this.#server = server
    this.membersChanged(now)
  }

  get peers(): ReadonlyMap<NodeId, Progress> {
    return this.#peers
  }

  /** Starts with who joined, and forgets who left. */
  membersChanged(now: number): void {
    const { configuration, self, log, settings } = this.#server
    const members = [...configuration.voters, ...configuration.learners].filter(({ node }) => node !== self.node)
    for (const [node, { member }] of this.#peers) {
      if (!members.some(({ node: kept, disk }) => kept === node && disk === member.disk)) this.#peers.delete(node)
    }
    for (const member of members) {
      if (!this.#peers.has(member.node)) this.#peers.set(member.node, new Progress(member, next(log.lastIndex), settings, now))
    }
  }

  /** Sends each peer whatever it may be sent: entries, parts of a snapshot, or that more is committed. */
  sendAll(now: number): void {
    for (const peer of this.#peers.values()) this.#send(peer, now)
  }

  /** Keeps followers from standing, tells what is committed, and asks `round` whether this is still the leader. */
  heartbeat(round: number): void {
    const { ballot, outbox, commit } = this.#server
    for (const peer of this.#peers.values()) {
      const told = least(peer.match, commit)
      const heartbeat: Heartbeat = { kind: 'heartbeat', term: ballot.term, commit: told, round }
      outbox.send(peer.member, heartbeat, 'nothing')
      if (told > peer.commitTold) peer.commitTold = told
    }
  }

  /** Begins again with peers that let entries go unanswered. */
  retryStalled(now: number): void {
    for (const peer of this.#peers.values()) if (peer.isStalled(now)) peer.lost()
  }

  accepted(peer: Progress, message: AppendAccepted): void {
    assert(message.match <= this.#server.log.lastIndex, 'a peer holds no entry of this term that its leader does not')
    peer.damaged = message.damaged
    peer.accepted(message.match)
  }

  rejected(peer: Progress, { prevIndex, hintIndex, hintTerm, damaged }: AppendRejected): void {
    const { log } = this.#server
    const agreeAtMost = log.edgeUpTo(log.lastUpToTerm(least(hintIndex, log.lastIndex), hintTerm))
    peer.rejected(prevIndex, agreeAtMost, damaged)
  }

  snapshotProgress(peer: Progress, { index, nextOffset }: SnapshotProgress, now: number): void {
    if (peer.snapshot?.snapshot.index === index) peer.snapshot.answered(nextOffset, now)
  }

  /**
   * Commits what a majority has on disk, this server among it only as far as its own disk is. Replicas are counted
   * only for an entry of the leader's own term; older entries are committed with it (Raft figure 8).
   */
  advanceCommit(): void {
    const { configuration, self, durableIndex, log, term, commit } = this.#server
    const held = majorityIndex(configuration, node => (node === self.node ? durableIndex : this.#countedOf(node)))
    if (held > commit && log.termAt(held) === term) this.#server.commitTo(held)
  }

  /** A majority was heard within an election timeout. Without one this leader may long have been replaced. */
  hearsMajority(now: number): boolean {
    const { configuration, self, settings } = this.#server
    return majority(configuration, node => node === self.node || now - this.#heardMs(node) <= settings.electionTimeoutMsMax)
  }

  /** The voter that is furthest and was heard lately: the best successor. */
  successor(now: number): Progress | undefined {
    const { configuration, settings } = this.#server
    const candidates = configuration.voters.flatMap(({ node }) => this.#peers.get(node) ?? [])
    const able = candidates.filter(peer => !peer.damaged && now - peer.heardMs <= settings.electionTimeoutMsMin)
    return able.toSorted((a, b) => b.match - a.match)[0]
  }

  #countedOf(node: NodeId): LogIndex {
    return this.#peers.get(node)?.counted ?? logIndex(0)
  }

  #heardMs(node: NodeId): number {
    return this.#peers.get(node)?.heardMs ?? Number.NEGATIVE_INFINITY
  }

  #send(peer: Progress, now: number): void {
    if (peer.state === 'snapshot') return this.#sendChunks(peer, now)
    if (peer.state === 'probe') {
      if (peer.mayProbe(now)) this.#sendAppend(peer, now)
      return
    }
    let sent = true
    while (sent && peer.nextIndex <= this.#server.log.lastIndex) sent = this.#sendAppend(peer, now)
    const commit = least(this.#server.commit, peer.match)
    if (peer.snapshot === undefined && peer.commitTold < commit) this.#sendCommit(peer, commit)
  }

  /** One message of entries. Returns false when none may be sent. */
  #sendAppend(peer: Progress, now: number): boolean {
    const { log, settings, ballot, outbox, commit } = this.#server
    const prevIndex = previous(peer.nextIndex)
    const prevTerm = log.termAt(prevIndex)
    // The term before the first entry is always known, even when that entry is long gone.
    const isDiscarded = peer.nextIndex <= log.lastIndex && !log.holds(peer.nextIndex)
    if (prevTerm === undefined || isDiscarded) {
      this.#beginSnapshot(peer, now)
      return false
    }
    const batches = log.batchesFrom(peer.nextIndex, settings.appendBytesMax)
    if (batches === undefined) return false
    assert((batches[0]?.firstIndex ?? peer.nextIndex) === peer.nextIndex, 'a message begins with what the peer needs next')
    const bytes = batches.reduce((sum, batch) => sum + batch.sizeBytes, 0)
    if (!peer.inflight.hasRoomFor(bytes)) return false
    outbox.send(peer.member, { kind: 'append', term: ballot.term, prevIndex, prevTerm, batches, commit }, 'nothing')
    const lastIndex = batches.at(-1)?.lastIndex ?? prevIndex
    peer.commitTold = least(commit, lastIndex)
    peer.sent(lastIndex, bytes, now)
    return true
  }

  #sendCommit(peer: Progress, commit: LogIndex): void {
    const { ballot, outbox, log } = this.#server
    const prevTerm = log.termAt(peer.match)
    if (prevTerm === undefined) return
    outbox.send(peer.member, { kind: 'append', term: ballot.term, prevIndex: peer.match, prevTerm, batches: [], commit }, 'nothing')
    peer.commitTold = commit
  }

  /** Only to a peer that was heard lately: the dead are not sent megabytes. */
  #beginSnapshot(peer: Progress, now: number): void {
    if (now - peer.heardMs > this.#server.settings.electionTimeoutMsMin) return
    const { snapshot } = this.#server.log
    assert(snapshot.index > 0, 'what is no longer in the log is in the snapshot')
    peer.sendSnapshot(snapshot, now)
    this.#sendChunks(peer, now)
  }

  #sendChunks(peer: Progress, now: number): void {
    const sender = peer.snapshot
    if (sender === undefined || now - peer.heardMs > this.#server.settings.electionTimeoutMsMin) return
    for (const chunk of sender.nextChunks(now)) {
      const message = { kind: 'snapshot_chunk', term: this.#server.term, snapshot: sender.snapshot, ...chunk } as const
      this.#server.outbox.send(peer.member, message, 'nothing')
    }
  }
}
