// Talking to the supervisor of a cluster: finding it through the state directory, and asking.
import { type Incarnation, NetError, nodeId, silentLogger } from '@atoll/base'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import {
  FRAME_BYTES_MAX,
  HandlerTable,
  NativeEndpoint,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
  type Rpc,
  type Session,
} from '@atoll/protocol'
import { isRunning, type ProcessIdentity } from './processes.ts'
import { readIfThere } from './replace-file.ts'
import { parseObject, readIdentity, readSecret, type StatePaths } from './state-directory.ts'

/** A supervisor on the same machine that takes longer than this to shake hands is stuck, in milliseconds. */
const CALL_TIMEOUT_MS = 2_000

/** What a running supervisor says of itself on disk. */
export interface SupervisorRecord extends ProcessIdentity {
  readonly socket: string
  readonly startedAtMs: number
}

/** The supervisor of a cluster that runs now; undefined when there is none. */
export function findSupervisor(paths: StatePaths): SupervisorRecord | undefined {
  const text = readIfThere(paths.supervisor)
  if (text === undefined) return undefined
  const record = parseObject(text, paths.supervisor) as unknown as SupervisorRecord
  return isRunning(record) ? record : undefined
}

/** A connection to a supervisor. */
export class ControlClient implements AsyncDisposable {
  readonly supervisor: SupervisorRecord
  readonly #endpoint: NativeEndpoint
  readonly #session: Session

  private constructor(supervisor: SupervisorRecord, endpoint: NativeEndpoint, session: Session) {
    this.supervisor = supervisor
    this.#endpoint = endpoint
    this.#session = session
  }

  /** Connects to the cluster’s supervisor; undefined when none runs. Rejects with a ProtocolError when it does not answer. */
  static async connect(paths: StatePaths): Promise<ControlClient | undefined> {
    const supervisor = findSupervisor(paths)
    const identity = readIdentity(paths)
    if (supervisor === undefined || identity === undefined) return undefined
    const clock = createClock()
    const self = nodeId(`client-${process.pid}`)
    const { net } = createNet({ self, faults: false, clock, random: systemRandom() })
    const who = {
      cluster: identity.id,
      node: self,
      role: 'client',
      incarnation: () => 0 as Incarnation,
      secret: readSecret(paths),
      frameBytesMax: FRAME_BYTES_MAX,
    }
    const endpoint = new NativeEndpoint(who, new HandlerTable(), { net, clock, compute: await createCompute(), log: silentLogger })
    try {
      const session = await endpoint.call({ path: supervisor.socket }, nodeId('supervisor'), { timeoutMs: CALL_TIMEOUT_MS })
      return new ControlClient(supervisor, endpoint, session)
    } catch (error) {
      endpoint.close()
      // It ended between our look at it and the call.
      if (error instanceof ProtocolError && error.cause instanceof NetError && !isRunning(supervisor)) return undefined
      throw error
    }
  }

  /** Resolves once the supervisor is gone or cut us off. */
  get closed(): Promise<unknown> {
    return this.#session.closed
  }

  request<M extends Rpc>(message: M, request: RequestOf<M>, timeoutMs?: number): Promise<ResponseOf<M>> {
    return this.#session.request(message, request, { timeoutMs })
  }

  close(): void {
    this.#endpoint.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}
