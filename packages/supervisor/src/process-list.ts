// pids.json: every process of the cluster with what proves that it still is the same. Written before a process is
// started and again when its pid is known, so that whatever a crash of the supervisor leaves behind can be found.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { identify, isRunning, killGroups, type ProcessIdentity, until } from './processes.ts'
import { readIfThere, replaceFile } from './replace-file.ts'
import { parseObject } from './state-directory.ts'

/** A process carries its token in this variable of its environment. */
export const TOKEN_VARIABLE = 'ATOLL_PROCESS_TOKEN'
/** Killed processes are gone after this long, in milliseconds, or the machine has a problem of its own. */
const GONE_TIMEOUT_MS = 5_000

export interface ListedProcess {
  readonly name: string
  readonly token: string
  /** Absent while the process is being started. */
  readonly process?: ProcessIdentity
}

export class ProcessList {
  readonly #path: string
  readonly #byName = new Map<string, ListedProcess>()

  constructor(path: string) {
    this.#path = path
  }

  /** Announces a process that is about to be started. Answers its token. */
  announce(name: string): string {
    const token = randomBytes(16).toString('hex')
    this.#byName.set(name, { name, token })
    this.#write()
    return token
  }

  /** The announced process runs under this pid. Answers its identity, undefined when it has ended already. */
  started(name: string, pid: number): ProcessIdentity | undefined {
    const found = identify(pid)
    const announced = this.#byName.get(name)
    if (announced !== undefined && found !== undefined) this.#byName.set(name, { ...announced, process: found })
    this.#write()
    return found
  }

  ended(name: string): void {
    if (this.#byName.delete(name)) this.#write()
  }

  #write(): void {
    replaceFile(this.#path, `${JSON.stringify([...this.#byName.values()].map(toJson), undefined, 1)}\n`)
  }
}

/** Processes of an earlier supervisor that still run. Call it only while no supervisor runs. */
export function leftovers(path: string): readonly (ProcessIdentity & { readonly name: string })[] {
  return readList(path).flatMap(({ name, token, process: known }) => {
    const found = known ?? findByToken(token)
    return found !== undefined && isRunning(found) ? [{ name, ...found }] : []
  })
}

/** Kills what an earlier supervisor left behind. Answers the names; throws when one does not go. */
export async function killLeftovers(path: string): Promise<readonly string[]> {
  const found = leftovers(path)
  killGroups(found)
  const gone = await until(() => !found.some(isRunning), GONE_TIMEOUT_MS)
  if (!gone) throw new Error(`processes left behind do not end: ${found.map(({ name, pid }) => `${name} (${pid})`).join(', ')}`)
  return found.map(({ name }) => name)
}

function readList(path: string): readonly ListedProcess[] {
  const text = readIfThere(path)
  if (text === undefined) return []
  const rows = parseObject(`{"processes":${text}}`, path)['processes'] as readonly ReturnType<typeof toJson>[]
  return rows.map(({ name, token, pid, startTime, bootId }) => ({
    name,
    token,
    ...(pid === undefined || startTime === undefined ? {} : { process: { pid, startTime, ...(bootId === undefined ? {} : { bootId }) } }),
  }))
}

function toJson({ name, token, process: known }: ListedProcess) {
  return { name, token, pid: known?.pid, startTime: known?.startTime, bootId: known?.bootId }
}

/**
 * A supervisor that was killed between starting a process and writing its pid leaves only the token. Linux shows the
 * environment of a process; elsewhere such a one is not found, but it notices by itself that its parent is gone.
 */
function findByToken(token: string): ProcessIdentity | undefined {
  if (process.platform !== 'linux') return undefined
  const pid = readdirSync('/proc').find(name => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, 'latin1').includes(`${TOKEN_VARIABLE}=${token}`)
    } catch {
      return false // it ended while we looked, or belongs to somebody else
    }
  })
  return pid === undefined ? undefined : identify(Number(pid))
}
