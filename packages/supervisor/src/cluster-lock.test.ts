// One holder at a time, and a dead one is succeeded.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { heldNodes, lockHolder, nodeLock, takeLock } from './cluster-lock.ts'
import { identify } from './processes.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const self = identify(process.pid)!

it('is held by one, given back, and taken again', () => {
  expect(lockHolder(directory)).toBeUndefined()
  const lock = takeLock(directory)
  expect(takeLock(directory)).toEqual({ heldBy: self })
  expect(lockHolder(directory)).toEqual(self)
  if ('release' in lock) lock.release()
  expect(lockHolder(directory)).toBeUndefined()
  expect(takeLock(directory)).toHaveProperty('release')
  // Numbers only ever go up; a smaller one would count for nothing.
  expect(readdirSync(directory)).toEqual(['2.lock'])
})

it('passes from a holder that is gone, also when another process has its pid', () => {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, '7.lock'), JSON.stringify({ ...self, startTime: 'before' }))
  expect(lockHolder(directory)).toBeUndefined()
  expect(takeLock(directory)).toHaveProperty('release')
  expect(readdirSync(directory)).toEqual(['8.lock'])
})

it('of a node by itself is seen beside that of the cluster, and does not count as it', () => {
  expect(heldNodes(directory)).toEqual([])
  takeLock(directory)
  const lock = takeLock(nodeLock(directory, 'coordinator-1'))
  takeLock(nodeLock(directory, 'coordinator-2'))
  expect(heldNodes(directory).map(({ node, pid }) => ({ node, pid }))).toEqual(
    ['coordinator-1', 'coordinator-2'].map(node => ({ node, pid: process.pid })),
  )
  if ('release' in lock) lock.release()
  expect(heldNodes(directory).map(({ node }) => node)).toEqual(['coordinator-2'])
  expect(lockHolder(directory)).toEqual(self)
})
