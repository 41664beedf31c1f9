// For tests: brokers that replicate records as the partitions' records in the store tell them to, and forget what real
// ones may forget. Each acts on what it saw last, which may be old. It finds out whether somebody leads, or commits,
// without a record that was committed before: the loss that no rule of the controller may allow.
import { assert } from '@atoll/base'
import type { PartitionRecord, Revision } from '@atoll/protocol'
import type { ScriptedTopics } from './scripted-topics.ts'

interface Process {
  /** Its registration. */
  readonly epoch: number
  /** What it saw of the partition last. */
  seen: PartitionRecord
  /** While it leads: how far the others are known to have what it has. */
  readonly acknowledged: Map<string, number>
}

interface Machine {
  log: readonly number[]
  /** So much of it would survive the machine. */
  synced: number
  process: Process | undefined
}

export class CommittedRecords {
  readonly cluster: ScriptedTopics
  /** Acknowledged to somebody. */
  committed: readonly number[] = []
  readonly #flush: 'disk' | 'os'
  readonly #machines = new Map<string, Machine>()
  #records = 0
  #boots = 0
  #disks = 0

  constructor(cluster: ScriptedTopics, nodes: readonly string[], flush: 'disk' | 'os') {
    this.cluster = cluster
    this.#flush = flush
    for (const node of nodes) this.#machines.set(node, { log: [], synced: 0, process: undefined })
    for (const node of nodes) this.#run(node)
  }

  /** It takes a look at the store. */
  observe(node: string): void {
    const { process } = this.#of(node)
    if (process === undefined) return
    const now = this.cluster.partition()
    if (now.leaderEpoch !== process.seen.leaderEpoch) process.acknowledged.clear()
    process.seen = now
  }

  append(node: string): void {
    const machine = this.#of(node)
    if (!leads(node, machine.process)) return
    machine.log = [...machine.log, ++this.#records]
    if (this.#flush === 'disk') machine.synced = machine.log.length
  }

  /** A follower fetches from whom it takes for the leader; both must mean the same epoch. */
  fetch(node: string): void {
    const machine = this.#of(node)
    const seen = machine.process?.seen
    const leader = seen?.leader === undefined || seen.leader === node ? undefined : this.#of(seen.leader)
    if (leader?.process === undefined || !leads(String(seen?.leader), leader.process)) return
    if (leader.process.seen.leaderEpoch !== seen?.leaderEpoch) return
    machine.log = leader.log
    machine.synced = this.#flush === 'disk' ? machine.log.length : Math.min(machine.synced, machine.log.length)
    leader.process.acknowledged.set(`${node} ${machine.process?.epoch}`, machine.log.length)
    this.#commit(String(seen.leader))
  }

  /** A leader says who is in sync: everybody known to have all it has, or without one of them. */
  propose(node: string, without: string | undefined): void {
    const machine = this.#of(node)
    const { process } = machine
    if (process === undefined || !leads(node, process)) return
    const { seen } = process
    const caughtUp = seen.replicas.filter(
      other => this.#acknowledged(machine, other, this.cluster.epochs.get(other) ?? 0) === machine.log.length,
    )
    const members =
      without === undefined
        ? [node, ...caughtUp.filter(other => other !== node)]
        : seen.isr.map(one => one.node).filter(one => one !== without)
    const epochs = members.map(
      one =>
        (without === undefined ? undefined : seen.isr.find(({ node: other }) => other === one)?.epoch) ?? this.cluster.epochs.get(one) ?? 0,
    )
    try {
      if (this.cluster.isr(members, { by: node, leaderEpoch: seen.leaderEpoch, partitionEpoch: seen.partitionEpoch, epochs }) === 'done')
        this.observe(node)
    } catch {
      // It is not registered any more.
    }
    this.#commit(node)
  }

  /** The process ends; whether anybody notices is another matter. */
  crash(node: string): void {
    this.#of(node).process = undefined
  }

  /** The process starts: as it was, after its machine went down, with an empty disk, or with a damaged log. */
  start(node: string, how: 'again' | 'machine' | 'new_disk' | 'damaged'): void {
    const machine = this.#of(node)
    machine.process = undefined
    if (how === 'machine') machine.log = machine.log.slice(0, machine.synced)
    if (how === 'new_disk' || how === 'damaged') machine.log = []
    machine.synced = Math.min(machine.synced, machine.log.length)
    const disk = how === 'new_disk' ? { disk: `new-${++this.#disks}`, replaces: this.#disk(node) } : { disk: this.#disk(node) }
    if (how === 'new_disk') this.#diskOf.set(node, disk.disk)
    const bootId = how === 'machine' ? `boot-${++this.#boots + 1}` : this.#bootOf.get(node)
    if (bootId !== undefined) this.#bootOf.set(node, bootId)
    this.cluster.boot(node, { ...disk, ...(bootId === undefined ? {} : { bootId }) })
    if (how === 'damaged') this.cluster.yield(node, true)
    this.cluster.ready(node)
    this.#run(node)
  }

  /** Whoever leads by the store’s word has everything. */
  check(): void {
    const { leader, isr } = this.cluster.partition()
    // A process that came after the one that was elected does not lead.
    const elected = isr.find(member => member.node === leader)
    if (leader !== undefined && elected?.epoch === this.cluster.epochs.get(leader)) this.#checkLog(leader, 'leads')
  }

  readonly #diskOf = new Map<string, string>()
  readonly #bootOf = new Map<string, string>()
  #disk(node: string): string {
    return this.#diskOf.get(node) ?? `disk-${node}`
  }

  #run(node: string): void {
    this.#of(node).process = { epoch: this.cluster.epochs.get(node) ?? 0, seen: this.cluster.partition(), acknowledged: new Map() }
  }

  #commit(node: string): void {
    const machine = this.#of(node)
    const { process } = machine
    if (process === undefined || !leads(node, process) || process.seen.isr.length < process.seen.minIsr) return
    const reached = Math.min(
      machine.log.length,
      ...process.seen.isr.map(member =>
        member.node === node ? machine.log.length : this.#acknowledged(machine, member.node, member.epoch),
      ),
    )
    if (reached <= this.committed.length) return
    this.#checkLog(node, 'commits')
    this.committed = machine.log.slice(0, reached)
  }

  #checkLog(node: string, does: string): void {
    const { log } = this.#of(node)
    assert(
      this.committed.every((record, at) => log[at] === record),
      `${node} ${does} without a record that was committed`,
    )
  }

  #acknowledged({ process }: Machine, node: string, epoch: Revision | number): number {
    return process?.acknowledged.get(`${node} ${epoch}`) ?? 0
  }

  #of(node: string): Machine {
    const machine = this.#machines.get(node)
    assert(machine !== undefined, 'a node of the cluster')
    return machine
  }
}

/** By what it saw, in its own registration. */
function leads(node: string, process: Process | undefined): boolean {
  return (
    process !== undefined && process.seen.leader === node && process.seen.isr.some(one => one.node === node && one.epoch === process.epoch)
  )
}
