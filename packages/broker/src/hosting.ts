// What this broker makes of the metadata: copies of partitions are opened, told what was committed about them, and removed;
// and after each registration the controller hears what was lost before it hears that this broker is ready (KIP-631,
// KIP-966). One partition's work is done one step after the other, always towards what is known last.
import { type Clock, type Disk, InvariantError, type Logger, type NodeId, sleep } from '@atoll/base'
import { AtollError } from '@atoll/client/core'
import type { LogStore } from '@atoll/commit-log'
import type { PartitionRecord, Revision } from '@atoll/protocol'
import type { ControllerCalls } from './adapters/controller-calls.ts'
import type { PartitionKey } from './adapters/fetch-wire.ts'
import { CONTROLLER_RETRY_MS, LEADS_SOON_MS, OPEN_RETRY_MS, OPENING_MAX } from './limits.ts'
import type { ClusterMetadata, MetadataListener } from './metadata/cluster-metadata.ts'
import { rulesOf } from './metadata/topic-settings.ts'
import type { PartitionHost } from './partition-host.ts'

export interface HostingOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Logger
  readonly metadata: ClusterMetadata
  readonly host: PartitionHost
  readonly store: LogStore
  readonly snapshotDirectory: string
  readonly controller: ControllerCalls
  /** This broker's registration; undefined while it has none. */
  readonly epoch: () => Revision | undefined
  /** What is on record of all logs cannot be kept any more: nothing here will be durable before the next start. */
  readonly storeFailed: (error: Error) => void
}

export class Hosting implements MetadataListener {
  readonly #options: HostingOptions
  readonly #stopping = new AbortController()
  /** Partitions whose record changed since it was last obeyed. */
  readonly #due = new Set<PartitionKey>()
  readonly #busy = new Set<PartitionKey>()
  readonly #open = new Set<PartitionKey>()
  /** Copies that lost what was durable, or cannot be opened: said, once for each registration, before this broker is ready. */
  readonly #lost = new Set<PartitionKey>()
  /** Who waits until a copy that is to lead does. */
  readonly #awaited = new Map<PartitionKey, { readonly settled: Promise<void>; readonly settle: () => void }>()
  /** Copies whose logs failed, to be closed and opened again. */
  readonly #failed = new Set<PartitionKey>()
  #readying = false
  #brokersMoved = false

