// Handing the leadership over (dissertation 3.10): the leader takes no more proposals, brings its successor up to date,
// and tells it to stand at once. If nothing has come of it within an election timeout, everything goes on as before.
import type { NodeId } from '@atoll/base'
import type { Replication } from './replication.ts'
import type { Server } from './server.ts'

export class Transfer {
  readonly to: NodeId
  readonly deadlineMs: number
  #told = false

  constructor(to: NodeId, deadlineMs: number) {
    this.to = to
    this.deadlineMs = deadlineMs
  }

  /** Tells the successor once it has everything. */
  advance({ log, outbox, term }: Server, replication: Replication): void {
    const successor = replication.peers.get(this.to)
    if (this.#told || successor === undefined || successor.match < log.lastIndex) return
    this.#told = true
    outbox.send(successor.member, { kind: 'timeout_now', term }, 'nothing')
  }
}
