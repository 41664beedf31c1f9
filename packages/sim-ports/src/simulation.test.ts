// The four conditions a simulation stands on (design section 3), and what a process may expect of its machine.
import { readFile } from 'node:fs/promises'
import { setImmediate as realImmediate, setTimeout as realTimeout } from 'node:timers'
import { createGzip } from 'node:zlib'
import { type Clock, type Connection, type ConnectionHandlers, type NetError, nodeId } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { createSimHashes, createSimulation, type Program, type SimNode, type SimPorts, type Simulation } from './index.ts'

const hashes = await createSimHashes()
const AT = { host: '127.0.0.1', port: 7_201 }
const quiet: ConnectionHandlers = { onData() {}, onDrain() {}, onClose() {} }

function later(clock: Clock, delayMs: number): Promise<void> {
  return new Promise(resolve => void clock.after(delayMs, resolve))
}

function simulate(seed = 1, options: { readonly traceLinesMax?: number } = {}): Simulation {
  return createSimulation({ seed, hashes, ...options })
}

/** Echoes whatever arrives. */
const echo: Program = async ({ net }) => {
  await net.listen(AT, { onConnection: connection => connection.open({ ...quiet, onData: bytes => void connection.write(bytes) }) })
}

/** Talks to the echo at random moments for a second of virtual time. */
const talk: Program = async ({ net, clock, random, logSink }) => {
  const connection = await net.connect(AT, { timeoutMs: 100 })
  connection.open({ ...quiet, onData: bytes => logSink.write(`${bytes.length} at ${clock.monotonicMs()}\n`) })
  for (let round = 0; round < 50; round++) {
    await later(clock, random.below(20))
    connection.write(random.bytes(1 + random.below(2_000)))
  }
  connection.end()
}

async function hashOf(seed: number): Promise<string> {
  const simulation = simulate(seed)
  simulation.addNode(nodeId('server')).start(echo)
  for (const name of ['one', 'two', 'three']) {
    const node = simulation.addNode(nodeId(name))
    simulation.at(1, () => node.start(talk))
  }
  simulation.at(300, () =>
    simulation.setLinks([{ from: '*', to: nodeId('server'), fault: { delayMs: 5, jitterMs: 5, corruptProbability: 0.1 } }]),
  )
  simulation.at(500, () => simulation.nodes.get(nodeId('two'))?.crash())
  await simulation.run()
  return simulation.traceHash
}

/** The ports of a fresh node, and the node. */
async function started(simulation: Simulation, name: string, machine?: string): Promise<{ node: SimNode; ports: SimPorts }> {
  const node = simulation.addNode(nodeId(name), machine === undefined ? {} : { machine })
  let ports: SimPorts | undefined
  node.start(own => void (ports = own))
  await simulation.run({ until: () => ports !== undefined })
  return { node, ports: ports as unknown as SimPorts }
}

describe('a run is a function of its seed', () => {
  it('the same seed gives the same trace hash, also when the machine was busy with other things in between', async () => {
    const first = await hashOf(42)
    await new Promise<void>(resolve => realImmediate(resolve))
    expect(await hashOf(42)).toBe(first)
  })

  it('other seeds give other traces', async () => {
    const traces = new Set([await hashOf(1), await hashOf(2), await hashOf(3), await hashOf(4)])
    expect(traces.size).toBe(4)
  })

  it('the hash sees every byte', async () => {
    const send = async (last: number): Promise<string> => {
      const simulation = simulate()
      simulation.addNode(nodeId('server')).start(echo)
      const program: Program = async ({ net }) => {
        const connection = await net.connect(AT, { timeoutMs: 100 })
        connection.open(quiet)
        connection.write(Uint8Array.of(1, 2, last))
      }
      const node = simulation.addNode(nodeId('client'))
      simulation.at(1, () => node.start(program))
      await simulation.run()
      return simulation.traceHash
    }
    expect(await send(3)).toBe(await send(3))
    expect(await send(3)).not.toBe(await send(4))
  })

  it('keeps the newest lines of a readable trace, when asked to', async () => {
    const simulation = simulate(1, { traceLinesMax: 10 })
    simulation.addNode(nodeId('server')).start(echo)
    const node = simulation.addNode(nodeId('client'))
    simulation.at(1, () => node.start(talk))
    await simulation.run()
    expect(simulation.trace.length).toBe(10)
    expect(simulation.trace.join('\n')).toMatch(/ms {2}client > server +finish/)
  })
})