  constructor(options: HostingOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopping.abort()
    for (const { settle } of this.#awaited.values()) settle()
  }

  partitionChanged(key: PartitionKey, record: PartitionRecord | undefined): void {
    if (!this.#open.has(key) && !this.#busy.has(key) && !this.#isMine(record)) return
    this.#due.add(key)
    this.#workOn()
  }

  brokersChanged(): void {
    if (this.#brokersMoved) return
    this.#brokersMoved = true
    // Many registrations may come at once.
    this.#options.clock.endOfTurn(() => {
      this.#brokersMoved = false
      if (this.#stopping.signal.aborted) return
      this.#options.host.brokersChanged()
      void this.#becomeReady()
    })
  }

  /**
   * Undefined unless the partition is to be led here and its copy is not open yet, as right after a topic was created; then
   * what resolves when it is, or when that took too long.
   */
  leadsSoon(key: PartitionKey): Promise<void> | undefined {
    const { self, clock, epoch } = this.#options
    const record = this.#record(key)
    const isSettled = this.#open.has(key) && !this.#due.has(key)
    if (isSettled || record?.leader !== self || epoch() === undefined) return undefined
    const known = this.#awaited.get(key)
    if (known !== undefined) return known.settled
    const { promise: settled, resolve } = Promise.withResolvers<void>()
    const timer = clock.after(LEADS_SOON_MS, () => settle())
    const settle = (): void => {
      timer.cancel()
      this.#awaited.delete(key)
      resolve()
    }
    this.#awaited.set(key, { settled, settle })
    return settled
  }

  /**
   * The disk refused something. Once another leads, the copy is opened again as far as it is durable, and filled from there.
   * While this broker leads it is not: what it sent and lost would come again as something else in the same epoch.
   */
  logFailed(key: PartitionKey): void {
    this.#options.log.error({ event: 'partition_failed', partition: key }, 'the disk failed a copy of a partition')
    this.#reopenLater(key)
  }

  /** This broker was registered: whatever it was told as another one counts no more. */
  registered(): void {
    this.#options.host.registered()
    void this.#becomeReady()
  }

  #isMine(record: PartitionRecord | undefined): record is PartitionRecord {
    return record?.replicas.includes(this.#options.self) === true
  }

  #record(key: PartitionKey): PartitionRecord | undefined {
    const slash = key.lastIndexOf('/')
    return this.#options.metadata.partition(key.slice(0, slash), Number(key.slice(slash + 1)))
  }

  #workOn(): void {
    for (const key of this.#due) {
      if (this.#busy.size >= OPENING_MAX || this.#stopping.signal.aborted) return
      if (this.#busy.has(key)) continue
      this.#due.delete(key)
      const record = this.#record(key)
      if (this.#open.has(key) && this.#isMine(record) && !this.#failed.has(key)) {
        this.#options.host.assign(key, record, this.#options.epoch() ?? -1)
        this.#awaited.get(key)?.settle()
      } else void this.#settle(key)
    }
    if (this.#busy.size === 0) void this.#becomeReady()
  }

  /** Opens or removes a copy. Never rejects but for a bug. */
  async #settle(key: PartitionKey): Promise<void> {
    this.#busy.add(key)
    try {
      const isAgain = this.#failed.delete(key)
      if (isAgain) {
        this.#open.delete(key)
        await this.#options.host.close(key)
      }
      const record = this.#record(key)
      if (this.#isMine(record)) await this.#openCopy(key, record)
      else if (this.#open.has(key) || isAgain) await this.#removeCopy(key)
      if (isAgain && this.#lost.has(key)) await this.#sayLost(key)
    } catch (error) {
      if (error instanceof InvariantError || !isDiskTrouble(error)) throw error
      if (error.code === 'failed') return this.#options.storeFailed(error)
      this.#options.log.error({ event: 'partition_unusable', partition: key, err: error }, 'a copy of a partition cannot be used')
      if (!this.#open.has(key)) this.#lost.add(key)
      this.#tryAgainLater(key)
    } finally {
      this.#busy.delete(key)
    }
    this.#workOn()
  }

  async #openCopy(key: PartitionKey, record: PartitionRecord): Promise<void> {
    const topic = this.#options.metadata.topic(record.topic)
    const isDamaged = await this.#options.host.open(key, record, topic && rulesOf(topic).segmentBytes)
    this.#open.add(key)
    if (isDamaged) {
      this.#options.log.warn({ event: 'partition_damaged', partition: key }, 'a copy lost records that were on the disk')
      this.#lost.add(key)
    } else this.#lost.delete(key)
    this.#due.add(key)
  }

  async #removeCopy(key: PartitionKey): Promise<void> {
    const { host, store, disk, snapshotDirectory } = this.#options
    const name = key.replace('/', '-')
    this.#open.delete(key)
    this.#lost.delete(key)
    await host.close(key)
    await store.removeLog(name)
    await disk.removeDirectory(`${snapshotDirectory}/${name}`)
  }

  /** For a registration that was said to be ready before. Without one, the next says it. */
  async #sayLost(key: PartitionKey): Promise<void> {
    const { controller, clock, epoch } = this.#options
    for (let registration = epoch(); registration !== undefined && !this.#stopping.signal.aborted; registration = epoch()) {
      try {
        await controller.lost(registration, [key])
        return
      } catch (error) {
        if (!(error instanceof AtollError)) throw error
        await sleep(clock, CONTROLLER_RETRY_MS, this.#stopping.signal).catch(() => {
          // Stopped meanwhile.
        })
      }
    }
  }

  #tryAgainLater(key: PartitionKey): void {
    this.#later(() => {
      this.#due.add(key)
      this.#workOn()
    })
  }

  #reopenLater(key: PartitionKey): void {
    this.#later(() => {
      const { host } = this.#options
      if (host.log(key)?.failed !== true) return
      if (host.replica(key)?.isLeader === true || this.#busy.has(key)) return this.#reopenLater(key)
      this.#failed.add(key)
      this.#due.add(key)
      this.#workOn()
    })
  }

  #later(act: () => void): void {
    sleep(this.#options.clock, OPEN_RETRY_MS, this.#stopping.signal).then(act, () => {
      // Stopped meanwhile.
    })
  }

  /** Says what was lost and then that this broker is ready, once all there is was opened. Never rejects but for a bug. */
  async #becomeReady(): Promise<void> {
    if (this.#readying) return
    this.#readying = true
    try {
      while (this.#mayBecomeReady()) await this.#sayReady()
    } finally {
      this.#readying = false
    }
  }

  #mayBecomeReady(): boolean {
    const { self, metadata, epoch } = this.#options
    const own = metadata.broker(self)
    const isAwaited = own?.state === 'starting' && own.epoch === epoch()
    return isAwaited && this.#due.size === 0 && this.#busy.size === 0 && !this.#stopping.signal.aborted
  }

  async #sayReady(): Promise<void> {
    const { controller, clock, log, epoch, host } = this.#options
    const registration = epoch()
    if (registration === undefined) return
    // What was filled up again since is as good as any.
    const lost = [...this.#lost].filter(key => host.log(key)?.owes !== false)
    try {
      if (lost.length > 0) await controller.lost(registration, lost)
      await controller.ready(registration)
      this.#warnOfStrays()
      log.info({ event: 'ready', epoch: registration, partitions: this.#open.size, lost: lost.length }, 'may be elected')
    } catch (error) {
      if (!(error instanceof AtollError)) throw error
      log.debug({ event: 'not_ready', code: error.code }, 'the controller did not hear that this broker is ready')
    }
    // What was said shows in the metadata, soon.
    await sleep(clock, CONTROLLER_RETRY_MS, this.#stopping.signal).catch(() => {
      // Stopped meanwhile.
    })
  }

  /**
   * Copies that the controller knows nothing of: deleted while this broker was away, most likely. They stay, because nothing
   * tells them from those of a cluster whose coordinators lost everything.
   */
  #warnOfStrays(): void {
    const { store, log } = this.#options
    const known = new Set([...this.#open, ...this.#lost].map(key => key.replace('/', '-')))
    const strays = store.recordedNames.filter(name => !known.has(name))
    if (strays.length > 0) log.warn({ event: 'stray_copies', names: strays.slice(0, 10), count: strays.length }, 'copies that nobody knows')
  }
}

/** What a disk did; anything else is a bug. */
function isDiskTrouble(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && (error.name === 'CommitLogError' || error.name === 'DiskError')
}
