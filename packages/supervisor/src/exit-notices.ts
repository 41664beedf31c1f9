// Tells the coordinators of a process that ended, so that nobody waits until its lease does: the supervisor is its parent and
// knows. Whatever the registry has of a node that has no process is of the one that ended, so it need not be asked for before.
import type { Logger, NodeId } from '@atoll/base'
import { memberList, nodeExited, ProtocolError, type RequestOf, type ResponseOf, type Revision, type Rpc } from '@atoll/protocol'
import type { NodeProcess } from './node-process.ts'

/** By then its lease has ended by itself, in milliseconds. */
const TELL_MS_MAX = 4_000
/** A coordinator that takes longer to answer is asked again, in milliseconds. */
const ASK_TIMEOUT_MS = 500
/** Between two looks whether it was heard, in milliseconds. */
const LOOK_MS = 50

export interface ExitNoticesParts {
  /** Asks one coordinator. Rejects with a ProtocolError. */
  readonly ask: <M extends Rpc>(coordinator: NodeProcess, message: M, request: RequestOf<M>, timeoutMs: number) => Promise<ResponseOf<M>>
  readonly nodes: () => Iterable<NodeProcess>
  readonly log: Logger
  /** The whole cluster ends: nobody is left to whom it matters. */
  readonly isStopping: () => boolean
}

export class ExitNotices {
  readonly #parts: ExitNoticesParts

  constructor(parts: ExitNoticesParts) {
    this.#parts = parts
  }

  /** Says that `name` has no process any more, until that is known, too late or wrong. Never rejects but for a bug. */
  async tell(name: NodeId, isGone: () => boolean): Promise<void> {
    const startedMs = performance.now()
    let told = false
    while (isGone() && !this.#parts.isStopping() && performance.now() - startedMs < TELL_MS_MAX) {
      const epoch = await this.#activeEpoch(name)
      if (epoch === 0) {
        if (told) this.#parts.log.info({ event: 'exit_known', subject: name, ms: Math.round(performance.now() - startedMs) }, 'fenced')
        return
      }
      // A process that was started meanwhile may be the one that registered.
      if (epoch !== undefined && isGone()) told = (await this.#askAny(nodeExited, { node: name, epoch })) !== undefined || told
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }

  /** 0 when it has none; undefined when nobody knows just now. */
  async #activeEpoch(name: NodeId): Promise<Revision | 0 | undefined> {
    const answer = await this.#askAny(memberList, { consistency: 'linearizable' })
    if (answer === undefined) return undefined
    return answer.members.find(member => member.name === name && member.state === 'active')?.epoch ?? 0
  }

  /** The first answer of any coordinator; undefined when none does what is asked. */
  async #askAny<M extends Rpc>(message: M, request: RequestOf<M>): Promise<ResponseOf<M> | undefined> {
    const coordinators = [...this.#parts.nodes()].filter(
      ({ plan, isBound, state }) => plan.role === 'coordinator' && isBound && state === 'running',
    )
    const asked = coordinators.map(coordinator => this.#parts.ask(coordinator, message, request, ASK_TIMEOUT_MS))
    try {
      return await Promise.any(asked)
    } catch (error) {
      for (const reason of (error as AggregateError).errors) if (!(reason instanceof ProtocolError)) throw reason
      return undefined
    }
  }
}
