// What the machine says when it does not let us use a file, as one sentence: ordinary trouble, and no bug of ours.

const words: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'the system does not permit it',
  EROFS: 'the file system can only be read',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  ENOSPC: 'no space is left',
}

/** What only looks; everything else may write. */
const LOOKING = new Set(['access', 'lstat', 'read', 'readlink', 'scandir', 'stat', 'statfs'])

/** `cannot write /srv/x: permission denied`; undefined when the error is of another kind. */
export function describeFileTrouble(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code = '', path, syscall = '' } = error as NodeJS.ErrnoException
  const why = words[code]
  if (why === undefined || path === undefined) return undefined
  // `open` does not tell for what, and what is not there was to be read or made.
  const verb = syscall === 'open' ? 'open' : LOOKING.has(syscall) ? 'read' : 'write'
  return `cannot ${verb} ${path}: ${why}`
}
