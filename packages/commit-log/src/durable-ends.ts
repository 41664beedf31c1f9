// The record of how far each log of a store was durable, kept apart from the logs: what tells a torn tail, which may be
// cut, from damage, which may not. Two files of a fixed size take turns; each holds blocks on sectors of their own, so a
// torn write never reaches an older one, and writing one changes no file's size, which makes its sync cheap. A file
// begins with a block of all ends; each later block has the ends that changed. The block with the highest number wins.
//   block: the frame of own-format.ts around: sequence u64, whole u8 (1: all ends), count u32, then per log:
//   name length u16, name, end i64 (-1: the log is gone)
import type { Disk, DiskFile } from '@atoll/base'
import { assert } from '@atoll/base'
import type { Crc32c, Offset } from '@atoll/records'
import { CommitLogError, isDiskError } from './commit-log-error.ts'
import { beginsOwn, decodeOwn, encodeOwn, OWN_HEADER_BYTES } from './own-format.ts'

const NAMES = ['durable-ends-0', 'durable-ends-1'] as const
const SECTOR_BYTES = 512
const FILE_BYTES_MIN = 262_144
const FIXED_BYTES = 13

/** A log and its end; undefined: the log is gone. */
export type EndChange = readonly [name: string, end: Offset | undefined]

interface Block {
  readonly sequence: number
  readonly whole: boolean
  readonly changes: readonly EndChange[]
}

