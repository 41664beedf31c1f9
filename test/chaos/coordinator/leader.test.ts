// Real coordinator processes whose leader is killed or stopped: the others go on, and whoever comes back follows.
import { type ResponseOf, raftStatus } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { type NodeProcess, StateDirectory } from '../../hostile/coordinators.ts'

type Status = ResponseOf<typeof raftStatus>

const NAMES = ['coordinator-1', 'coordinator-2', 'coordinator-3']
/** A new leader is there within this after the old one is gone, in milliseconds; on a machine that also runs other tests. */
const SUCCESSION_MS_MAX = 5_000

/** Coordinators as processes: what they say of the agreement, and the same ones started again on their disks. */
class Coordinators {
  readonly #directory: StateDirectory
  readonly #running = new Map<string, NodeProcess>()

  constructor(directory: StateDirectory, nodes: readonly NodeProcess[]) {
    this.#directory = directory
    for (const node of nodes) this.#running.set(node.name, node)
  }

  node(name: string): NodeProcess {
    const node = this.#running.get(name)
    if (node === undefined) throw new Error(`${name} does not run`)
    return node
  }

  async statusOf(name: string): Promise<Status> {
    const session = await this.node(name).call('observer')
    try {
      return await session.request(raftStatus, {}, { timeoutMs: 2_000 })
    } finally {
      session.end()
    }
  }

  /** The leader that a majority of `names` follows, in a term after `afterTerm`; fails when there is none in time. */
  async leaderAmong(names: readonly string[], afterTerm = 0): Promise<Status> {
    const deadlineMs = performance.now() + SUCCESSION_MS_MAX
    for (;;) {
      const all = await Promise.all(names.map(name => this.statusOf(name)))
      const leader = all.find(({ role, term }) => role === 'leader' && term > afterTerm)
      if (leader !== undefined && all.every(one => one.leader === leader.node && one.term === leader.term)) return leader
      if (performance.now() > deadlineMs) throw new Error(`no leader within ${SUCCESSION_MS_MAX} ms: ${JSON.stringify(all)}`)
    }
  }

  /** Waits until the leader has committed more than `index`: one that was just elected does not know what its predecessor had. */
  async commitPast(index: number): Promise<void> {
    const deadlineMs = performance.now() + SUCCESSION_MS_MAX
    for (;;) {
      const all = await Promise.all(NAMES.map(name => this.statusOf(name)))
      if (all.some(({ role, commitIndex }) => role === 'leader' && commitIndex > index)) return
      if (performance.now() > deadlineMs) throw new Error(`nothing past ${index} is committed: ${JSON.stringify(all)}`)
    }
  }

  async kill(name: string): Promise<void> {
    await this.node(name).kill()
    this.#running.delete(name)
  }

  /** Starts those again that were killed, on their disks and on other ports. */
  async start(...names: readonly string[]): Promise<void> {
    for (const name of names) this.#running.set(name, this.#directory.spawn(name))
    const nodes = [...this.#running.values()]
    const seeds = await Promise.all(nodes.map(async node => ({ host: '127.0.0.1', port: await node.bound })))
    for (const name of names) this.node(name).child.send({ kind: 'seeds', seeds })
  }
}

describe('three coordinators as processes', () => {
  it('[CO6] have a new leader soon after theirs was killed, again and again, and the killed one follows when it is back', async () => {
    await using directory = new StateDirectory()
    const coordinators = new Coordinators(directory, await directory.cluster(3))
    for (let round = 0; round < 4; round++) {
      const { node: leader, term } = await coordinators.leaderAmong(NAMES)
      const others = NAMES.filter(name => name !== leader)
      await coordinators.kill(leader)
      await coordinators.leaderAmong(others, term)
      await coordinators.start(leader)
      await coordinators.leaderAmong(NAMES, term)
    }
  })

  it('[CO6] go on after all were killed, in a later term and with the same founders', async () => {
    await using directory = new StateDirectory()
    const coordinators = new Coordinators(directory, await directory.cluster(3))
    const before = await coordinators.leaderAmong(NAMES)
    for (const name of NAMES) await coordinators.kill(name)
    await coordinators.start(...NAMES)
    const { voters } = await coordinators.leaderAmong(NAMES, before.term)
    expect(voters).toEqual(before.voters)
    await coordinators.commitPast(before.commitIndex)
  })

  it('[CO6] depose a leader that is stopped, and it follows when it goes on', async () => {
    await using directory = new StateDirectory()
    const coordinators = new Coordinators(directory, await directory.cluster(3))
    const { node: leader, term } = await coordinators.leaderAmong(NAMES)
    const others = NAMES.filter(name => name !== leader)
    coordinators.node(leader).child.kill('SIGSTOP')
    const successor = await coordinators.leaderAmong(others, term)
    coordinators.node(leader).child.kill('SIGCONT')
    const again = await coordinators.leaderAmong(NAMES, term)
    // Whoever leads by then: processes that wait long for a busy machine may elect once more.
    expect(again.term).toBeGreaterThanOrEqual(successor.term)
  })

  it('[CO6] have no leader when two of them are gone', async () => {
    await using directory = new StateDirectory()
    const coordinators = new Coordinators(directory, await directory.cluster(3))
    const { node: leader } = await coordinators.leaderAmong(NAMES)
    for (const name of NAMES) if (name !== leader) await coordinators.kill(name)
    const deadlineMs = performance.now() + SUCCESSION_MS_MAX
    let status = await coordinators.statusOf(leader)
    while (status.role === 'leader' && performance.now() < deadlineMs) status = await coordinators.statusOf(leader)
    expect(status.role).not.toBe('leader')
    expect(status.leader).toBeUndefined()
  })
})