describe('one event at a time', () => {
  it('all microtasks of an event run before the next event, however many follow from each other', async () => {
    const simulation = simulate()
    const done: string[] = []
    simulation.at(5, async () => {
      for (let round = 0; round < 100; round++) await Promise.resolve()
      queueMicrotask(() => queueMicrotask(() => done.push('first')))
    })
    simulation.at(5, () => void done.push('second'))
    await simulation.run()
    expect(done).toEqual(['first', 'second'])
  })

  it('stops where it is told to, and goes on from there', async () => {
    const simulation = simulate()
    const fired: number[] = []
    for (const ms of [10, 20, 30, 40]) simulation.at(ms, () => void fired.push(ms))
    expect(await simulation.run({ untilMs: 20 })).toEqual({ reason: 'time', events: 2 })
    expect(simulation.nowMs).toBe(20)
    expect(await simulation.run({ untilMs: 25 })).toEqual({ reason: 'time', events: 0 })
    expect(simulation.nowMs).toBe(25)
    expect(await simulation.run({ until: () => fired.length === 3 })).toEqual({ reason: 'until', events: 1 })
    expect(await simulation.run({ eventsMax: 0 })).toEqual({ reason: 'events', events: 0 })
    expect(await simulation.run()).toEqual({ reason: 'idle', events: 1 })
    expect(fired).toEqual([10, 20, 30, 40])
  })

  it('an error names seed, time, node and event, and keeps its cause', async () => {
    const simulation = simulate(99)
    const cause = new Error('boom')
    simulation.addNode(nodeId('broker-1')).start(({ clock }) => {
      clock.after(12.5, () => {
        throw cause
      })
    })
    const run = simulation.run()
    await expect(run).rejects.toThrow('seed 99, 12.500 ms, broker-1, timer: boom')
    await expect(run).rejects.toMatchObject({ name: 'SimulationError', cause })
  })

  it('a program whose promise rejects fails the run', async () => {
    const simulation = simulate()
    simulation.addNode(nodeId('a')).start(async ({ clock }) => {
      await later(clock, 3)
      throw new Error('lost my way')
    })
    await expect(simulation.run()).rejects.toThrow('lost my way')
  })
})

describe('what the seed does not decide fails the run by name', () => {
  const failing: readonly (readonly [string, RegExp, Program])[] = [
    ['a real timer', /foreign Timeout.*simulation\.test/s, () => void realTimeout(() => {}, 0)],
    ['a real immediate', /foreign Immediate/, () => void realImmediate(() => {})],
    ['a codec that works beside', /foreign ZLIB/, () => void createGzip()],
    ['a tick', /foreign TickObject/, () => process.nextTick(() => {})],
    ['a file', /foreign FSREQPROMISE/, async () => void (await readFile(import.meta.filename))],
    [
      'a timer behind microtasks',
      /foreign Timeout/,
      async () => {
        await Promise.resolve()
        realTimeout(() => {}, 0)
      },
    ],
    [
      'a promise that no port made',
      /port call outside of an event: a called clock.after; something awaited a foreign promise/,
      async ({ clock }) => {
        // WebAssembly compiles on another thread: no resource that could be watched, only a promise that settles some time.
        await createSimHashes()
        clock.after(1, () => {})
      },
    ],
  ]
  it.each(failing)('%s', async (_what, message, program) => {
    const simulation = simulate()
    simulation.addNode(nodeId('a')).start(program)
    // A foreign promise may take a while: there is something to do meanwhile.
    const again = (): void => simulation.at(simulation.nowMs + 1, again)
    simulation.at(1, again)
    await expect(simulation.run({ eventsMax: 10_000_000 })).rejects.toThrow(message)
  })

  it('printing is harmless', async () => {
    const simulation = simulate()
    simulation.addNode(nodeId('a')).start(() => console.debug('printed by a simulated node'))
    expect((await simulation.run()).reason).toBe('idle')
  })

  it('what the test itself does meanwhile is none of its business', async () => {
    const simulation = simulate()
    const again = (): void => simulation.at(simulation.nowMs + 1, again)
    simulation.at(1, again)
    let fired = false
    realTimeout(() => {
      realTimeout(() => {
        fired = true
      }, 0)
    }, 0)
    expect((await simulation.run({ until: () => fired })).reason).toBe('until')
  })
})

