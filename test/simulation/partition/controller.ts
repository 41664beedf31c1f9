// A correct controller in a few lines, and wrong ones on request: it fences brokers that fall silent, elects leaders from
// the ISR, compares epochs, and tells everybody. What makes the real one durable and replicated is not the matter here.
import type { NodeId } from '@atoll/base'
import type { Assignment, IsrProposal, ProposalAnswer } from '@atoll/broker'
import type { LeaderEpoch } from '@atoll/records'
import type { Image, Message } from './messages.ts'

export interface ControllerBugs {
  readonly electsOutsideIsr?: boolean
  readonly keepsEpochAfterRestart?: boolean
  readonly takesStaleProposals?: boolean
  readonly takesRestartedMembers?: boolean
}

export interface ControllerWorld {
  readonly now: number
  send(to: string, message: Message): void
  later(delayMs: number, task: () => void): void
  elected(key: string, assignment: Assignment): void
}

interface Broker {
  brokerEpoch: number
  life: number
  fenced: boolean
  heardMs: number
}

interface Partition extends Assignment {
  readonly isrEpoch: number
}

const FENCE_AFTER_MS = 400

export class Controller {
  readonly #world: ControllerWorld
  readonly #bugs: ControllerBugs
  readonly #brokers = new Map<NodeId, Broker>()
  #partitions = new Map<string, Partition>()
  #version = 0
  #brokerEpochs = 0

