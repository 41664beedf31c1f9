// Rules HI4 to HI8: recording, and histories as files.
import { InvariantError, type MonotonicMs } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { decodeHistory, encodeHistory } from './json-lines.ts'
import { LINE_CHARS_MAX } from './limits.ts'
import { pairRecords } from './pairing.ts'
import { Recorder } from './recorder.ts'

const stopped = () => 1_000 as MonotonicMs
const definite = () => 'definite' as const
const indefinite = () => 'indefinite' as const

describe('recorder', () => {
  it('[HI4] makes histories whose assumptions hold, under a clock that stands still too', async () => {
    const recorder = new Recorder({ now: stopped })
    const [one, other] = [recorder.client('n1'), recorder.client()]
    one.invoke('write', 'k', 1)
    await other.run('read', 'k', null, async () => undefined, definite)
    one.ok(null)
    const operations = pairRecords(recorder.records)
    expect(operations).toMatchObject([
      { f: 'write', node: 'n1', process: 0, outcome: 'ok' },
      { f: 'read', node: null, process: 1, outcome: 'ok', output: null },
    ])
    // What was recorded later is later.
    expect(operations[0]!.t0).toBeLessThan(operations[1]!.t0)
    expect(operations[1]!.t1).toBeLessThan(operations[0]!.t1)
  })

  it('[HI5] records an error by what it says of the outcome, passes it on, and retires the process when nobody knows', async () => {
    const recorder = new Recorder({ now: stopped })
    const client = recorder.client()
    const fails = (error: Error) => () => Promise.reject(error)
    await expect(client.run('write', 'k', 1, fails(new Error('refused')), definite)).rejects.toThrow('refused')
    expect(client.process).toBe(0)
    await expect(client.run('write', 'k', 2, fails(new Error('timed out')), indefinite)).rejects.toThrow('timed out')
    expect(client.process).toBe(1)
    // A bug of ours says nothing about what was done.
    await expect(client.run('write', 'k', 3, fails(new InvariantError('bug')), definite)).rejects.toThrow('bug')
    expect(pairRecords(recorder.records).map(({ outcome, error, process }) => [outcome, error, process])).toEqual([
      ['fail', 'Error: refused', 0],
      ['info', 'Error: timed out', 0],
      ['info', 'InvariantError: bug', 1],
    ])
  })

  it('[HI6] refuses when full, before the operation happens; what is outstanding still completes', async () => {
    const recorder = new Recorder({ now: stopped, operationsMax: 2 })
    const [one, other] = [recorder.client(), recorder.client()]
    one.invoke('read', 'k', null)
    other.invoke('read', 'k', null)
    expect(recorder.full).toBe(true)
    one.ok(1)
    let happened = false
    const act = async () => {
      happened = true
    }
    await expect(one.run('read', 'k', null, act, definite)).rejects.toThrow('the recorder is full: 2 operations')
    expect(happened).toBe(false)
    other.ok(1)
    expect(pairRecords(recorder.records)).toHaveLength(2)
  })

  it('[HI7] lets one client do one thing at a time, and ids of two recorders stay apart', () => {
    const client = new Recorder({ now: stopped }).client()
    client.invoke('read', 'k', null)
    expect(() => client.invoke('read', 'k', null)).toThrow('a client does one thing at a time')
    client.fail('no')
    expect(() => client.ok(1)).toThrow('only what was invoked completes')
    const second = new Recorder({ now: stopped, firstId: 1_000 })
    second.client().invoke('read', 'k', null)
    expect(second.records).toMatchObject([{ process: 1_000, operation: 1_000 }])
  })
})

describe('files', () => {
  it('[HI8] reads back what was written, line by line', async () => {
    const recorder = new Recorder({ now: stopped })
    const client = recorder.client('n1')
    await client.run('txn', 'ключ\n', { compare: [], deep: [1, null, 'x'] }, async () => ({ revision: 3 }), definite)
    client.invoke('read', 'k', undefined)
    client.info('lost')
    const text = encodeHistory(recorder.records)
    expect(text.split('\n')).toHaveLength(5)
    expect(decodeHistory(`\n${text}\r\n`)).toEqual(recorder.records.map(record => ({ ...record, value: record.value ?? null })))
  })

  it('[HI8] names every line that is not a record', () => {
    const [good] = encodeHistory([
      { process: 0, operation: 0, type: 'invoke', f: 'read', key: 'k', value: 1, node: null, t0: 1 as MonotonicMs, t1: null, error: null },
    ]).split('\n')
    const bad = ['{', '7', good!.replace('"invoke"', '"surprise"'), good!.replace('"t0":1', '"t0":"1"'), 'x'.repeat(LINE_CHARS_MAX + 1)]
    expect(() => decodeHistory([good, ...bad].join('\n'))).toThrow(
      'not a valid history: line 2: not JSON; line 3: not an object; line 4: missing or wrong: type; line 5: missing or wrong: t0; line 6: longer than',
    )
  })
})
