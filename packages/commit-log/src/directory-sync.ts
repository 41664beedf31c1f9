// A directory that survives power loss: its own name is in the one above it, and that one's name further up.
import type { Disk } from '@atoll/base'

/** Makes the directory, and it and all above it durable. Rejects with a DiskError. */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  if (directory !== '') disk.makeDirectory(directory)
  const parts = directory === '' ? [] : directory.split('/')
  for (let depth = parts.length; depth >= 0; depth--) await disk.syncDirectory(parts.slice(0, depth).join('/'))
}
