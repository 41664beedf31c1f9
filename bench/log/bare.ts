// Three bare processes and what produces to them: the ceiling, in the same run on the same disk.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NODE = join(import.meta.dirname, 'bare-node.ts')

export class Bare {
  readonly #directories: string[] = []
  readonly #children: ChildProcess[] = []
  readonly #waiting: { readonly end: number; readonly resolve: () => void }[] = []
  #first = 0
  #socket: Socket | undefined
  #sent = 0
  #pieces: Uint8Array[] = []

  async start(sync: boolean): Promise<void> {
    const leader = await this.#spawn(sync)
    await this.#spawn(sync, leader)
    await this.#spawn(sync, leader)
    const socket = connect(leader, '127.0.0.1')
    await once(socket, 'connect')
    socket.setNoDelay(true)
    socket.write('p')
    await once(socket, 'data')
    let rest = Buffer.alloc(0)
    socket.on('data', (bytes: Buffer) => {
      const all = Buffer.concat([rest, bytes])
      const whole = all.length - (all.length % 8)
      if (whole > 0) this.#acknowledged(Math.floor(all.readDoubleLE(whole - 8) / 2))
      rest = all.subarray(whole)
    })
    this.#socket = socket
  }

  /** Resolves when all three have it; what one turn sends leaves together. */
  produce(record: Uint8Array): Promise<void> {
    if (this.#pieces.length === 0) setImmediate(() => this.#flush())
    this.#pieces.push(record)
    this.#sent += record.length
    const end = this.#sent
    return new Promise(resolve => this.#waiting.push({ end, resolve }))
  }

  close(): void {
    this.#socket?.destroy()
    for (const child of this.#children) child.disconnect()
    for (const directory of this.#directories) rmSync(directory, { recursive: true, force: true })
  }

  #flush(): void {
    this.#socket?.write(Buffer.concat(this.#pieces))
    this.#pieces = []
  }

  #acknowledged(end: number): void {
    for (;;) {
      const waiter = this.#waiting[this.#first]
      if (waiter === undefined || waiter.end > end) break
      this.#first++
      waiter.resolve()
    }
    if (this.#first > 4_096) this.#waiting.splice(0, this.#first)
    if (this.#first > 4_096) this.#first = 0
  }

  async #spawn(sync: boolean, leader?: number): Promise<number> {
    const directory = mkdtempSync(join(tmpdir(), 'atoll-bare-'))
    this.#directories.push(directory)
    const args = [directory, sync ? 'sync' : 'no-sync', ...(leader === undefined ? [] : [String(leader)])]
    const child = fork(NODE, args)
    this.#children.push(child)
    const [port] = (await once(child, 'message')) as [number]
    return port
  }
}
