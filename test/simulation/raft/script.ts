// Scripts in the manner of etcd's rafttest: a text file of commands, each with the output it must have. Nothing happens
// by itself: messages wait until they are delivered, writes until they are synced, and time passes for one server at a
// time. So a script shows one interleaving exactly, and reads as documentation of it.
//
//   servers N [spares]          found a cluster            stand S          S's election timeout passes
//   elapse S MS                 time passes for S          propose S K      S is asked to append K commands
//   deliver [A->B | ->B | A->]  what waits there arrives   drop             what waits there is lost
//   copy A->B                   doubles what waits there   paste            the doubles arrive
//   sync [S [N]]                writes become durable      settle [S ...]   deliver and sync (among S) until quiet
//   read S                      a linearizable read        change S add|promote|remove X
//   transfer S [X]              hand the leadership over   gone S X         S has proof that leader X is gone
//   crash S [all|none]          with or without its writes start S          after a crash
//   wipe S, damage S I          lose the disk; entries from I on            compact S    snapshot and discard
//   full S, free S              the disk is full, is not   status           everybody's term, role and log
import type { Random } from '@atoll/base'
import type { Envelope, StoreRequest } from '@atoll/raft'
import { type RaftModule, SimulatedCluster } from './cluster.ts'
import type { Packet } from './network.ts'
import type { SimulatedServer } from './server.ts'

/** Always in the middle: every election timeout is 450 ms, and every clock runs true. */
const middling: Random = {
  u32: () => 1_000,
  float: () => 0.5,
  below: bound => Math.floor(bound / 2),
  bytes: length => new Uint8Array(length),
}

export class Script {
  readonly #module: RaftModule
  #cluster: SimulatedCluster | undefined
  #lines: string[] = []
  readonly #copies: Packet[] = []

  constructor(module: RaftModule) {
    this.#module = module
  }

  get violations(): readonly string[] {
    return this.#cluster?.violations ?? []
  }

  /** Runs one command and returns what it printed. */
  run(command: string): string {
    const [verb = '', ...words] = command.trim().split(/\s+/)
    this.#lines = []
    if (verb === 'servers') this.#found(Number(words[0]), Number(words[1] ?? 0))
    else this.#do(verb, words)
    for (const violation of this.violations) this.#lines.push(`VIOLATION ${violation}`)
    return this.#lines.length === 0 ? 'ok\n' : `${this.#lines.join('\n')}\n`
  }

  #found(voters: number, spares: number): void {
    const settings = { snapshotChunkBytes: 10, snapshotChunksInflightMax: 2, appendBytesMax: 1 }
    const cluster = new SimulatedCluster({ module: this.#module, seed: 1, voters, spares, random: middling, settings })
    cluster.held = []
    cluster.onEvent = (server, event) => this.#print(server, event)
    cluster.onAnswer = (server, answer) => this.#print(server, answer)
    cluster.onStore = (server, request) => this.#lines.push(`${server.name} writes ${describeStore(request)}`)
    this.#cluster = cluster
    for (const server of cluster.all) server.stuck = true
    cluster.startAll()
  }

  #do(verb: string, words: readonly string[]): void {
    const cluster = this.#cluster
    if (cluster === undefined) throw new Error('a script begins with servers')
    const server = () => cluster.server(words[0] ?? '')
    switch (verb) {
      case 'stand':
        return server().elapse(700)
      case 'elapse':
        return server().elapse(Number(words[1]))
      case 'propose':
        return cluster.write(server(), Number(words[1] ?? 1))
      case 'read':
        return cluster.read(server())
      case 'deliver':
      case 'drop':
      case 'copy':
        return this.#pass(cluster, words[0] ?? '->', verb)
      case 'paste':
        for (const packet of this.#copies.splice(0)) cluster.server(packet.envelope.to.node).receive(packet)
        return
      case 'sync':
        return this.#sync(words[0] === undefined ? cluster.all : [server()], Number(words[1] ?? Number.POSITIVE_INFINITY))
      case 'settle':
        return this.#settle(cluster, words)
      case 'change':
        return this.#change(cluster, server(), words[1] ?? '', cluster.server(words[2] ?? ''))
      case 'transfer':
        return server().input({ kind: 'transfer', to: words[1] === undefined ? undefined : cluster.server(words[1]).name })
      case 'gone':
        return server().input({ kind: 'leader_gone', leader: cluster.server(words[1] ?? '').name })
      case 'crash':
        return cluster.crash(server(), words[1] === 'all' ? 1 : 0)
      case 'start':
        cluster.restart(server())
        return
      case 'wipe':
        return cluster.wipe(server())
      case 'damage':
        server().disk.damage(Number(words[1]))
        return
      case 'compact':
        return server().compact()
      case 'full':
      case 'free':
        return server().input({ kind: 'disk_full', full: verb === 'full' })
      case 'status':
        for (const one of cluster.all) this.#lines.push(describeServer(one))
        return
      default:
        throw new Error(`no such command: ${verb}`)
    }
  }

  /** What waits on the chosen links now; what is sent meanwhile waits for the next time. */
  #pass(cluster: SimulatedCluster, links: string, verb: 'deliver' | 'drop' | 'copy'): void {
    const [from = '', to = ''] = links.split('->')
    const isChosen = ({ envelope }: Packet) => (from === '' || envelope.from.node === from) && (to === '' || envelope.to.node === to)
    const chosen = (cluster.held ?? []).filter(isChosen)
    if (verb === 'copy') {
      this.#copies.push(...chosen)
      return
    }
    cluster.held = (cluster.held ?? []).filter(packet => !isChosen(packet))
    for (const packet of chosen) {
      this.#lines.push(`${verb === 'drop' ? 'lost: ' : ''}${describeMessage(packet.envelope)}`)
      if (verb !== 'drop') cluster.servers.get(packet.envelope.to.node)?.receive(packet)
    }
  }

