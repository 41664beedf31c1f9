// Hostile bytes against the codec of Kafka's protocol: messages with bytes changed, cut, repeated or added, and noise.
import { type SeededRandom, seededRandom, silentLogger } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Api } from '../../packages/broker/src/kafka/api.ts'
import { type ApiName, apis } from '../../packages/broker/src/kafka/apis.ts'
import { errorResponse } from '../../packages/broker/src/kafka/error-responses.ts'
import { FakeClock, FakeNet } from '../../packages/broker/src/kafka/fakes.ts'
import type { KafkaHandlers } from '../../packages/broker/src/kafka/handlers.ts'
import { REQUESTS_BYTES_MAX } from '../../packages/broker/src/kafka/limits.ts'
import { KafkaListener } from '../../packages/broker/src/kafka/listener.ts'
import { messageArbitrary } from '../../packages/broker/src/kafka/message-arbitrary.ts'
import { WireError } from '../../packages/broker/src/kafka/wire-error.ts'
import { WireReader } from '../../packages/broker/src/kafka/wire-reader.ts'
import { WireWriter } from '../../packages/broker/src/kafka/wire-writer.ts'

const INPUTS = 60_000
const CONNECTIONS = 4_000
const all = Object.values(apis) as unknown as readonly Api[]

interface Seed {
  readonly api: Api
  readonly version: number
  readonly bytes: Uint8Array
}

/** Whole messages of every version, to start from. */
function seedsOf(seed: number): readonly Seed[] {
  return all.flatMap(api =>
    Array.from({ length: api.to - api.from + 1 }, (_, index) => api.from + index).flatMap(version =>
      fc.sample(messageArbitrary(api.requestFields, version), { seed, numRuns: 3 }).map(value => {
        const writer = new WireWriter()
        writer.begin()
        api.request.write(writer, version, value as never)
        return { api, version, bytes: new Uint8Array(Buffer.concat(writer.finish()).subarray(4)) }
      }),
    ),
  )
}

/** Lengths and counts at which something could give way. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff]

function mutated(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes)
  if (result.length === 0) return random.bytes(random.below(20))
  for (let change = 0; change <= random.below(4); change++) {
    const at = random.below(result.length)
    const how = random.below(4)
    if (how === 0) result[at] = random.below(256)
    else if (how === 1) result[at] = EDGES[random.below(EDGES.length)] as number
    else if (how === 2) result[at] = (result[at] as number) ^ (1 << random.below(8))
    else result.fill(0xff, at, at + 4)
  }
  const how = random.below(6)
  if (how === 0) return result.slice(0, random.below(result.length))
  if (how === 1) return new Uint8Array([...result, ...random.bytes(random.below(9))])
  return how === 2 ? new Uint8Array([...result.subarray(random.below(result.length)), ...result]) : result
}

describe('hostile bytes', () => {
  it.each([1, 2])('[KC18] are read as a value or refused with a WireError (seed %i)', seed => {
    const random = seededRandom(seed)
    const seeds = seedsOf(seed)
    let accepted = 0
    for (let input = 0; input < INPUTS; input++) {
      const start = seeds[random.below(seeds.length)] as Seed
      const bytes = random.below(20) === 0 ? random.bytes(random.below(300)) : mutated(random, start.bytes)
      try {
        start.api.request.read(new WireReader(bytes), start.version)
        accepted++
      } catch (error) {
        if (!(error instanceof WireError))
          throw new Error(`${start.api.name} ${start.version}: ${Buffer.from(bytes).toString('hex')}`, { cause: error })
      }
    }
    expect(accepted).toBeGreaterThan(INPUTS / 20)
    expect(accepted).toBeLessThan(INPUTS)
  })

  it.each([1, 2])('[KL14] end a connection or are answered, and others are served (seed %i)', async seed => {
    const random = seededRandom(seed)
    const [net, clock] = [new FakeNet(), new FakeClock()]
    const failure = { errorCode: 3, errorMessage: null }
    const names = (Object.keys(apis) as ApiName[]).filter(name => name !== 'apiVersions')
    const handlers = Object.fromEntries(
      names.map(name => [name, (request: never) => errorResponse(name, request, failure)]),
    ) as KafkaHandlers
    const listener = await KafkaListener.listen({ host: '127.0.0.1', port: 0 }, { net, clock, logger: silentLogger, handlers })
    const seeds = seedsOf(seed)
    const honest = net.client()
    let ended = 0
    for (let input = 0; input < CONNECTIONS; input++) {
      const client = net.client()
      for (let request = 0; request < 4 && client.over === undefined; request++) {
        const { api, version, bytes } = seeds[random.below(seeds.length)] as Seed
        const body = random.below(2) === 0 ? bytes : mutated(random, bytes)
        const whole = client.frame(api, version, input, body)
        client.send(random.below(8) === 0 ? mutated(random, whole) : whole, 1 + random.below(random.below(2) === 0 ? 7 : 500))
      }
      client.answers()
      if (client.over === 'ended') ended++
      client.leave()
      honest.send(honest.request('heartbeat', 4, input, { groupId: 'g', generationId: 1, memberId: 'm' }))
      if (honest.answers()[0] !== input) throw new Error(`connection ${input} of seed ${seed} keeps others from being served`)
      if (input % 100 === 0) await Promise.resolve()
    }
    honest.leave()
    await Promise.resolve()
    await Promise.resolve()
    expect(ended).toBeGreaterThan(CONNECTIONS / 4)
    expect(ended).toBeLessThan(CONNECTIONS)
    expect([listener.connectionCount, listener.freeBytes, clock.timerCount]).toEqual([0, REQUESTS_BYTES_MAX, 0])
  })
})
