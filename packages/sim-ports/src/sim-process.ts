// One run of a node's program, from its start to its death. Everything it owns hangs here, so that its death takes all
// of it: events are dropped, port calls do nothing, promises it waits for never settle.
import type { Owner, Scheduler, SimEvent } from './scheduler.ts'

/** What the kernel cleans up when its process is gone. */
export interface KernelResource {
  /** The process died; the kernel closes what it had open. */
  closeByKernel(): void
  /** The machine lost power: no kernel is left to close anything. */
  vanish(): void
  /** The process goes on after a pause: what arrived meanwhile may be read. */
  wake(): void
}

export class SimProcess implements Owner {
  readonly nodeIndex: number
  readonly name: string
  readonly pid: number
  readonly resources = new Set<KernelResource>()
  readonly stopHandlers: ((why: string) => void)[] = []
  readonly #scheduler: Scheduler
  #state: Owner['state'] = 'running'
  #heldEvents: SimEvent[] = []

  constructor(scheduler: Scheduler, nodeIndex: number, name: string, pid: number) {
    this.#scheduler = scheduler
    this.nodeIndex = nodeIndex
    this.name = name
    this.pid = pid
  }

  get state(): Owner['state'] {
    return this.#state
  }

  hold(event: SimEvent): void {
    this.#heldEvents.push(event)
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  /** Overdue timers and what came over the network meanwhile may come in either order on a real loop. */
  resume({ networkFirst }: { readonly networkFirst: boolean }): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    const held = this.#heldEvents
    this.#heldEvents = []
    if (networkFirst) for (const resource of this.resources) resource.wake()
    for (const event of held) this.#scheduler.release(event)
    if (!networkFirst) for (const resource of this.resources) resource.wake()
  }

  /** `power`: true when the machine goes down with the process, so that no peer hears of it. */
  die({ power }: { readonly power: boolean }): void {
    if (this.#state === 'dead') return
    this.#state = 'dead'
    this.#heldEvents = []
    for (const resource of this.resources) {
      if (power) resource.vanish()
      else resource.closeByKernel()
    }
    this.resources.clear()
  }
}
