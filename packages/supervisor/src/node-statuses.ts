// How each node is: what the supervisor knows of its process, and what it says itself when asked.
import { nodeStatus, ProtocolError, raftStatus } from '@atoll/protocol'
import { askMetadata, type KafkaView } from './kafka-view.ts'
import type { NodeProcess } from './node-process.ts'
import type { NodeSessions } from './node-sessions.ts'
import type { ProbedNode } from './readiness.ts'

/** A node that takes longer than this to answer is reported as not answering, in milliseconds. */
const STATUS_TIMEOUT_MS = 800
/** CPU use is measured over at least this long, in milliseconds. */
const CPU_LOOK_MS = 500

interface CpuSample {
  readonly pid: number
  readonly cpuMs: number
  readonly atMs: number
  readonly percent: number | undefined
}

export class NodeStatuses {
  readonly #sessions: NodeSessions
  readonly #cpu = new Map<string, CpuSample>()

  constructor(sessions: NodeSessions) {
    this.#sessions = sessions
  }

  /** With `probe`, a node that listens is asked. */
  async read(node: NodeProcess, probe: boolean): Promise<ProbedNode> {
    // Somebody may have let it go on by hand; one that answers is not looked at so closely.
    if (node.state === 'paused') node.observe()
    if (!probe || !node.isBound || node.state === 'paused') return withoutAnswer(node)
    const role: string = node.plan.role
    try {
      const [answer, agreement, kafka] = await Promise.all([
        this.#sessions.ask(node, nodeStatus, {}, STATUS_TIMEOUT_MS),
        role === 'coordinator' ? this.#sessions.ask(node, raftStatus, {}, STATUS_TIMEOUT_MS) : undefined,
        toldToClients(node),
      ])
      return {
        ...withoutAnswer(node),
        residentBytes: answer.residentBytes,
        cpuPercent: this.#cpuPercent(node.plan.name, answer),
        answers: answer.state === 'running',
        view: answer.members,
        agreement,
        epoch: answer.epoch,
        unregistered: answer.unregistered,
        kafka,
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      node.observe()
      return withoutAnswer(node)
    }
  }

  /** Since a look at least CPU_LOOK_MS ago, since its start at the first; undefined while that is too short to say. */
  #cpuPercent(name: string, { pid, cpuMs, uptimeMs }: { pid: number; cpuMs: number; uptimeMs: number }): number | undefined {
    const nowMs = performance.now()
    const last = this.#cpu.get(name)
    const before = last?.pid === pid ? last : { pid, cpuMs: 0, atMs: nowMs - uptimeMs, percent: undefined }
    if (nowMs - before.atMs < CPU_LOOK_MS) return before.percent
    const percent = Math.max(0, (100 * (cpuMs - before.cpuMs)) / (nowMs - before.atMs))
    this.#cpu.set(name, { pid, cpuMs, atMs: nowMs, percent })
    return percent
  }
}

/** Undefined when its clients get no answer, or when it has none that speak Kafka. */
async function toldToClients({ endpoints }: NodeProcess): Promise<KafkaView | undefined> {
  const front = endpoints.find(({ protocol }) => protocol === 'kafka')
  if (front === undefined) return undefined
  try {
    return await askMetadata(front, STATUS_TIMEOUT_MS)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return undefined
  }
}

function withoutAnswer(node: NodeProcess): ProbedNode {
  return {
    name: node.plan.name,
    role: node.plan.role,
    state: node.state,
    pid: node.pid,
    startedAtMs: node.startedAtMs,
    exit: node.exit,
    takenPort: node.takenPort,
    endpoints: node.endpoints,
    residentBytes: undefined,
    cpuPercent: undefined,
    answers: false,
    view: [],
    agreement: undefined,
    epoch: 0,
    unregistered: undefined,
    kafka: undefined,
  }
}
