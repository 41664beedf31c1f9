// The control conversation: what the command line may ask of the supervisor.
import type { controlConversation, HandlersOf } from '@atoll/protocol'
import type { Cluster } from './cluster.ts'
import type { StartRequest } from './launch-messages.ts'
import { leaderOf, whyNotReady } from './readiness.ts'

/** An answer that says what is missing must arrive before its caller gives up, in milliseconds. */
const ANSWER_MARGIN_MS = 150

export interface ControlSubject {
  readonly request: StartRequest
  readonly cluster: Cluster
  readonly configDigest: string
  readonly startedAtMs: number
  /** Ends the nodes and, once the answer is on its way, this process. */
  readonly stop: (options: { readonly deleteState: boolean; readonly kill: boolean }) => Promise<readonly string[]>
}

export function controlHandlers({
  request,
  cluster,
  configDigest,
  startedAtMs,
  stop,
}: ControlSubject): HandlersOf<typeof controlConversation> {
  const startedMs = performance.now()
  return {
    clusterStatus: async ({ probe }) => {
      const nodes = await cluster.status(probe)
      const unready = probe ? whyNotReady(nodes) : []
      return {
        cluster: request.cluster,
        ready: probe && unready.length === 0,
        unready,
        ephemeral: request.ephemeral,
        pid: process.pid,
        startedAtMs,
        configDigest,
        nodes,
        links: cluster.links,
        leader: leaderOf(nodes),
      }
    },
    clusterAwaitReady: async (_request, context) => {
      await cluster.whenReady(context.remainingMs() - ANSWER_MARGIN_MS, context.signal)
      return { readyAfterMs: performance.now() - startedMs }
    },
    clusterStop: async options => ({ stopped: (await stop(options)) as never }),
    nodesKill: async ({ nodes }) => {
      await cluster.kill(nodes)
      return {}
    },
    nodesPause: async ({ nodes }) => {
      await cluster.pause(nodes)
      return {}
    },
    nodesResume: async ({ nodes }) => {
      await cluster.resume(nodes)
      return {}
    },
    nodesRestart: async ({ nodes }, context) => {
      await cluster.restart(nodes, context.remainingMs() - ANSWER_MARGIN_MS)
      return {}
    },
    linksReplace: async ({ rules }) => ({ applied: (await cluster.replaceLinks(rules)) as never }),
  }
}
