// What a node's disk remembers of its standing in the cluster: which disk it is, how often it was opened, and in which epoch
// the node last stopped in order. The opening is written down before anything else is written to the disk, and with it the
// clean stop is forgotten: whoever dies now has not stopped in order.
//   disk length u8, disk, starts u64, clean epoch u64
import type { Compute, Disk } from '@atoll/base'
import { CommitLogError, WholeFile } from '@atoll/commit-log'
import type { Revision } from '@atoll/protocol'

const PATH = 'standing'
const DISK_ID_BYTES = 16

export interface Opened {
  readonly disk: string
  /** This time included. */
  readonly starts: number
  /** The epoch in which the node last stopped in order; 0: it did not. */
  readonly cleanEpoch: Revision
}

export class Standing {
  readonly opened: Opened
  readonly #file: WholeFile

  private constructor(file: WholeFile, opened: Opened) {
    this.#file = file
    this.opened = opened
  }

  /**
   * Counts this start. `disk`: the identity that the disk has from elsewhere; without one it gets one of its own. Rejects with
   * a CommitLogError when what is there cannot be read, or with a DiskError.
   */
  static async open(disk: Disk, compute: Compute, identity: string | undefined): Promise<Standing> {
    const file = new WholeFile(disk, PATH, 'standing', (bytes, before) => compute.crc32c(bytes, before))
    const body = await file.read()
    const before = body && decode(body)
    const own = identity ?? before?.disk ?? newIdentity(compute)
    const known = before?.disk === own ? before : { disk: own, starts: 0, cleanEpoch: 0 as Revision }
    const opened = { ...known, starts: known.starts + 1 }
    await file.write(encode({ ...opened, cleanEpoch: 0 as Revision }))
    return new Standing(file, opened)
  }

  /** Everything is on the disk, and nothing will be written any more. Resolves when that would survive power loss. */
  stoppedInOrder(epoch: Revision): Promise<void> {
    return this.#file.write(encode({ ...this.opened, cleanEpoch: epoch }))
  }
}

function newIdentity(compute: Compute): string {
  return Array.from(compute.secureBytes(DISK_ID_BYTES), byte => byte.toString(16).padStart(2, '0')).join('')
}

function encode({ disk, starts, cleanEpoch }: Opened): Uint8Array {
  const name = new TextEncoder().encode(disk)
  const bytes = new Uint8Array(1 + name.length + 16)
  bytes[0] = name.length
  bytes.set(name, 1)
  const fields = new DataView(bytes.buffer)
  fields.setBigUint64(1 + name.length, BigInt(starts))
  fields.setBigUint64(9 + name.length, BigInt(cleanEpoch))
  return bytes
}

function decode(body: Uint8Array): Opened {
  const length = body[0] ?? 0
  if (body.length !== 17 + length) throw new CommitLogError('corrupt', `${PATH}: cut short`)
  const fields = new DataView(body.buffer, body.byteOffset, body.byteLength)
  return {
    disk: new TextDecoder().decode(body.subarray(1, 1 + length)),
    starts: Number(fields.getBigUint64(1 + length)),
    cleanEpoch: Number(fields.getBigUint64(9 + length)) as Revision,
  }
}
