// How a disk that did not found its cluster comes to vote in it: it asks whoever leads to be taken in, until its own log
// says that it votes. It may have asked a leader that is none any more, or the same step twice; asking is all it does.
import { type Clock, type Logger, type NodeId, sleep } from '@atoll/base'
import type { ErrorCode, ProtocolError } from '@atoll/protocol'
import { JOIN_REFUSED_RETRY_MS, JOIN_RETRY_MS } from './limits.ts'
import type { Standing } from './membership.ts'

export interface JoiningOptions {
  /** Every other coordinator that is known. */
  readonly peers: () => readonly NodeId[]
  readonly ask: (peer: NodeId) => Promise<Standing | ProtocolError>
  /** What its own log says. */
  readonly isVoter: () => boolean
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/** A leader that says this knows better than to be asked again at once: a person has to act. */
const refusals: readonly ErrorCode[] = ['identity_refused', 'name_taken', 'wrong_state']

/** Resolves when this disk votes. Rejects when aborted. */
export async function joinCluster({ peers, ask, isVoter, clock, log, signal }: JoiningOptions): Promise<void> {
  let said: string | undefined
  let leader: NodeId | undefined
  while (!isVoter()) {
    const candidates = peers().toSorted((a, b) => Number(b === leader) - Number(a === leader))
    leader = undefined
    let refusal: ProtocolError | undefined
    for (const peer of candidates) {
      const answer = await ask(peer)
      signal.throwIfAborted()
      if (typeof answer !== 'string' && !refusals.includes(answer.code)) continue
      leader = peer
      if (typeof answer !== 'string') refusal = answer
      const news = typeof answer === 'string' ? answer : `${answer.code}: ${answer.message}`
      if (news === said) break
      said = news
      if (refusal === undefined) log.info({ event: 'joining', standing: news, leader }, 'is being taken in')
      else log.error({ event: 'join_refused', code: refusal.code, reason: refusal.message, leader }, 'is not taken in')
      break
    }
    await sleep(clock, refusal === undefined ? JOIN_RETRY_MS : JOIN_REFUSED_RETRY_MS, signal)
  }
  log.info({ event: 'became_voter' }, 'votes from now on')
}
