// One coordinator's part in the agreement: its disk and the identity of that, the founding of the cluster, and then the
// driver with its log, its links and the state machine. A composition root; it decides nothing.
import { type Endpoint, type NodeId, present } from '@atoll/base'
import {
  type HandlersOf,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
  type Rpc,
  type raftConversation,
  raftIdentify,
  raftJoin,
} from '@atoll/protocol'
import { type DiskId, defaultSettings, type Entry, logIndex, type Member } from '@atoll/raft'
import { type Node, type NodeOptions, type NodePorts, plannedNodes } from '@atoll/service'
import { type DiskIdentity, DiskIdentityFile } from './adapters/disk-identity.ts'
import { BatchCodec } from './adapters/raft-batches.ts'
import { RaftLinks } from './adapters/raft-links.ts'
import { RaftStore } from './adapters/raft-log.ts'
import { raftHandlers } from './adapters/raft-messages.ts'
import type { Applied, CoordinatorState } from './core/index.ts'
import { findFounders, type Introduction, isAmong, NOBODY } from './founding.ts'
import { joinCluster } from './joining.ts'
import { DISK_ID_BYTES, JOIN_ASK_TIMEOUT_MS, LINK_CALL_TIMEOUT_MS } from './limits.ts'
import { Membership, type Standing } from './membership.ts'
import { RaftDriver, type RaftDriverOptions } from './raft-driver.ts'
import { ReplicatedState } from './replicated-state.ts'
import { Serving } from './serving.ts'

/** What lies where on a coordinator's disk. */
const IDENTITY_PATH = 'identity'
const RAFT_DIRECTORY = 'raft'

export interface AgreementHooks extends Pick<RaftDriverOptions<Applied>, 'onEvent' | 'onStep' | 'snapshotEntries'> {
  /** Every entry that was applied, and the state after it. */
  readonly onApplied?: (entry: Entry, result: Applied | undefined, state: CoordinatorState) => void
}

type DeadMember = Extract<Parameters<Parameters<Node['onMemberEvent']>[0]>[0], { readonly kind: 'member_dead' }>['member']

export class Agreement {
  readonly handlers: HandlersOf<typeof raftConversation>
  readonly machine = new ReplicatedState()
  readonly serving: Serving
  readonly #ports: NodePorts
  readonly #options: NodeOptions
  readonly #hooks: AgreementHooks
  readonly #codec: BatchCodec
  readonly #identityFile: DiskIdentityFile
  readonly membership: Membership
  readonly #stopping = new AbortController()
  #identity: DiskIdentity
  #node: Node | undefined
  #links: RaftLinks | undefined
  #driver: RaftDriver<Applied> | undefined
  #snapshotIndex: () => number = () => 0

  private constructor(ports: NodePorts, options: NodeOptions, hooks: AgreementHooks, file: DiskIdentityFile, identity: DiskIdentity) {
    this.#ports = ports
    this.#options = options
    this.#hooks = hooks
    this.#identityFile = file
    this.#identity = identity
    this.#codec = new BatchCodec((bytes, before) => ports.compute.crc32c(bytes, before))
    this.membership = new Membership({
      self: this.self,
      driver: () => this.#driver,
      machine: this.machine,
      clock: ports.clock,
      log: () => this.#theNode.context.log,
    })
    const brokersPlanned = plannedNodes(options.config).filter(({ role }) => role === 'broker').length
    const { name: self } = options
    const { clock, net, compute } = ports
    const log = () => this.#theNode.context.log
    const admit = (member: Member) => this.membership.admit(member)
    this.serving = new Serving(this.machine, { self, clock, log, net, compute, brokersPlanned, admit })
    this.handlers = {
      ...raftHandlers(options.name, this.#codec, (carried, session) => {
        // A client is nobody's peer, whatever it says.
        if (session.peer.role !== 'coordinator' || this.#driver === undefined) return
        this.#links?.heardBy(session)
        this.#driver.receive(carried)
      }),
      raftIdentify: () => this.#introduce(),
      raftStatus: () => this.#status(),
      raftJoin: async ({ disk }, context) => {
        const { node, role } = context.peer
        if (role !== 'coordinator') throw new ProtocolError('identity_refused', `${node} is no coordinator`)
        return { standing: await this.membership.join({ node, disk: disk as DiskId }, context.remainingMs()) }
      },
      raftRemove: async ({ node }, context) => ({ voters: await this.membership.remove(node, context.remainingMs()) }),
    }
  }

  /** Finds out whose disk this is; a new one gets an identity. Rejects with a CommitLogError or DiskError when that cannot be told. */
  static async prepare(ports: NodePorts, options: NodeOptions, hooks: AgreementHooks = {}): Promise<Agreement> {
    const { disk, compute } = ports
    const file = new DiskIdentityFile(disk, IDENTITY_PATH, (bytes, before) => compute.crc32c(bytes, before))
    let identity = await file.read()
    if (identity === undefined) {
      const name = Array.from(compute.secureBytes(DISK_ID_BYTES), byte => byte.toString(16).padStart(2, '0')).join('')
      identity = { disk: name as DiskId, founders: undefined }
      await file.write(identity)
    }
    return new Agreement(ports, options, hooks, file, identity)
  }