describe('a crashed process', () => {
  it('is silent: its promises never settle, not even for finally, and its timers never fire', async () => {
    const simulation = simulate()
    const done: string[] = []
    const node = simulation.addNode(nodeId('a'))
    node.start(async ({ clock, net, logSink }) => {
      clock.after(50, () => done.push('timer'))
      net
        .connect(AT, { timeoutMs: 50, peer: nodeId('b') })
        .finally(() => done.push('connect'))
        .catch(() => done.push('connect failed'))
      try {
        await later(clock, 50)
        done.push('slept')
      } finally {
        done.push('finally')
        logSink.write('finally\n')
      }
    })
    // The attempt to connect hangs, so that it is pending when the process dies.
    simulation.setLinks([{ from: '*', to: '*', fault: { cut: true } }])
    simulation.at(20, () => node.crash())
    await simulation.run()
    expect(done).toEqual([])
    expect(node.logLines).toEqual([])
    expect(node.state).toBe('down')
  })

  it('that still has code running does nothing through its ports', async () => {
    const simulation = simulate()
    const server = await started(simulation, 'server')
    const { node, ports } = await started(simulation, 'a')
    const seen: string[] = []
    let connection: Connection | undefined
    simulation.at(1, async () => {
      await server.ports.net.listen(AT, { onConnection: side => side.open({ ...quiet, onData: () => seen.push('data') }) })
      connection = await ports.net.connect(AT, { timeoutMs: 100 })
      connection.open({ ...quiet, onClose: () => seen.push('own close') })
    })
    simulation.at(10, () => {
      ports.process.onStopRequest(() => seen.push('stop'))
      ports.process.exit(3)
      // In the same turn: an exit does not return on Node.js, here it does, with every port gone.
      expect(connection?.write(Uint8Array.of(1))).toBe(false)
      connection?.end()
      connection?.destroy()
      ports.clock.after(1, () => seen.push('timer'))
      ports.clock.endOfTurn(() => seen.push('end of turn'))
      ports.net.listen({ host: '127.0.0.1', port: 0 }, { onConnection() {} }).then(
        () => seen.push('listening'),
        () => seen.push('not listening'),
      )
      ports.net.connect(AT, { timeoutMs: 1 }).then(
        () => seen.push('connected'),
        () => seen.push('not connected'),
      )
      ports.logSink.write('line\n')
      node.stop()
    })
    await simulation.run()
    expect(seen).toEqual([])
    expect(node.exitCode).toBe(3)
    expect(node.logLines).toEqual([])
  })

  it('leaves a kernel that ends its connections, refuses its port and lets a successor have it', async () => {
    const simulation = simulate()
    const node = simulation.addNode(nodeId('server'))
    node.start(echo)
    const client = await started(simulation, 'client')
    const events: string[] = []
    simulation.at(1, async () => {
      const connection = await client.ports.net.connect(AT, { timeoutMs: 100 })
      connection.open({ ...quiet, onClose: ({ kind }) => events.push(kind) })
    })
    simulation.at(10, () => node.crash())
    const connect = async (): Promise<void> => {
      await client.ports.net.connect(AT, { timeoutMs: 100 }).then(
        () => events.push('connected'),
        (error: unknown) => events.push((error as NetError).code),
      )
    }
    simulation.at(20, connect)
    simulation.at(30, () => node.start(echo))
    simulation.at(40, connect)
    await simulation.run()
    expect(events).toEqual(['finished', 'refused', 'connected'])
  })

  it('may end itself; its exit code is remembered', async () => {
    const simulation = simulate()
    const node = simulation.addNode(nodeId('a'))
    node.start(({ process: own }) => own.onStopRequest(why => own.exit(why === 'SIGTERM' ? 0 : 1)))
    simulation.at(5, () => node.stop())
    await simulation.run()
    expect([node.state, node.exitCode]).toEqual(['down', 0])
  })
})

