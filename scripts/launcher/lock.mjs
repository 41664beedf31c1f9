// One launcher at a time may install or build in a checkout; the others wait and then find the work done.
// A lock is a numbered file that names its holder. The highest number counts. A lock whose holder is gone or done is never
// taken over in place (two could do that at once) but succeeded by the next number, which only one process can create.
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { refuseIfStopped } from './child.mjs'

const POLL_MS = 100
const DONE = JSON.stringify({ pid: 0 })

/** Runs `work` while holding the lock of `directory`; `onWait` is called once if another process holds it. */
export async function withLock(directory, onWait, work) {
  mkdirSync(directory, { recursive: true })
  const draft = join(directory, `draft-${process.pid}`)
  writeFileSync(draft, JSON.stringify({ pid: process.pid, started: startOf(process.pid) }))
  let mine
  try {
    let waiting = false
    for (;;) {
      mine = tryAcquire(directory, draft)
      if (mine !== undefined) break
      if (!waiting) onWait()
      waiting = true
      await new Promise(done => setTimeout(done, POLL_MS))
      refuseIfStopped()
    }
    return await work()
  } finally {
    rmSync(draft, { force: true })
    if (mine !== undefined) {
      writeFileSync(draft, DONE)
      renameSync(draft, mine)
    }
  }
}

/** The file of the lock now held, or undefined if another live process holds it. */
function tryAcquire(directory, draft) {
  const newest = Math.max(0, ...numbers(directory))
  if (newest > 0 && isHeld(join(directory, `${newest}.lock`))) return undefined
  const mine = join(directory, `${newest + 1}.lock`)
  try {
    linkSync(draft, mine)
  } catch (error) {
    if (error.code === 'EEXIST') return undefined // another process was faster
    throw error
  }
  // Between looking and linking, others may have gone further and deleted the old numbers; then theirs counts.
  const all = numbers(directory)
  if (all.some(number => number > newest + 1)) {
    rmSync(mine, { force: true })
    return undefined
  }
  for (const number of all) if (number <= newest) rmSync(join(directory, `${number}.lock`), { force: true })
  // Drafts of processes that were killed while they waited or worked.
  for (const name of readdirSync(directory)) {
    const file = join(directory, name)
    if (name.startsWith('draft-') && !isHeld(file)) rmSync(file, { force: true })
  }
  return mine
}

const numbers = directory => readdirSync(directory).flatMap(name => (/^\d+\.lock$/.test(name) ? [Number.parseInt(name, 10)] : []))

function isHeld(file) {
  let holder
  try {
    holder = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT') return true // just succeeded by the next number: look again
    throw error
  }
  return holder.pid !== 0 && startOf(holder.pid) === holder.started
}

/** When a process started, in whatever form the system tells it; undefined if there is none. Guards against a reused pid. */
function startOf(pid) {
  try {
    if (process.platform !== 'linux') return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie holds nothing any more; field 22 counts clock ticks since this boot.
    if (fields[0] === 'Z') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`
  } catch {
    return undefined // no such process
  }
}
