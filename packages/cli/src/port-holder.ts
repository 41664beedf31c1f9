// Who listens on a port. Linux tells it in /proc, for our own processes and, as root, for all; elsewhere lsof does.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

export interface PortHolder {
  readonly pid: number
  readonly command: string
}

/** `by node (pid 123)`, or that nobody knows. */
export function describeHolder(port: number): string {
  const holder = portHolder(port)
  return holder === undefined ? 'by a process that cannot be seen from here' : `by ${holder.command} (pid ${holder.pid})`
}

/** The process that listens on a TCP port; undefined when there is none or the system does not tell. */
export function portHolder(port: number): PortHolder | undefined {
  return process.platform === 'linux' ? fromProc(port) : fromLsof(port)
}

const LISTEN = '0A'

function fromProc(port: number): PortHolder | undefined {
  const hexPort = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(table =>
    linesOf(table).flatMap(line => {
      const fields = line.trim().split(/\s+/)
      return fields[1]?.endsWith(hexPort) && fields[3] === LISTEN && fields[9] !== undefined ? [`socket:[${fields[9]}]`] : []
    }),
  )
  if (inodes.length === 0) return undefined
  const pid = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .find(name => openFiles(name).some(file => inodes.includes(file)))
  return pid === undefined ? undefined : { pid: Number(pid), command: nameOf(pid) }
}

const nameOf = (pid: string): string => commandName(linesOf(`/proc/${pid}/cmdline`).join('\n').split('\0'))

/** Programs whose first plain argument is what really runs. Of any other program an argument may be a password. */
const INTERPRETER = /^(node|nodejs|bun|deno|python[\d.]*|ruby|perl|php|java|sh|bash|dash|zsh)$/
/** What follows one of these is code, or something else that is nobody's business. */
const CODE_OPTION = /^(-[a-zA-Z]*[ecp]|--eval|--print)$/
const NAME_LENGTH_MAX = 60

/**
 * Program and, for an interpreter, script: the kernel's own name of a Node process is that of its main thread. Nothing else
 * of a command line is shown; it may be anybody's, and hold anything.
 */
export function commandName([path = '', ...args]: readonly string[]): string {
  // A process may give itself a title: its first word is the program.
  const program = /^[^\s\p{Cc}]+/u.exec(basename(path))?.[0].slice(0, NAME_LENGTH_MAX) ?? '?'
  const at = args.findIndex(arg => arg !== '' && !arg.startsWith('-'))
  const script = args[at]
  if (script === undefined || !INTERPRETER.test(program) || args.slice(0, at).some(arg => CODE_OPTION.test(arg))) return program
  const name = basename(script)
  return name.length > NAME_LENGTH_MAX || /[\s\p{Cc}]/u.test(name) ? program : `${program} ${name}`
}

function openFiles(pid: string): string[] {
  const directory = `/proc/${pid}/fd`
  return attempt(() => readdirSync(directory)).flatMap(fd => attempt(() => [readlinkSync(`${directory}/${fd}`)]))
}

/** What `read` answers; nothing when what it looks at has gone meanwhile, or belongs to somebody else. */
function attempt(read: () => string[]): string[] {
  try {
    return read()
  } catch {
    return []
  }
}

function linesOf(path: string): string[] {
  return attempt(() => readFileSync(path, 'utf8').split('\n'))
}

function fromLsof(port: number): PortHolder | undefined {
  const { stdout } = spawnSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { encoding: 'utf8' })
  const [, pid, command] = /^p(\d+)\nc(.*)$/m.exec(stdout) ?? []
  return pid === undefined || command === undefined ? undefined : { pid: Number(pid), command }
}
