// Admin requests: what every node answers about itself, whatever its role.
import { formatEndpoint, type LinkFaults, type MonotonicMs } from '@atoll/base'
import { type adminConversation, type HandlersOf, MEMBERS_MAX, type MemberView, ProtocolError } from '@atoll/protocol'
import type { GossipAgent } from './gossip-agent.ts'
import { linkRuleOf } from './link-rules.ts'
import type { NodeContext } from './node.ts'
import type { StallDetector } from './stall-detector.ts'

export interface AdminSubject {
  readonly context: NodeContext
  readonly agent: GossipAgent
  readonly stalls: StallDetector
  readonly links: LinkFaults | undefined
  readonly startedMs: MonotonicMs
}

/** The handlers of the admin conversation for one node. */
export function adminHandlers({ context, agent, stalls, links, startedMs }: AdminSubject): HandlersOf<typeof adminConversation> {
  const { ports, identity, lifecycle } = context
  return {
    nodeStatus: () => {
      const { residentBytes, cpuMs } = ports.process.usage()
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
      }
    },
    nodeMetrics: () => ({ text: context.metrics.text() }),
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