  #sync(servers: readonly SimulatedServer[], count: number): void {
    for (const server of servers) {
      if (!server.isUp || server.disk.queueLength === 0) continue
      server.syncNow(Math.min(count, server.disk.queueLength))
      this.#lines.push(`${server.name} synced, its log ends at ${server.disk.lastIndex}`)
    }
  }

  /** Without names, everybody; what goes to or comes from others is lost. */
  #settle(cluster: SimulatedCluster, names: readonly string[]): void {
    const among = cluster.all.filter(({ name }) => names.length === 0 || names.includes(name))
    const belongs = (name: string) => among.some(server => server.name === name)
    for (let round = 0; round < 100; round++) {
      const held = cluster.held ?? []
      cluster.held = []
      const inside = held.filter(({ envelope }) => belongs(envelope.from.node) && belongs(envelope.to.node))
      const writing = among.filter(server => server.isUp && server.disk.queueLength > 0)
      if (inside.length === 0 && writing.length === 0) return
      for (const packet of inside) cluster.servers.get(packet.envelope.to.node)?.receive(packet)
      for (const server of writing) server.syncNow()
    }
    throw new Error('does not settle')
  }

  #change(cluster: SimulatedCluster, at: SimulatedServer, how: string, subject: SimulatedServer): void {
    if (how === 'add') cluster.change(at, { kind: 'add_learner', member: subject.member })
    else cluster.change(at, { kind: how === 'promote' ? 'promote' : 'remove', node: subject.name })
  }

  #print(server: SimulatedServer, { kind, ...fields }: { readonly kind: string }): void {
    this.#lines.push(`${server.name} ${kind}${describeFields(fields)}`)
  }
}

/** Runs a whole script; returns it with the output it had. Comments and blank lines stay as they are. */
export function rerun(module: RaftModule, text: string): { readonly text: string; readonly violations: readonly string[] } {
  const script = new Script(module)
  const blocks = text.split(/\n(?=> )/).map(block => {
    const [first = ''] = block.split('\n')
    if (!first.startsWith('> ')) return block
    const trailing = block.slice(first.length).match(/\n((?:\n|#.*(?:\n|$))*)$/)?.[1] ?? ''
    return `${first}\n${indent(script.run(first.slice(2)))}${trailing}`
  })
  return { text: blocks.join('\n').replace(/\n*$/, '\n'), violations: script.violations }
}

const indent = (output: string) => output.replace(/^(?=.)/gm, '  ')

function describeMessage({ from, to, message }: Envelope): string {
  const { kind, ...fields } = message
  return `${from.node} -> ${to.node} ${kind}${describeFields(fields)}`
}

function describeFields(fields: object): string {
  return Object.entries(fields)
    .filter(([name]) => name !== 'proposalId' && name !== 'readId' && name !== 'requestId')
    .map(([name, value]) => ` ${name}=${describe(name, value)}`)
    .join('')
}

function describe(name: string, value: unknown): string {
  if (name === 'batches')
    return (
      (value as StoreRequest['batches']).map(({ firstIndex, lastIndex, term }) => `${firstIndex}-${lastIndex}@${term}`).join(',') || 'none'
    )
  if (name === 'snapshot') return String((value as { readonly index: number }).index)
  if (typeof value === 'object' && value !== null && 'node' in value) return Object.values(value).join('/')
  return String(value)
}

function describeStore({ hardState, batches, install, thenSend }: StoreRequest): string {
  const parts = [
    hardState && `term ${hardState.term}${hardState.votedFor === undefined ? '' : ` and its vote for ${hardState.votedFor.node}`}`,
    install && `the snapshot at ${install.index}`,
    batches.length > 0 && describe('batches', batches),
  ].filter(Boolean)
  const then = thenSend.map(({ to, message }) => `${message.kind} to ${to.node}`).join(', ')
  return `${parts.join(', ') || 'nothing'}${then === '' ? '' : `, then sends ${then}`}`
}

function describeServer({ name, raft, disk, machine }: SimulatedServer): string {
  const { term, votedFor } = disk.hardState
  const log = disk.batches.map(({ firstIndex, lastIndex, term: of }) => `${firstIndex}-${lastIndex}@${of}`).join(' ')
  const onDisk = `on disk term ${term} vote ${votedFor?.node ?? '-'} snapshot ${disk.snapshot.index} log ${log || 'empty'}`
  if (raft === undefined) return `${name} down; ${onDisk}`
  const { role, term: current, commit, damaged } = raft.status
  return `${name} ${role} term ${current} commit ${commit} applied ${machine.index}${damaged ? ' damaged' : ''}; ${onDisk}`
}
