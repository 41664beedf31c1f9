// A file as a device and a page cache make it: what was written and not synced is in the cache only, page by page, and
// power loss decides about each page alone. After FoundationDB's AsyncFileNonDurable and what ATC 2020 found about
// fsync: a page whose sync failed counts as clean, and nothing writes it again until somebody changes it.
import type { Random } from '@atoll/base'
import { assert } from '@atoll/base'

export const PAGE_BYTES = 4_096
const SECTOR_BYTES = 512

/** What power loss does to pages that were not synced. `mixed` decides page by page, torn and garbled ones among them. */
export type PageFate = 'kept' | 'dropped' | 'mixed'

export interface PageCounts {
  pagesKept: number
  pagesDropped: number
  pagesTorn: number
  pagesGarbled: number
}

/** Pages as they were before something changed them, each a copy of a whole page. */
type PageImages = Map<number, Uint8Array>

/** A sync under way: what it writes down is what the file held when it began. */
export interface FileSync {
  readonly before: PageImages
  readonly sizeBytes: number
  fails: boolean
  /** Set when the device answered before it did for an older sync: syncs of one file end in the order they began. */
  end: (() => void) | undefined
}

export class VirtualFile {
  #bytes = new Uint8Array(PAGE_BYTES)
  #sizeBytes = 0
  #durableSizeBytes = 0
  /** What the device holds of pages whose sync failed; nobody will write them. */
  #lost: PageImages = new Map()
  #syncs: FileSync[] = []
  #changed: PageImages = new Map()

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The pages it takes on the device, in bytes. */
  get usedBytes(): number {
    return Math.ceil(this.#sizeBytes / PAGE_BYTES) * PAGE_BYTES
  }

  read(position: number, length: number): Uint8Array {
    return this.#bytes.slice(position, Math.max(position, Math.min(position + length, this.#sizeBytes)))
  }

  /** What would be read if everything that is not certainly on the device were lost. */
  durableBytes(): Uint8Array {
    const durable = this.#bytes.slice(0, this.#durableSizeBytes)
    for (const page of new Set([...this.#lost.keys(), ...this.#syncs.flatMap(sync => [...sync.before.keys()]), ...this.#changed.keys()])) {
      const from = page * PAGE_BYTES
      if (from < durable.length) durable.set((this.#onDevice(page) as Uint8Array).subarray(0, durable.length - from), from)
    }
    return durable
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    this.#reserve(end)
    this.#remember(Math.min(position, this.#sizeBytes), end)
    this.#bytes.set(bytes, position)
    this.#sizeBytes = Math.max(this.#sizeBytes, end)
  }

  truncate(sizeBytes: number): void {
    this.#reserve(sizeBytes)
    this.#remember(Math.min(sizeBytes, this.#sizeBytes), Math.max(sizeBytes, this.#sizeBytes))
    this.#bytes.fill(0, sizeBytes, Math.max(sizeBytes, this.#sizeBytes))
    this.#sizeBytes = sizeBytes
  }

  beginSync(): FileSync {
    const sync: FileSync = { before: this.#changed, sizeBytes: this.#sizeBytes, fails: false, end: undefined }
    this.#changed = new Map()
    this.#syncs.push(sync)
    return sync
  }

  /** Calls `ended` with the number of pages that were lost, once no older sync is under way. A failed one takes the later ones along. */
  endSync(sync: FileSync, random: Random, ended: (pagesLost: number) => void): void {
    sync.end = () => {
      assert(this.#syncs.shift() === sync, 'syncs of a file end in order')
      ended(this.#settle(sync, random))
      this.#syncs[0]?.end?.()
    }
    if (this.#syncs[0] === sync) sync.end()
  }

  #settle(sync: FileSync, random: Random): number {
    if (sync.fails) {
      for (const later of this.#syncs) later.fails = true
      for (const [page, image] of sync.before) {
        if (!this.#lost.has(page)) this.#lost.set(page, image)
        // The cache may drop such a page at any time, as it is clean; then the old bytes are read again.
        if (!this.#changed.has(page) && random.below(4) === 0) this.#bytes.set(image, page * PAGE_BYTES)
      }
      return sync.before.size
    }
    for (const page of sync.before.keys()) this.#lost.delete(page)
    this.#durableSizeBytes = sync.sizeBytes
    return 0
  }

  /** Flips one bit of what the device holds, and of the cache if it holds the same. */
  flipBit(position: number, bit: number): void {
    const flip = (bytes: Uint8Array, at: number): void => void (bytes[at] = (bytes[at] as number) ^ (1 << bit))
    const image = this.#onDevice(Math.floor(position / PAGE_BYTES))
    flip(this.#bytes, position)
    if (image !== undefined) flip(image, position % PAGE_BYTES)
  }

  /** The machine loses power: only what the device holds is left, and `fate` says how much of the rest reached it. */
  losePower(fate: PageFate, random: Random, counts: PageCounts): void {
    const pages = new Set([...this.#lost.keys(), ...this.#syncs.flatMap(sync => [...sync.before.keys()]), ...this.#changed.keys()])
    let keptBytes = 0
    for (const page of [...pages].sort((a, b) => a - b)) {
      if (this.#decide(page, fate, random, counts)) keptBytes = (page + 1) * PAGE_BYTES
    }
    this.#sizeBytes = this.#sizeAfter(fate, keptBytes, random)
    this.#bytes.fill(0, this.#sizeBytes)
    this.#durableSizeBytes = this.#sizeBytes
    this.#lost = new Map()
    this.#syncs = []
    this.#changed = new Map()
  }

  /** Answers true when something of the new page reached the device. */
  #decide(page: number, fate: PageFate, random: Random, counts: PageCounts): boolean {
    const old = this.#onDevice(page) as Uint8Array
    const now = this.#bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
    const onlyLost = !this.#changed.has(page) && !this.#syncs.some(sync => sync.before.has(page))
    const drawn = onlyLost ? 'dropped' : fate === 'mixed' ? drawPage(random) : fate
    switch (drawn) {
      case 'kept':
        counts.pagesKept++
        return true
      case 'dropped':
        counts.pagesDropped++
        now.set(old)
        return false
      case 'torn':
        counts.pagesTorn++
        for (let at = 0; at < PAGE_BYTES; at += SECTOR_BYTES) if (random.below(2) === 0) now.set(old.subarray(at, at + SECTOR_BYTES), at)
        return true
      case 'garbled':
        counts.pagesGarbled++
        garble(now, old, random)
        return true
    }
  }

  /** The size is the file system's own: it may have reached the device without the pages, or less than the pages. */
  #sizeAfter(fate: PageFate, keptBytes: number, random: Random): number {
    if (fate === 'dropped') return this.#durableSizeBytes
    if (fate === 'kept') return this.#sizeBytes
    if (this.#sizeBytes < this.#durableSizeBytes) return random.below(2) === 0 ? this.#sizeBytes : this.#durableSizeBytes
    const reached = Math.max(this.#durableSizeBytes, Math.min(keptBytes, this.#sizeBytes))
    return random.below(2) === 0 ? this.#sizeBytes : reached
  }

  /** What the device holds of a page, if that differs from the cache. */
  #onDevice(page: number): Uint8Array | undefined {
    return this.#lost.get(page) ?? this.#syncs.find(sync => sync.before.has(page))?.before.get(page) ?? this.#changed.get(page)
  }

  #remember(from: number, to: number): void {
    for (let page = Math.floor(from / PAGE_BYTES); page * PAGE_BYTES < to; page++) {
      if (!this.#changed.has(page)) this.#changed.set(page, this.#bytes.slice(page * PAGE_BYTES, (page + 1) * PAGE_BYTES))
    }
  }

  /** Room for whole pages up to `end`. */
  #reserve(end: number): void {
    const wanted = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES
    if (wanted <= this.#bytes.length) return
    const wider = new Uint8Array(Math.max(wanted, this.#bytes.length * 2))
    wider.set(this.#bytes)
    this.#bytes = wider
  }
}

function drawPage(random: Random): 'kept' | 'dropped' | 'torn' | 'garbled' {
  const draw = random.below(8)
  if (draw < 3) return 'kept'
  if (draw < 6) return 'dropped'
  return draw === 6 ? 'torn' : 'garbled'
}

/**
 * Damages what changed of a page, and never what was there before: a device that damages a sector it rewrites with the
 * same bytes would leave nothing to build on (SQLite calls the assumption powersafe overwrite).
 */
function garble(now: Uint8Array, old: Uint8Array, random: Random): void {
  let first = 0
  while (first < PAGE_BYTES && now[first] === old[first]) first++
  let last = PAGE_BYTES - 1
  while (last > first && now[last] === old[last]) last--
  if (first === PAGE_BYTES) return
  const from = first + random.below(last - first + 1)
  now.set(random.bytes(Math.min(last + 1 - from, 1 + random.below(SECTOR_BYTES))), from)
}
