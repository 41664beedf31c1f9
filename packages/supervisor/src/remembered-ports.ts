// Ports a cluster got, for its next start: a client's address list stays true although a wanted port was taken once.
import { readIfThere, replaceFile } from './replace-file.ts'
import { parseObject } from './state-directory.ts'

interface Remembered {
  /** The port the configuration asked for then; another wish makes the memory void. */
  readonly wanted: number
  readonly port: number
}

export class RememberedPorts {
  readonly #path: string
  readonly #byNode: Record<string, Remembered>

  constructor(path: string) {
    this.#path = path
    const text = readIfThere(path)
    this.#byNode = text === undefined ? {} : (parseObject(text, path) as Record<string, Remembered>)
  }

  /** The port to try first for a node that wants `wanted`. */
  portFor(node: string, wanted: number): number {
    const before = this.#byNode[node]
    return before !== undefined && before.wanted === wanted ? before.port : wanted
  }

  remember(node: string, wanted: number, port: number): void {
    const before = this.#byNode[node]
    if (before?.wanted === wanted && before.port === port) return
    this.#byNode[node] = { wanted, port }
    replaceFile(this.#path, `${JSON.stringify(this.#byNode, undefined, 1)}\n`)
  }
}

/** Under what the port of a node’s door is remembered. */
export const doorOf = (node: string, protocol: string): string => (protocol === 'native' ? node : `${node} ${protocol}`)
