// The log file: it rotates, keeps its promises about size and mode, and outlives a disk that does not take it.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { createFileLogSink } from './index.ts'

const directory = mkdtempSync(join(tmpdir(), 'atoll-log-'))
afterAll(() => rmSync(directory, { recursive: true }))

const line = (number: number): string => `${JSON.stringify({ number, text: 'x'.repeat(80) })}\n`
const linesOf = (path: string): number[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map(text => (JSON.parse(text) as { number: number }).number)

it('writes the lines of a turn together, after the turn, for its owner only', async () => {
  const path = join(directory, 'turn', 'a.ndjson')
  const sink = createFileLogSink({ path, fileBytesMax: 10_000, filesMax: 2 })
  sink.write(line(1))
  sink.write(line(2))
  expect(existsSync(path)).toBe(false)
  await new Promise<void>(resolve => setImmediate(() => setImmediate(resolve)))
  expect(linesOf(path)).toEqual([1, 2])
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(directory, 'turn')).mode & 0o777).toBe(0o700)
})

it('flush writes before it returns', () => {
  const path = join(directory, 'flushed.ndjson')
  const sink = createFileLogSink({ path, fileBytesMax: 10_000, filesMax: 1 })
  sink.write(line(1))
  sink.flush()
  expect(linesOf(path)).toEqual([1])
})

it('rotates by size, keeps so many files, and loses no line among those it keeps', () => {
  const path = join(directory, 'rotating.ndjson')
  const sink = createFileLogSink({ path, fileBytesMax: 1_000, filesMax: 3 })
  for (let number = 0; number < 100; number++) {
    sink.write(line(number))
    sink.flush()
  }
  const files = readdirSync(directory).filter(name => name.startsWith('rotating'))
  expect(files.toSorted()).toEqual(['rotating.ndjson', 'rotating.ndjson.1', 'rotating.ndjson.2'])
  for (const name of files) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1_000)
  const kept = [...linesOf(`${path}.2`), ...linesOf(`${path}.1`), ...linesOf(path)]
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => 100 - kept.length + index))
})

it('goes on with the file of the process before it', () => {
  const path = join(directory, 'again.ndjson')
  for (const number of [1, 2]) {
    const sink = createFileLogSink({ path, fileBytesMax: 10_000, filesMax: 1 })
    sink.write(line(number))
    sink.flush()
  }
  expect(linesOf(path)).toEqual([1, 2])
})

it('outlives a disk that takes nothing: what fits the buffer is written later, and the log says how much is missing', () => {
  const blocker = join(directory, 'blocked')
  writeFileSync(blocker, 'a file where the log wants a folder')
  const path = join(blocker, 'a.ndjson')
  const sink = createFileLogSink({ path, fileBytesMax: 10_000_000, filesMax: 2 })
  const big = `${JSON.stringify({ number: 0, text: 'x'.repeat(100_000) })}\n`
  for (let index = 0; index < 15; index++) {
    sink.write(big)
    sink.flush()
  }
  rmSync(blocker)
  sink.flush()
  sink.write(line(1))
  sink.flush()
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  expect(lines.length).toBe(12)
  expect(JSON.parse(lines[10] ?? '')).toMatchObject({ level: 'warn', event: 'log_lines_dropped', lines: 5 })
  expect(JSON.parse(lines[11] ?? '')).toMatchObject({ number: 1 })
})