  constructor(world: ControllerWorld, keys: readonly string[], nodes: readonly NodeId[], bugs: ControllerBugs) {
    this.#world = world
    this.#bugs = bugs
    for (const key of keys) {
      this.#partitions.set(key, {
        leaderEpoch: 0 as LeaderEpoch,
        partitionEpoch: 0,
        leader: undefined,
        replicas: nodes,
        isr: nodes,
        uncleanEpoch: undefined,
        isrEpoch: 0,
      })
    }
    this.#watch()
  }

  partition(key: string): Assignment {
    return this.#partitions.get(key) as Assignment
  }

  get keys(): readonly string[] {
    return [...this.#partitions.keys()]
  }

  isLive(node: NodeId): boolean {
    return this.#brokers.get(node)?.fenced === false
  }

  lifeOf(node: NodeId): number | undefined {
    return this.#brokers.get(node)?.life
  }

  receive(from: NodeId, message: Message): void {
    switch (message.kind) {
      case 'register':
        return this.#register(from, message.life, message.clean)
      case 'heartbeat':
        return this.#heartbeat(from, message.brokerEpoch, message.version)
      case 'propose':
        return this.#propose(from, message.key, message.brokerEpoch, message.proposal)
      case 'resign':
        return this.#resign(from, message.key, message.leaderEpoch)
      default:
        return
    }
  }

  /** A person, or a rebalance, wants another of the in-sync replicas to lead. */
  moveLeader(key: string, node: NodeId): void {
    const partition = this.partition(key)
    if (partition.leader !== undefined && partition.leader !== node && this.#mayLead(partition, node)) this.#change(key, { leader: node })
    this.#tell()
  }

  #register(node: NodeId, life: number, clean: boolean): void {
    const known = this.#brokers.get(node)
    if (known !== undefined && known.life > life) return
    if (known?.life !== life) {
      const keeps = this.#bugs.keepsEpochAfterRestart === true && known !== undefined
      const brokerEpoch = keeps ? known.brokerEpoch : ++this.#brokerEpochs
      this.#brokers.set(node, { brokerEpoch, life, fenced: false, heardMs: this.#world.now })
      if (!keeps) this.#isNew(node, clean)
      else this.#brokers.set(node, { brokerEpoch, life, fenced: false, heardMs: this.#world.now })
      this.#electAll()
      this.#tell()
    }
    const { brokerEpoch } = this.#brokers.get(node) as Broker
    this.#world.send(node, { kind: 'registered', life, brokerEpoch })
    this.#world.send(node, { kind: 'image', image: this.#image() })
  }

  /** What it led gets a new epoch, and it leaves every ISR that has another member, or lost what it had (design section 5). */
  #isNew(node: NodeId, clean: boolean): void {
    for (const [key, partition] of this.#partitions) {
      const others = partition.isr.filter(member => member !== node)
      const isr = partition.isr.includes(node) && (others.length > 0 || !clean) ? others : partition.isr
      if (partition.leader === node) this.#change(key, { isr, leader: undefined })
      else if (isr !== partition.isr) this.#change(key, { isr })
    }
  }

  #heartbeat(node: NodeId, brokerEpoch: number, version: number): void {
    const broker = this.#brokers.get(node)
    if (broker === undefined || broker.brokerEpoch !== brokerEpoch) return
    broker.heardMs = this.#world.now
    if (broker.fenced) {
      broker.fenced = false
      this.#electAll()
      this.#tell()
    } else if (version < this.#version) this.#world.send(node, { kind: 'image', image: this.#image() })
  }

  #watch(): void {
    this.#world.later(50, () => this.#watch())
    for (const [node, broker] of this.#brokers) {
      if (broker.fenced || this.#world.now - broker.heardMs < FENCE_AFTER_MS) continue
      broker.fenced = true
      for (const [key, partition] of this.#partitions) {
        const others = partition.isr.filter(member => member !== node)
        const isr = partition.isr.includes(node) && others.length > 0 ? others : partition.isr
        if (partition.leader === node) this.#change(key, { isr, leader: undefined })
        else if (isr !== partition.isr) this.#change(key, { isr })
      }
      this.#electAll()
      this.#tell()
    }
  }

  #propose(node: NodeId, key: string, brokerEpoch: number, proposal: IsrProposal): void {
    const partition = this.partition(key)
    const { leaderEpoch } = proposal
    const refusal = this.#refusal(node, partition, brokerEpoch, proposal)
    if (refusal === undefined) {
      this.#change(key, { isr: proposal.isr.map(member => member.node) })
      this.#tell()
    }
    const answer: ProposalAnswer = { leaderEpoch, refusal, assignment: this.partition(key) }
    const life = this.#brokers.get(node)?.life ?? -1
    this.#world.send(node, { kind: 'proposal_answer', life, key, answer })
  }

  #refusal(node: NodeId, partition: Assignment, brokerEpoch: number, proposal: IsrProposal): ProposalAnswer['refusal'] {
    if (this.#brokers.get(node)?.brokerEpoch !== brokerEpoch) return 'deposed'
    if (partition.leader !== node || proposal.leaderEpoch !== partition.leaderEpoch) return 'deposed'
    if (proposal.partitionEpoch !== partition.partitionEpoch && this.#bugs.takesStaleProposals !== true) return 'stale'
    const isEligible = (member: IsrProposal['isr'][number]): boolean => {
      const broker = this.#brokers.get(member.node)
      if (this.#bugs.takesRestartedMembers === true) return broker?.fenced === false
      return broker !== undefined && !broker.fenced && broker.brokerEpoch === member.brokerEpoch
    }
    const joining = proposal.isr.filter(member => !partition.isr.includes(member.node))
    return proposal.isr.some(member => member.node === node) && joining.every(isEligible) ? undefined : 'ineligible'
  }

  #resign(node: NodeId, key: string, leaderEpoch: LeaderEpoch): void {
    const partition = this.partition(key)
    if (partition.leader !== node || partition.leaderEpoch !== leaderEpoch) return
    const heir = partition.isr.find(member => member !== node && this.isLive(member))
    if (heir === undefined) return
    this.#change(key, { leader: heir })
    this.#tell()
  }

  #mayLead(partition: Assignment, node: NodeId): boolean {
    return this.isLive(node) && partition.isr.includes(node)
  }

  #electAll(): void {
    for (const [key, partition] of this.#partitions) {
      if (partition.leader !== undefined) continue
      const candidates = this.#bugs.electsOutsideIsr === true ? partition.replicas : partition.isr
      const place = Math.floor(this.#world.now) % candidates.length
      const leader = [...candidates.slice(place), ...candidates.slice(0, place)].find(node => this.isLive(node))
      if (leader === undefined) continue
      const isr = partition.isr.includes(leader) ? partition.isr : [leader]
      this.#change(key, { leader, isr })
    }
  }

  #change(key: string, change: Partial<Pick<Assignment, 'leader' | 'isr'>>): void {
    const before = this.#partitions.get(key) as Partition
    const leaderChanged = 'leader' in change
    const after: Partition = {
      ...before,
      ...change,
      partitionEpoch: before.partitionEpoch + 1,
      leaderEpoch: (before.leaderEpoch + (leaderChanged ? 1 : 0)) as LeaderEpoch,
    }
    this.#partitions.set(key, after)
    this.#version++
    if (leaderChanged && after.leader !== undefined) this.#world.elected(key, after)
  }

  #tell(): void {
    this.#version++
    const image = this.#image()
    for (const node of this.#brokers.keys()) this.#world.send(node, { kind: 'image', image })
  }

  #image(): Image {
    const brokers = new Map([...this.#brokers].map(([node, { brokerEpoch, fenced }]) => [node, { brokerEpoch, fenced }] as const))
    return { version: this.#version, brokers, partitions: new Map(this.#partitions) }
  }
}
