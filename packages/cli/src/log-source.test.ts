// Lines of one log over its files, as they rotate, and of several logs in order of time.
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LogSource, mergedLines } from './log-source.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-logs-'))
  path = join(directory, 'a.ndjson')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const line = (time: number, msg = `at ${time}`): string => `${JSON.stringify({ level: 'info', time, msg })}\n`
const taken = (source: LogSource): string[] => Array.from(mergedLines([source]), ({ fields }) => String(fields['msg']))

it('reads old files first, and on as the present one grows', () => {
  writeFileSync(`${path}.2`, line(1))
  writeFileSync(`${path}.1`, line(2))
  writeFileSync(path, line(3))
  const source = new LogSource(path)
  expect(taken(source)).toEqual(['at 1', 'at 2', 'at 3'])
  appendFileSync(path, line(4))
  expect(taken(source)).toEqual(['at 4'])
  source.close()
})

it('loses and doubles nothing when files rotate twice between two looks', () => {
  writeFileSync(path, line(1))
  const source = new LogSource(path)
  expect(taken(source)).toEqual(['at 1'])
  appendFileSync(path, line(2))
  renameSync(path, `${path}.1`)
  writeFileSync(path, line(3))
  renameSync(`${path}.1`, `${path}.2`)
  renameSync(path, `${path}.1`)
  writeFileSync(path, line(4))
  source.refresh()
  expect(taken(source)).toEqual(['at 2', 'at 3', 'at 4'])
  source.refresh()
  expect(taken(source)).toEqual([])
  source.close()
})

it('waits for the rest of a line, and shows one that is no JSON as it is', () => {
  writeFileSync(path, line(1) + line(2).slice(0, 9))
  const source = new LogSource(path)
  expect(taken(source)).toEqual(['at 1'])
  appendFileSync(path, `${line(2).slice(9)}torn {\n`)
  expect(taken(source)).toEqual(['at 2', 'torn {'])
  source.close()
})

it('reads characters that lie across two reads whole', () => {
  const text = 'ü'.repeat(200_000)
  writeFileSync(path, line(1, `x${text}`))
  const source = new LogSource(path)
  expect(taken(source)).toEqual([`x${text}`])
  source.close()
})

it('merges by time, and keeps the order within one log', () => {
  writeFileSync(path, line(1) + line(5) + line(3))
  writeFileSync(join(directory, 'b.ndjson'), line(2) + line(4))
  const sources = [new LogSource(path), new LogSource(join(directory, 'b.ndjson'))]
  expect(Array.from(mergedLines(sources), ({ timeMs }) => timeMs)).toEqual([1, 2, 4, 5, 3])
  for (const source of sources) source.close()
})

it('begins with a log that does not exist yet', () => {
  const source = new LogSource(path)
  expect(taken(source)).toEqual([])
  writeFileSync(path, line(1))
  source.refresh()
  expect(taken(source)).toEqual(['at 1'])
  source.close()
})
