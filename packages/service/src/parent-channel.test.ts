// What a node understands of its parent's messages.
import { describe, expect, it } from 'vitest'
import { readToNode } from './parent-channel.ts'

describe('readToNode', () => {
  it('[LC4] reads addresses to join through, and nothing that comes with them', () => {
    const message = { kind: 'seeds', seeds: [{ host: '127.0.0.1', port: 7201, more: 1 }], more: 2 }
    expect(readToNode(message)).toEqual({ kind: 'seeds', seeds: [{ host: '127.0.0.1', port: 7201 }] })
    expect(readToNode({ kind: 'seeds', seeds: [] })).toEqual({ kind: 'seeds', seeds: [] })
  })

  it.each([
    undefined,
    null,
    'seeds',
    7,
    [],
    {},
    { kind: 'exit' },
    { kind: 'seeds' },
    { kind: 'seeds', seeds: {} },
    { kind: 'seeds', seeds: [null] },
    { kind: 'seeds', seeds: [{ host: '127.0.0.1' }] },
    { kind: 'seeds', seeds: [{ host: '127.0.0.1', port: '7201' }] },
    { kind: 'seeds', seeds: [{ host: '127.0.0.1', port: 0 }] },
    { kind: 'seeds', seeds: [{ host: '127.0.0.1', port: 65_536 }] },
    { kind: 'seeds', seeds: [{ host: '127.0.0.1', port: 7201.5 }] },
    { kind: 'seeds', seeds: [{ host: 'x'.repeat(65), port: 7201 }] },
    { kind: 'seeds', seeds: Array.from({ length: 4_097 }, () => ({ host: '127.0.0.1', port: 1 })) },
  ])('[LC4] does not understand case %#', message => {
    expect(readToNode(message)).toBeUndefined()
  })
})
