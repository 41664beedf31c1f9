// The reaper: a process of its own that outlives a killed supervisor just long enough to kill what it left behind. It
// holds pids and start times, told through a pipe, and when that pipe closes it ends the process groups that still are
// who they were; SIGKILL reaches paused ones, too, which could not notice by themselves.
//
// It is a shell script because it must be small: a bare Node process is 45 MB resident, whatever flags it gets (measured
// with --jitless, --lite-mode, --single-threaded and small heaps: 44.6 to 44.8 MB), a shell is 2 MB.
// Known weakness: when supervisor and reaper are killed together, a paused node stays until the next `up` or
// `doctor --fix`; the others notice that their parent is gone.
import { type ChildProcess, spawn } from 'node:child_process'
import type { ProcessIdentity } from './processes.ts'

/** POSIX sh. Lines on standard input: `+ PID START` and `- PID`. */
const SCRIPT = `
trap '' HUP INT
start_of() {
  if [ -r /proc/self/stat ]; then
    read -r stat < "/proc/$1/stat" || return
    set -- \${stat##*) }
    echo "\${20}"
  else
    set -- $(LC_ALL=C ps -o lstart= -p "$1")
    IFS=_; echo "$*"
  fi
}
held=
without() {
  kept=
  for entry in $held; do [ "\${entry%%=*}" = "$1" ] || kept="$kept $entry"; done
  held=$kept
}
while read -r verb pid start; do
  without "$pid"
  [ "$verb" = + ] && held="$held $pid=$start"
done
for entry in $held; do
  pid=\${entry%%=*}
  [ "$(start_of "$pid" 2>/dev/null)" = "\${entry#*=}" ] && kill -s KILL -- "-$pid" 2>/dev/null
done
exit 0
`

/** So many reapers that died are replaced; then the owner fails, so that a machine that cannot run one is not kept busy. */
const REPLACEMENTS_MAX = 10

export class Reaper {
  readonly #label: string
  readonly #onStarted: (pid: number) => void
  readonly #held = new Map<number, ProcessIdentity>()
  #child: ChildProcess | undefined
  #replacements = 0
  #closing = false

  /** `label` is what `ps` shows; `onStarted` hears the pid of each reaper. */
  constructor(label: string, onStarted: (pid: number) => void) {
    this.#label = label
    this.#onStarted = onStarted
    this.#start()
  }

  /** The process that reaps now. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  hold(identity: ProcessIdentity): void {
    this.#held.set(identity.pid, identity)
    this.#tell(`+ ${identity.pid} ${identity.startTime}\n`)
  }

  forget(pid: number): void {
    if (this.#held.delete(pid)) this.#tell(`- ${pid}\n`)
  }

  /** Closes the pipe: what is still held is killed now. Resolves when the reaper has ended. */
  close(): Promise<void> {
    this.#closing = true
    const child = this.#child
    if (child === undefined) return Promise.resolve()
    child.stdin?.end()
    return new Promise(resolve => child.once('exit', () => resolve()))
  }

  #start(): void {
    // A session of its own: whatever is done to the supervisor's group or terminal does not reach it.
    const child = spawn('/bin/sh', ['-c', SCRIPT, this.#label], { cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    this.#child = child
    child.on('error', error => this.#replace(error.message))
    child.on('exit', () => this.#replace('it ended'))
    child.stdin.on('error', () => {
      // It is gone; its exit is noticed and another one is started.
    })
    if (child.pid !== undefined) this.#onStarted(child.pid)
    for (const identity of this.#held.values()) this.#tell(`+ ${identity.pid} ${identity.startTime}\n`)
  }

  #replace(why: string): void {
    this.#child = undefined
    if (this.#closing) return
    if (this.#replacements++ < REPLACEMENTS_MAX) this.#start()
    else throw new Error(`no reaper can be kept running: ${why}`)
  }

  #tell(line: string): void {
    this.#child?.stdin?.write(line)
  }
}
