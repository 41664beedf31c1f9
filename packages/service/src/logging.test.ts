// Log lines: their form, their level, and that the simulator gives the same ones for the same seed.
import { describe, expect, it } from 'vitest'
import { createLog } from './logging.ts'
import { SimulatedNodes } from './simulated-nodes.ts'

const clock = { monotonicMs: () => 0, wallMs: () => 1_735_689_600_123.4, after: () => ({ cancel() {} }), endOfTurn() {} } as never

function captured(level: 'debug' | 'info' | 'warn' | 'error' = 'info') {
  const lines: string[] = []
  const log = createLog({ write: line => void lines.push(line), flush() {} }, clock, level, { node: 'a', role: 'coordinator' })
  return { ...log, lines }
}

describe('createLog', () => {
  it('[LG1] one line is one JSON object with level, time, node, role, event, fields and message', () => {
    const { log, lines } = captured()
    log.info({ event: 'started', port: 7201, text: 'two\nlines' }, 'listening')
    expect(lines).toEqual([
      '{"level":"info","time":1735689600123,"node":"a","role":"coordinator","event":"started","port":7201,"text":"two\\nlines","msg":"listening"}\n',
    ])
  })

  it('[LG1] an error comes with its type, message, stack and cause', () => {
    const { log, lines } = captured()
    log.error({ event: 'failed', err: new RangeError('too far', { cause: new Error('too fast') }) }, 'failed')
    const { err } = JSON.parse(lines[0] ?? '') as { err: { type: string; message: string; stack: string } }
    expect(err).toMatchObject({ type: 'RangeError', message: expect.stringContaining('too far') })
    expect(err.stack).toContain('too fast')
  })

  it('[LG2] writes what is as severe as the level, which can be changed', () => {
    const { log, lines, setLevel } = captured('warn')
    const say = (): void => {
      log.debug({ event: 'd' }, 'd')
      log.info({ event: 'i' }, 'i')
      log.warn({ event: 'w' }, 'w')
      log.error({ event: 'e' }, 'e')
    }
    say()
    expect(lines.map(line => (JSON.parse(line) as { msg: string }).msg)).toEqual(['w', 'e'])
    lines.length = 0
    setLevel('debug')
    say()
    expect(lines).toHaveLength(4)
  })
})

describe('the log of a node', () => {
  it('[LG3] has its last line written before the stop has ended', async () => {
    const written: string[] = []
    const flushed: string[] = []
    const nodes = new SimulatedNodes(1, {
      adapt: ports => ({
        ...ports,
        logSink: { write: line => void written.push(line), flush: () => void flushed.push(...written.splice(0)) },
      }),
    })
    nodes.start(...nodes.names)
    await nodes.run(1_000)
    await nodes.doing(() => nodes.node(nodes.names[0] as never).stop('the test'))
    expect(written).toEqual([])
    expect(flushed.at(-1)).toContain('"event":"stopped"')
  })

  it('[LG4] is the same for the same seed, and the trace with it', async () => {
    const run = async (seed: number) => {
      const nodes = new SimulatedNodes(3, { seed })
      nodes.start(...nodes.names)
      await nodes.run(2_000)
      nodes.machine(nodes.names[1] as never).crash()
      await nodes.run(3_000)
      return { trace: nodes.simulation.traceHash, lines: nodes.names.map(name => nodes.machine(name).logLines) }
    }
    const first = await run(11)
    expect(await run(11)).toEqual(first)
    expect(first.lines.flat().length).toBeGreaterThan(10)
    expect((await run(12)).trace).not.toBe(first.trace)
  })
})