export class DurableEnds {
  readonly #disk: Disk
  readonly #directory: string
  readonly #crc32c: Crc32c
  readonly #ends: Map<string, Offset>
  readonly #files: [DiskFile, DiskFile]
  #sequence: number
  /** The file written to, and where. */
  #current: 0 | 1
  #position: number
  #failure: Error | undefined
  #writes: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, directory: string, crc32c: Crc32c, files: [DiskFile, DiskFile], found: Found) {
    this.#disk = disk
    this.#directory = directory
    this.#crc32c = crc32c
    this.#files = files
    this.#ends = found.ends
    this.#sequence = found.sequence
    // Whatever file was in use: its last block may be torn, and a new beginning in the other one leaves it alone.
    this.#current = found.file
    this.#position = Number.POSITIVE_INFINITY
  }

  /** Reads what is there; makes the files if they are not. Throws `newer_format` without having changed anything. */
  static async open(disk: Disk, directory: string, crc32c: Crc32c): Promise<DurableEnds> {
    const paths = NAMES.map(name => place(directory, name))
    const blocks = await Promise.all(paths.map(path => readBlocks(disk, path, crc32c)))
    const files = paths.map(path => openFile(disk, path)) as [DiskFile, DiskFile]
    const ends = new DurableEnds(disk, directory, crc32c, files, apply(blocks[0] ?? [], blocks[1] ?? []))
    await ends.#prepare()
    return ends
  }

  /** How far the log is known to have been durable; undefined when nothing was recorded. */
  get(name: string): Offset | undefined {
    return this.#ends.get(name)
  }

  /** What befell a write: what is on record is not known any more. Only a new process finds out. */
  get failure(): Error | undefined {
    return this.#failure
  }

  get names(): readonly string[] {
    return [...this.#ends.keys()]
  }

  /** Resolves when all of `changes` are recorded, power loss or not. Rejects with a DiskError. Changes are written in the order of the calls. */
  write(changes: readonly EndChange[]): Promise<void> {
    return this.#inOrder(() => this.#write(changes))
  }

  /** Records `end` unless what is on record, once all earlier changes are, is no higher. */
  lower(name: string, end: Offset): Promise<void> {
    return this.#inOrder(async () => {
      if ((this.#ends.get(name) ?? 0) > end) await this.#write([[name, end]])
    })
  }

  close(): void {
    for (const file of this.#files) file.close()
  }

  /** A write that failed may be read all the same, so what is on record is not known any more: nothing is written after it. */
  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#writes.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        await work()
      } catch (error) {
        this.#failure = error as Error
        throw error
      }
    })
    this.#writes = done.catch(() => {
      // Its caller hears of it; the next one is not held up.
    })
    return done
  }

  async #write(changes: readonly EndChange[]): Promise<void> {
    let block = encodeBlock({ sequence: this.#sequence + 1, whole: false, changes }, this.#crc32c)
    if (this.#position + block.length > this.#files[this.#current].size()) block = this.#turn(changes)
    const file = this.#files[this.#current]
    const position = this.#position
    this.#sequence++
    this.#position += block.length
    file.write(block, position)
    await file.sync()
    for (const [name, end] of changes) {
      if (end === undefined) this.#ends.delete(name)
      else this.#ends.set(name, end)
    }
  }

  /** Begins anew in the other file, with all ends. */
  #turn(changes: readonly EndChange[]): Uint8Array {
    const all = new Map<string, Offset | undefined>(this.#ends)
    for (const [name, end] of changes) all.set(name, end)
    const block = encodeBlock({ sequence: this.#sequence + 1, whole: true, changes: [...all] }, this.#crc32c)
    this.#current = this.#current === 0 ? 1 : 0
    this.#position = 0
    const file = this.#files[this.#current]
    const wanted = Math.max(FILE_BYTES_MIN, sectors(block.length * 4))
    if (file.size() < wanted) file.write(new Uint8Array(wanted - file.size()), file.size())
    return block
  }

  /** Room in both files, so that recording an end needs none on a full disk. */
  async #prepare(): Promise<void> {
    for (const file of this.#files) {
      if (file.size() >= FILE_BYTES_MIN) continue
      file.write(new Uint8Array(FILE_BYTES_MIN - file.size()), file.size())
      await file.sync()
    }
    await this.#disk.syncDirectory(this.#directory)
    // What was read may be in the page cache only, left there by a predecessor that was killed.
    await this.#write([])
  }
}

interface Found {
  readonly ends: Map<string, Offset>
  readonly sequence: number
  /** The file with the newest block. */
  readonly file: 0 | 1
}

function apply(first: readonly Block[], second: readonly Block[]): Found {
  const ends = new Map<string, Offset>()
  const all = [...first.map(block => ({ block, file: 0 as const })), ...second.map(block => ({ block, file: 1 as const }))]
  all.sort((a, b) => a.block.sequence - b.block.sequence)
  for (const { block } of all) {
    if (block.whole) ends.clear()
    for (const [name, end] of block.changes) {
      if (end === undefined) ends.delete(name)
      else ends.set(name, end)
    }
  }
  const newest = all.at(-1)
  return { ends, sequence: newest?.block.sequence ?? 0, file: newest?.file ?? 1 }
}

/** Every block of the file that is whole, wherever it stands: a damaged one hides no other. */
async function readBlocks(disk: Disk, path: string, crc32c: Crc32c): Promise<readonly Block[]> {
  const bytes = await readIfThere(disk, path)
  const blocks: Block[] = []
  for (let position = 0; position + OWN_HEADER_BYTES <= bytes.length; ) {
    const body = blockAt(bytes, position, path, crc32c)
    if (body !== undefined) blocks.push(decodeBlock(body))
    position += body === undefined ? SECTOR_BYTES : sectors(body.length + OWN_HEADER_BYTES)
  }
  return blocks
}

function blockAt(bytes: Uint8Array, position: number, path: string, crc32c: Crc32c): Uint8Array | undefined {
  // Most of the room was never written: an error for each of its sectors would take longer than all the rest.
  if (!beginsOwn(bytes, position)) return undefined
  try {
    return decodeOwn('durableEnds', bytes.subarray(position), path, crc32c)
  } catch (error) {
    // Torn when it was written, or damaged later. A newer format is another matter.
    if (error instanceof CommitLogError && error.code === 'corrupt') return undefined
    throw error
  }
}

function encodeBlock({ sequence, whole, changes }: Block, crc32c: Crc32c): Uint8Array {
  const text = new TextEncoder()
  const names = changes.map(([name]) => text.encode(name))
  const body = new Uint8Array(FIXED_BYTES + names.reduce((sum, name) => sum + 10 + name.length, 0))
  const fields = new DataView(body.buffer)
  fields.setBigUint64(0, BigInt(sequence))
  fields.setUint8(8, whole ? 1 : 0)
  fields.setUint32(9, changes.length)
  let at = FIXED_BYTES
  for (const [index, [, end]] of changes.entries()) {
    const name = names[index] as Uint8Array
    fields.setUint16(at, name.length)
    body.set(name, at + 2)
    fields.setBigInt64(at + 2 + name.length, BigInt(end ?? -1))
    at += 10 + name.length
  }
  const framed = encodeOwn('durableEnds', body, crc32c)
  const block = new Uint8Array(sectors(framed.length))
  block.set(framed)
  return block
}

/** What has a good checksum was written by us. */
function decodeBlock(body: Uint8Array): Block {
  const fields = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const text = new TextDecoder()
  const changes: EndChange[] = []
  let at = FIXED_BYTES
  for (let left = fields.getUint32(9); left > 0; left--) {
    const length = fields.getUint16(at)
    const end = Number(fields.getBigInt64(at + 2 + length))
    changes.push([text.decode(body.subarray(at + 2, at + 2 + length)), end === -1 ? undefined : (end as Offset)])
    at += 10 + length
  }
  assert(at === body.length, 'a block is as long as its ends')
  return { sequence: Number(fields.getBigUint64(0)), whole: fields.getUint8(8) === 1, changes }
}

function sectors(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES
}

function place(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}

async function readIfThere(disk: Disk, path: string): Promise<Uint8Array> {
  let file: DiskFile
  try {
    file = disk.open(path, 'read')
  } catch (error) {
    if (isDiskError(error) && error.code === 'not_found') return new Uint8Array(0)
    throw error
  }
  try {
    return await file.read(0, file.size())
  } finally {
    file.close()
  }
}

function openFile(disk: Disk, path: string): DiskFile {
  try {
    return disk.open(path, 'update')
  } catch (error) {
    if (isDiskError(error) && error.code === 'not_found') return disk.open(path, 'create')
    throw error
  }
}
