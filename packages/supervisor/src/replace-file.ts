// Replacing a file in one step: whoever reads it, also after a crash, finds the old text or the new one, never a part.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface ReplaceOptions {
  /** Survives a power loss, too: for what cannot be made again. */
  readonly durable?: boolean
}

/** Writes `text` beside `path`, readable by its owner only, and renames it into place. */
export function replaceFile(path: string, text: string, options: ReplaceOptions = {}): void {
  const draft = `${path}.${process.pid}.draft`
  const descriptor = openSync(draft, 'w', 0o600)
  try {
    writeSync(descriptor, text)
    if (options.durable === true) fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(draft, path)
  if (options.durable === true) syncDirectory(dirname(path))
}

/** The text of a file; undefined when there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A new name is durable only once its directory is. */
function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