  /** Undefined until this disk belongs to a cluster. */
  get driver(): RaftDriver<Applied> | undefined {
    return this.#driver
  }

  get self(): Member {
    return { node: this.#options.name, disk: this.#identity.disk }
  }

  /** Begins to take part, once it is known with whom. Rejects when what is on the disk cannot be used. */
  async begin(node: Node): Promise<void> {
    this.#node = node
    node.context.lifecycle.onStop('agreement', () => this.#stop())
    if (this.#identity.founders !== undefined) return this.#open()
    this.#found().catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) this.#fatal(error)
    })
  }

  async #found(): Promise<void> {
    const { disk, compute, clock } = this.#ports
    const { log } = this.#theNode.context
    const peers = this.#planned().flatMap(({ name }) => (name === this.self.node ? [] : [name]))
    const ask = (peer: NodeId): Promise<Introduction | undefined> => this.#ask(peer)
    const founders = await findFounders({ self: this.self, peers, ask, clock, signal: this.#stopping.signal })
    if (!isAmong(founders, this.self))
      log.warn({ event: 'not_a_member', disk: this.self.disk }, 'the cluster was founded without this disk: it asks to be taken in')
    else log.info({ event: 'founded', founders: founders.voters.map(({ node }) => node) }, 'founded the cluster')
    // Term and vote are there before the disk belongs to a cluster: from then on their absence means that they were lost.
    await RaftStore.found({ disk, directory: RAFT_DIRECTORY, compute })
    const identity = { disk: this.self.disk, founders }
    await this.#identityFile.write(identity)
    this.#identity = identity
    if (!this.#stopping.signal.aborted) await this.#open()
  }

  async #open(): Promise<void> {
    const { clock, disk, compute, random } = this.#ports
    const { log } = this.#theNode.context
    const known = present(this.#identity.founders, 'the founders of a disk that belongs to a cluster')
    const founders = isAmong(known, this.self) ? known : NOBODY
    const store = await RaftStore.open({ disk, clock, compute, directory: RAFT_DIRECTORY, founders, codec: this.#codec })
    if (store.snapshot.index > 0) await this.machine.restore(store.snapshots.state())
    if (this.#stopping.signal.aborted) return store.close()
    const links = new RaftLinks({
      clock,
      endpoint: this.#theNode.endpoint,
      codec: this.#codec,
      addressOf: peer => this.#addressOf(peer),
      hooks: { lost: peer => this.#driver?.linkLost(peer), gone: peer => this.#driver?.peerGone(peer) },
    })
    this.#links = links
    this.#snapshotIndex = () => store.snapshot.index
    const { replica } = this.serving
    this.#driver = new RaftDriver({
      self: this.self,
      clock,
      random,
      log,
      store,
      machine: this.machine,
      applied: logIndex(store.snapshot.index),
      settings: defaultSettings,
      send: carried => links.send(carried),
      onFatal: error => this.#fatal(error),
      ...this.#hooks,
      onEvent: event => {
        replica.happened(event)
        this.#hooks.onEvent?.(event)
      },
      onApplied: (entry, applied) => {
        replica.applied(applied, entry.term)
        this.#hooks.onApplied?.(entry, applied, this.machine.state)
      },
      onRestored: () => replica.restored(),
    })
    replica.begin(this.#driver)
    this.#watchMembers(this.#driver)
    this.#count(this.#driver)
    this.#driver.start()
    if (founders === NOBODY) this.#join(this.#driver)
  }

  #join(driver: RaftDriver<Applied>): void {
    const { clock } = this.#ports
    joinCluster({
      peers: () => this.#otherCoordinators(),
      ask: peer => this.#askToJoin(peer),
      isVoter: () => isAmong(driver.status.configuration, this.self),
      clock,
      log: this.#theNode.context.log,
      signal: this.#stopping.signal,
    }).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) throw error
    })
  }

  /** A member whose exact address refused another's connection is gone, as if it had refused ours. */
  #watchMembers(driver: RaftDriver<Applied>): void {
    this.#theNode.onMemberEvent(event => {
      if (event.kind !== 'member_dead' || !event.member.refused) return
      driver.peerGone(event.member.node)
      this.#suspect(event.member)
    })
  }

  /**
   * On one host nothing but the absence of a process refuses connections to its very own address. Gossip takes somebody for
   * dead on that only when two saw it, or when it is alone, and then nobody else saw it.
   */
  #suspect({ node, by, meta }: DeadMember): void {
    const { node: self } = this.self
    const witnesses = this.#theNode.gossip.members().filter(one => one.state === 'alive' && one.node !== self && one.node !== node)
    const other = by === undefined || by === self ? witnesses[0]?.node : by
    if (other === undefined) return
    const native = meta.endpoints.find(({ protocol }) => protocol === 'native')
    if (native === undefined || native.host !== this.#options.native.host) return
    void this.serving.controller.suspect({ node, by: other, endpoint: { host: native.host, port: native.port } })
  }

  #count(driver: RaftDriver<Applied>): void {
    const { metrics } = this.#theNode.context
    this.serving.count(metrics)
    metrics.gauge('atoll_raft_leaders_count', '1 at the coordinator that leads.', () => (driver.isLeader ? 1 : 0))
    metrics.counted('atoll_raft_entries_applied_total', 'Entries of the log applied to the state.', () => driver.applied)
    metrics.gauge('atoll_raft_stores_pending_count', 'Writes of the log that are not yet on disk.', () => driver.status.lengths.stores)
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    await this.#driver?.stop()
    this.serving.replica.stop()
    this.#links?.close()
  }

  /** The disk, or what is on it, is not to be trusted, or it holds what this build cannot make anything of: the next start finds out. */
  #fatal(error: unknown): void {
    const { process, logSink } = this.#ports
    const { log } = this.#theNode.context
    if (error instanceof ProtocolError)
      log.error({ event: 'cannot_apply', err: error }, 'this build cannot apply what the coordinators agreed upon: this process ends')
    else log.error({ event: 'disk_failed', err: error }, 'the disk failed: this process ends')
    logSink.flush()
    process.exit(1)
  }

  async #ask(peer: NodeId): Promise<Introduction | undefined> {
    const answer = await this.#askOnce(peer, raftIdentify, {}, LINK_CALL_TIMEOUT_MS)
    if (answer instanceof ProtocolError) return undefined
    const voters = answer.founders as readonly Member[] | undefined
    return { disk: answer.disk as DiskId, founders: voters && { voters, learners: [] } }
  }

  async #askToJoin(peer: NodeId): Promise<Standing | ProtocolError> {
    const answer = await this.#askOnce(peer, raftJoin, { disk: this.self.disk }, JOIN_ASK_TIMEOUT_MS)
    return answer instanceof ProtocolError ? answer : answer.standing
  }

  /** One question over a connection of its own; what became of it is the answer too. */
  async #askOnce<M extends Rpc>(
    peer: NodeId,
    message: M,
    request: RequestOf<M>,
    timeoutMs: number,
  ): Promise<ResponseOf<M> | ProtocolError> {
    const address = this.#addressOf(peer)
    if (address === undefined) return new ProtocolError('not_connected', `nobody knows where ${peer} is`)
    const { signal } = this.#stopping
    try {
      const session = await this.#theNode.endpoint.call(address, peer, { timeoutMs: LINK_CALL_TIMEOUT_MS, signal })
      try {
        return await session.request(message, request, { timeoutMs, signal })
      } finally {
        session.end()
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return error
    }
  }

  /** Those that the configuration plans and those that gossip knows of. */
  #otherCoordinators(): readonly NodeId[] {
    const planned = this.#planned().map(({ name }) => name)
    const met = this.#theNode.gossip
      .members()
      .flatMap(({ node, meta, state }) => (meta.role === this.#options.role && state === 'alive' ? [node] : []))
    return [...new Set([...planned, ...met])].filter(name => name !== this.self.node)
  }

  #introduce(): { readonly disk: string; readonly founders: readonly Member[] | undefined } {
    return { disk: this.self.disk, founders: this.#identity.founders?.voters }
  }

  #status() {
    const { node, disk } = this.self
    const status = this.#driver?.status
    return {
      node,
      disk,
      role: status?.role ?? ('founding' as const),
      term: status?.term ?? 0,
      leader: status?.leader,
      commitIndex: status?.commit ?? 0,
      appliedIndex: this.#driver?.applied ?? 0,
      lastIndex: status?.lastIndex ?? 0,
      durableIndex: status?.durableIndex ?? 0,
      snapshotIndex: this.#snapshotIndex(),
      damaged: status?.damaged ?? false,
      voters: status?.configuration.voters ?? [],
      learners: status?.configuration.learners ?? [],
      storesPending: status?.lengths.stores ?? 0,
    }
  }

  /** Where gossip says it is, or where the configuration plans it. */
  #addressOf(peer: NodeId): Endpoint | undefined {
    const member = this.#theNode.gossip.members().find(({ node }) => node === peer)
    const native = member?.meta.endpoints.find(({ protocol }) => protocol === 'native')
    if (native !== undefined) return { host: native.host, port: native.port }
    const planned = this.#planned().find(({ name }) => name === peer)
    return planned && { host: planned.host, port: planned.nativePort }
  }

  #planned() {
    return plannedNodes(this.#options.config).filter(({ role }) => role === this.#options.role)
  }

  get #theNode(): Node {
    return present(this.#node, 'a node that was started')
  }
}
