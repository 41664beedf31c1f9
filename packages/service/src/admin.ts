// Admin requests: what every node answers about itself, whatever its role.
import { type Clock, formatEndpoint, type LinkFaults, type MonotonicMs } from '@atoll/base'
import { type adminConversation, type HandlersOf, MEMBERS_MAX, type MemberView, ProtocolError, type Revision } from '@atoll/protocol'
import type { GossipAgent } from './gossip-agent.ts'
import { ANSWER_KEPT_MS } from './limits.ts'
import { linkRuleOf } from './link-rules.ts'
import type { NodeContext } from './node.ts'
import type { NodeRegistration } from './node-registration.ts'
import type { StallDetector } from './stall-detector.ts'

const NOT_REGISTERED = 0 as Revision
const TROUBLE_LENGTH_MAX = 300

export interface AdminSubject {
  readonly context: NodeContext
  readonly agent: GossipAgent
  readonly stalls: StallDetector
  readonly links: LinkFaults | undefined
  readonly startedMs: MonotonicMs
  readonly registration: Pick<NodeRegistration, 'epoch' | 'trouble'>
}

/** The handlers of the admin conversation for one node. */
export function adminHandlers({
  context,
  agent,
  stalls,
  links,
  startedMs,
  registration,
}: AdminSubject): HandlersOf<typeof adminConversation> {
  const { ports, identity, lifecycle } = context
  const usage = keptFor(ANSWER_KEPT_MS, ports.clock, () => ports.process.usage())
  const metricsText = keptFor(ANSWER_KEPT_MS, ports.clock, () => context.metrics.text())
  return {
    nodeStatus: () => {
      const { residentBytes, cpuMs } = usage()
      return {
        node: identity.node,
        role: identity.role,
        state: lifecycle.state,
        incarnation: agent.incarnation,
        pid: ports.process.pid,
        uptimeMs: Math.round(ports.clock.monotonicMs() - startedMs),
        residentBytes,
        cpuMs: Math.round(cpuMs),
        stalls: stalls.count,
        members: memberViews(agent),
        epoch: registration.epoch ?? NOT_REGISTERED,
        unregistered: registration.trouble?.slice(0, TROUBLE_LENGTH_MAX),
      }
    },
    nodeMetrics: () => ({ text: metricsText() }),
    nodeSetLinks: ({ rules }) => {
      if (links === undefined) throw new ProtocolError('faults_not_enabled')
      const table = rules.map(linkRuleOf)
      links.replaceRules(table)
      context.log.warn(
        { event: 'link_faults', rules: table.length },
        table.length === 0 ? 'all links are healed' : 'links are broken on purpose',
      )
      return {}
    },
    nodeSetLogLevel: ({ level }) => {
      context.setLogLevel(level)
      return {}
    },
  }
}

/** What `read` answered in the last `ms` milliseconds: asking the system costs more than the rest of an answer. */
function keptFor<T>(ms: number, clock: Clock, read: () => T): () => T {
  let kept: { readonly value: T; readonly atMs: number } | undefined
  return () => {
    const nowMs = clock.monotonicMs()
    if (kept === undefined || nowMs - kept.atMs >= ms) kept = { value: read(), atMs: nowMs }
    return kept.value
  }
}

function memberViews(agent: GossipAgent): MemberView[] {
  const views = agent.members().map(({ node, state, incarnation, meta }) => {
    const native = meta.endpoints.find(({ protocol }) => protocol === 'native')
    return {
      node,
      role: meta.role,
      state,
      incarnation,
      address: native === undefined ? '' : formatEndpoint(native),
      loadPercent: meta.loadPercent,
    }
  })
  // Gossip bounds the others; this node comes on top of them.
  return views.slice(0, MEMBERS_MAX)
}
