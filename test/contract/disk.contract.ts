// The contract of the Disk port: what every file system gives and the simulator claims to. What only the simulator can
// show, the loss of what was not synced, is tested beside it.
import type { Clock, Disk, DiskFaults } from '@atoll/base'
import { present } from '@atoll/base'
import { expect, it } from 'vitest'
import { codeOf, pattern } from './world.ts'

export interface DiskWorld {
  readonly clock: Clock
  readonly disk: Disk
  readonly faults: DiskFaults
}

/** Runs `body` with an empty disk. */
export type DiskHarness = (body: (world: DiskWorld) => Promise<void>) => Promise<void>

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const shown = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** The code of the DiskError that `act` throws. */
function codeThrown(act: () => unknown): string {
  try {
    act()
    return 'nothing'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

export function diskContract(run: DiskHarness): void {
  it('what was written is read back at once, by this handle and by another', () =>
    run(async ({ disk }) => {
      const file = disk.open('log', 'create')
      file.write(text('hello'), 0)
      file.write(text('world'), 5)
      expect(file.size()).toBe(10)
      expect(shown(file.readNow(0, 10))).toBe('helloworld')
      const other = disk.open('log', 'read')
      expect(shown(await other.read(5, 5))).toBe('world')
      file.write(text('W'), 5)
      expect(shown(other.readNow(4, 3))).toBe('oWo')
      file.close()
      other.close()
    }))

  it('a read past the end is short, and one beyond it empty', () =>
    run(async ({ disk }) => {
      const file = disk.open('log', 'create')
      file.write(text('abc'), 0)
      expect(shown(await file.read(1, 100))).toBe('bc')
      expect(shown(file.readNow(1, 100))).toBe('bc')
      expect((await file.read(3, 5)).length).toBe(0)
      expect(file.readNow(1_000, 5).length).toBe(0)
      expect((await file.read(0, 0)).length).toBe(0)
      file.close()
    }))

  it('bytes never written read as zeros', () =>
    run(async ({ disk }) => {
      const file = disk.open('log', 'create')
      file.write(text('x'), 10_000)
      expect(file.size()).toBe(10_001)
      expect(await file.read(0, 10_000)).toEqual(new Uint8Array(10_000))
      file.truncate(3)
      file.truncate(6)
      expect(file.readNow(0, 100)).toEqual(new Uint8Array(6))
      file.close()
    }))

  it('large writes arrive whole', () =>
    run(async ({ disk }) => {
      const file = disk.open('log', 'create')
      const bytes = pattern(5_000_001)
      file.write(bytes, 7)
      expect(Buffer.compare(await file.read(7, bytes.length), bytes)).toBe(0)
      await file.sync()
      file.close()
    }))

  it('each mode of opening wants what it says', () =>
    run(async ({ disk }) => {
      expect(codeThrown(() => disk.open('a', 'read'))).toBe('not_found')
      expect(codeThrown(() => disk.open('a', 'update'))).toBe('not_found')
      disk.open('a', 'create').close()
      expect(codeThrown(() => disk.open('a', 'create'))).toBe('exists')
      const update = disk.open('a', 'update')
      update.write(text('kept'), 0)
      const again = disk.open('a', 'update')
      expect(again.size()).toBe(4)
      const replaced = disk.open('a', 'replace')
      expect(replaced.size()).toBe(0)
      for (const file of [update, again, replaced]) file.close()
      disk.open('b', 'replace').close()
      expect(codeThrown(() => disk.open('none/a', 'create'))).toBe('not_found')
    }))

  it('a rename replaces what was there, and open files stay what they were', () =>
    run(async ({ disk }) => {
      const a = disk.open('a', 'create')
      const b = disk.open('b', 'create')
      a.write(text('new'), 0)
      b.write(text('old'), 0)
      disk.rename('a', 'b')
      expect(shown(b.readNow(0, 3))).toBe('old')
      expect((await disk.list('')).map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([['b', 3]])
      const now = disk.open('b', 'read')
      expect(shown(now.readNow(0, 3))).toBe('new')
      for (const file of [a, b, now]) file.close()
      expect(codeThrown(() => disk.rename('a', 'c'))).toBe('not_found')
    }))

  it('a removed file is gone by name and lives on in open handles', () =>
    run(async ({ disk }) => {
      const file = disk.open('a', 'create')
      file.write(text('still'), 0)
      await disk.remove('a')
      expect(await codeOf(disk.remove('a'))).toBe('not_found')
      expect(codeThrown(() => disk.open('a', 'read'))).toBe('not_found')
      expect(shown(await file.read(0, 5))).toBe('still')
      file.close()
    }))

  it('directories are made with those above, listed in order and removed with all in them', () =>
    run(async ({ disk }) => {
      disk.makeDirectory('logs/orders-0')
      disk.makeDirectory('logs/orders-0')
      for (const name of ['10', '9', 'a', 'B']) disk.open(`logs/orders-0/${name}`, 'create').close()
      disk.makeDirectory('logs/orders-0/deeper')
      expect((await disk.list('logs/orders-0')).map(({ name, kind }) => `${name} ${kind}`)).toEqual([
        '10 file',
        '9 file',
        'B file',
        'a file',
        'deeper directory',
      ])
      await disk.syncDirectory('logs/orders-0')
      await disk.removeDirectory('logs')
      await disk.removeDirectory('logs')
      expect(await disk.list('')).toEqual([])
      expect(await codeOf(disk.list('logs'))).toBe('not_found')
      expect(await codeOf(disk.syncDirectory('logs'))).toBe('not_found')
    }))

  it('no path leads out of the disk', () =>
    run(async ({ disk }) => {
      for (const path of ['../a', '/etc/passwd', 'a//b', 'a/../../b', './a', 'a\\b', 'a\0b'])
        expect(() => disk.open(path, 'read')).toThrow(RangeError)
    }))

  it('a closed file says so', () =>
    run(async ({ disk }) => {
      const file = disk.open('a', 'create')
      file.write(text('a'), 0)
      const underWay = file.read(0, 1)
      const syncing = file.sync()
      file.close()
      file.close()
      expect(shown(await underWay)).toBe('a')
      await syncing
      expect(codeThrown(() => file.write(text('b'), 0))).toBe('closed')
      expect(codeThrown(() => file.readNow(0, 1))).toBe('closed')
      expect(codeThrown(() => file.size())).toBe('closed')
      expect(await codeOf(file.sync())).toBe('closed')
    }))

  it('a full disk refuses what needs room and works again when it has some', () =>
    run(async ({ disk, faults }) => {
      const file = disk.open('a', 'create')
      file.write(text('before'), 0)
      faults.replace({ full: true })
      expect(codeThrown(() => file.write(pattern(100_000), 6))).toBe('disk_full')
      expect(codeThrown(() => disk.open('b', 'create'))).toBe('disk_full')
      expect(await disk.freeBytes()).toBe(0)
      expect(shown(await file.read(0, 6))).toBe('before')
      await file.sync()
      faults.replace({})
      file.write(text(' and after'), 6)
      expect(shown(file.readNow(0, 16))).toBe('before and after')
      expect(await disk.freeBytes()).toBeGreaterThan(0)
      file.close()
    }))

  it('a failing disk fails with io', () =>
    run(async ({ disk, faults }) => {
      const file = disk.open('a', 'create')
      faults.replace({ writeFails: true, readFails: true, syncFails: true })
      expect(codeThrown(() => file.write(text('a'), 0))).toBe('io')
      expect(codeThrown(() => file.readNow(0, 1))).toBe('io')
      expect(await codeOf(file.read(0, 1))).toBe('io')
      expect(await codeOf(file.sync())).toBe('io')
      expect(await codeOf(disk.syncDirectory(''))).toBe('io')
      faults.replace({})
      file.write(text('a'), 0)
      await file.sync()
      file.close()
    }))

  it('a stuck sync ends when the fault goes, a slow one takes its time, and neither holds anything else up', () =>
    run(async ({ clock, disk, faults }) => {
      const file = disk.open('a', 'create')
      faults.replace({ syncStuck: true })
      let ended = 0
      const syncs = [file.sync(), file.sync(), disk.syncDirectory('')].map(sync => sync.then(() => void ended++))
      file.write(text('meanwhile'), 0)
      expect(shown(await file.read(0, 9))).toBe('meanwhile')
      await new Promise<void>(resolve => clock.after(20, resolve))
      expect(ended).toBe(0)
      const before = clock.monotonicMs()
      faults.replace({ syncDelayMs: 30 })
      await Promise.all(syncs)
      await file.sync()
      expect(clock.monotonicMs() - before).toBeGreaterThanOrEqual(30)
      file.close()
    }))

  it('says which faults are in force', () =>
    run(async ({ faults }) => {
      faults.replace({ full: true })
      expect(faults.present).toEqual({ full: true })
      faults.replace({})
      expect(present(faults.present, 'faults')).toEqual({})
    }))
}
