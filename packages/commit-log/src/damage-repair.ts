// Going on after damage: the good beginning of the log is kept, everything from the damage on is put aside under names
// that nothing reads, and the log remembers how far it once was durable until its owner has fetched that again from
// others. Nothing that was committed is cut or overwritten.
import type { Disk } from '@atoll/base'
import type { Crc32c, Offset } from '@atoll/records'
import type { Damage } from './commit-log-error.ts'
import { SCAN_SLICE_BYTES } from './limits.ts'
import { LogStateFile, readState } from './log-state.ts'
import { baseOffsetOf, segmentName, suffixes } from './segment.ts'

const DAMAGED_SUFFIX = '.damaged'

/** Makes the log one that ends at `damage.goodEnd` and owes what it had. Rejects with a DiskError; it may then be done again. */
export async function putDamageAside(disk: Disk, directory: string, damage: Damage, crc32c: Crc32c): Promise<void> {
  await rememberDebt(disk, directory, damage.recordedEnd, crc32c)
  const names = (await disk.list(directory)).map(({ name }) => name)
  const damagedBase = baseOffsetOf(damage.path.slice(damage.path.lastIndexOf('/') + 1)) as Offset
  const bases = names.flatMap(name => baseOffsetOf(name) ?? []).filter(base => base >= damagedBase)
  // The newest first: at any time a beginning of the log is left, and the rest is still found damaged or missing.
  for (const base of bases.reverse()) {
    const path = `${directory}/${segmentName(base)}${suffixes.log}`
    const aside = freeName(names, `${segmentName(base)}${suffixes.log}${DAMAGED_SUFFIX}`)
    if (base !== damagedBase || damage.position === 0) disk.rename(path, `${directory}/${aside}`)
    else {
      await copy(disk, path, `${directory}/${aside}`, Number.POSITIVE_INFINITY)
      await copy(disk, path, `${path}.good`, damage.position)
      await disk.syncDirectory(directory)
      disk.rename(`${path}.good`, path)
    }
    await disk.syncDirectory(directory)
  }
}

/** An earlier debt that was larger stays. */
async function rememberDebt(disk: Disk, directory: string, recordedEnd: Offset, crc32c: Crc32c): Promise<void> {
  const state = await readState(disk, directory, crc32c)
  const file = new LogStateFile(disk, directory, crc32c)
  file.stage({ ...state, owedEnd: Math.max(recordedEnd, state.owedEnd ?? 0) as Offset })
  await file.commit()
}

function freeName(taken: readonly string[], wanted: string): string {
  let name = wanted
  for (let count = 1; taken.includes(name); count++) name = `${wanted}-${count}`
  return name
}

/** Copies up to `bytesMax` bytes, a slice at a time, and syncs the copy. */
async function copy(disk: Disk, from: string, to: string, bytesMax: number): Promise<void> {
  const [source, target] = [disk.open(from, 'read'), disk.open(to, 'replace')]
  try {
    const end = Math.min(source.size(), bytesMax)
    for (let position = 0; position < end; position += SCAN_SLICE_BYTES)
      target.write(await source.read(position, Math.min(SCAN_SLICE_BYTES, end - position)), position)
    await target.sync()
  } finally {
    source.close()
    target.close()
  }
}