describe('a machine without power', () => {
  it('tells nobody: connections stay, new ones time out; back again, it resets what it does not know', async () => {
    const simulation = simulate()
    const far = { host: '10.0.0.2', port: 7_201 }
    const serve: Program = async ({ net }) => void (await net.listen(far, { onConnection: side => side.open(quiet) }))
    const node = simulation.addNode(nodeId('server'), { machine: '10.0.0.2' })
    node.start(serve)
    const client = await started(simulation, 'client', '10.0.0.1')
    const events: string[] = []
    let connection: Connection | undefined
    simulation.at(1, async () => {
      connection = await client.ports.net.connect(far, { timeoutMs: 100 })
      connection.open({ ...quiet, onClose: reason => events.push(reason.kind === 'failed' ? reason.error.code : 'finished') })
    })
    const connect = async (): Promise<void> => {
      await client.ports.net.connect(far, { timeoutMs: 100 }).then(
        () => events.push('connected'),
        (error: unknown) => events.push((error as NetError).code),
      )
    }
    simulation.at(10, () => simulation.powerOff('10.0.0.2'))
    simulation.at(20, () => void connection?.write(Uint8Array.of(1)))
    simulation.at(30, connect)
    simulation.at(500, () => {
      events.push('power')
      simulation.powerOn('10.0.0.2')
      node.start(serve)
    })
    simulation.at(510, connect)
    await simulation.run()
    expect(events).toEqual(['timed_out', 'power', 'reset', 'connected'])
  })
})

describe('a paused process', () => {
  it('stands still while its kernel accepts and buffers, and catches up when resumed', async () => {
    const simulation = simulate()
    const server = await started(simulation, 'server')
    const client = await started(simulation, 'client')
    const events: string[] = []
    const received: number[] = []
    const at = (): number => Math.floor(simulation.nowMs)
    simulation.at(1, async () => {
      await server.ports.net.listen(AT, {
        onConnection: side => {
          events.push(`accepted ${at()}`)
          side.open({ ...quiet, onData: bytes => void received.push(bytes.length) })
        },
      })
      server.ports.clock.after(50, () => events.push(`timer ${at()}`))
    })
    simulation.at(10, () => server.node.pause())
    simulation.at(20, async () => {
      const connection = await client.ports.net.connect(AT, { timeoutMs: 100 })
      events.push(`connected ${at()}`)
      connection.open({ ...quiet, onDrain: () => events.push(`drained ${at()}`) })
      let room = true
      for (let index = 0; index < 1_000 && room; index++) room = connection.write(new Uint8Array(4_096))
      // The window is full long before 4 MB.
      expect(room).toBe(false)
    })
    simulation.at(200, () => {
      expect(server.node.state).toBe('paused')
      expect(received).toEqual([])
      server.node.resume()
    })
    await simulation.run()
    expect(events).toEqual(['connected 20', 'accepted 200', 'timer 200', 'drained 200'])
    expect(received.reduce((sum, length) => sum + length, 0)).toBeGreaterThan(262_144)
  })

  it('that is killed leaves nothing to resume', async () => {
    const simulation = simulate()
    const { node, ports } = await started(simulation, 'a')
    const fired: string[] = []
    simulation.at(1, () => void ports.clock.after(10, () => fired.push('timer')))
    simulation.at(5, () => node.pause())
    simulation.at(20, () => node.crash())
    simulation.at(30, () => node.resume())
    await simulation.run()
    expect([fired, node.state]).toEqual([[], 'down'])
  })
})

describe('clocks', () => {
  it('of different nodes start elsewhere, may run fast, and have wall times that are off', async () => {
    const simulation = simulate()
    const a = await started(simulation, 'a')
    const b = await started(simulation, 'b')
    const times: { mono: number; wall: number }[] = []
    const read = ({ clock }: SimPorts): void => void times.push({ mono: clock.monotonicMs(), wall: clock.wallMs() })
    simulation.at(10, () => {
      a.node.setClock({ skewPpm: 100_000, wallOffsetMs: -5_000 })
      read(a.ports)
      read(b.ports)
    })
    const fired: number[] = []
    simulation.at(10, () => void a.ports.clock.after(110, () => fired.push(simulation.nowMs)))
    simulation.at(1_010, () => {
      read(a.ports)
      read(b.ports)
    })
    await simulation.run()
    const [a1, b1, a2, b2] = times as [(typeof times)[0], (typeof times)[0], (typeof times)[0], (typeof times)[0]]
    expect(a1.mono).not.toBe(b1.mono)
    expect(a2.mono - a1.mono).toBeCloseTo(1_100, 3)
    expect(b2.mono - b1.mono).toBe(1_000)
    expect(b1.wall - a1.wall).toBe(5_000)
    expect(b2.wall - a2.wall).toBe(4_900)
    // 110 ms of a clock that runs a tenth fast are 100 ms.
    expect(fired[0]).toBeGreaterThanOrEqual(110)
    expect(fired[0]).toBeLessThan(110.01)
  })
})
