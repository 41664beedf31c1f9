// The contract suites on the simulated ports, over several seeds: what the simulator believes of a network is what real
// sockets do.
import { present } from '@atoll/base'
import { createSimHashes, createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe } from 'vitest'
import { clockContract } from './clock.contract.ts'
import { computeContract } from './compute.contract.ts'
import { diskContract } from './disk.contract.ts'
import { linksContract } from './links.contract.ts'
import { netContract } from './net.contract.ts'
import { A, B, type Harness } from './world.ts'

const hashes = await createSimHashes()

/** Runs `body` as simulated code that holds the ports of two nodes. */
async function simulate(seed: number, body: (a: SimPorts, b: SimPorts, simulation: ReturnType<typeof createSimulation>) => Promise<void>) {
  const simulation = createSimulation({ seed, hashes })
  const ports: SimPorts[] = []
  for (const id of [A, B]) simulation.addNode(id).start(own => void ports.push(own))
  let done = false
  simulation.at(1, async () => {
    await body(present(ports[0], 'ports of a'), present(ports[1], 'ports of b'), simulation)
    done = true
  })
  const { reason } = await simulation.run({ until: () => done, eventsMax: 2_000_000 })
  if (reason !== 'until') throw new Error(`the body still waits when the simulation stops: ${reason}`)
}

function harnessOf(seed: number): Harness {
  let paths = 0
  return {
    run: body =>
      simulate(seed, (a, b, simulation) =>
        body({
          clock: a.clock,
          a: a.net,
          b: b.net,
          setLinks: rules => simulation.setLinks(rules),
          freshPath: () => `/run/${++paths}.sock`,
        }),
      ),
  }
}

for (const seed of [1, 2, 3, 4, 5]) {
  describe(`seed ${seed}`, () => {
    describe('simulated Net', () => {
      netContract(harnessOf(seed))
    })
    describe('simulated link faults', () => {
      linksContract(harnessOf(seed))
    })
    describe('simulated Disk', () => {
      diskContract(body =>
        simulate(seed, (a, _b, simulation) =>
          body({ clock: a.clock, disk: a.disk, faults: present(simulation.nodes.get(A), 'node a').disk }),
        ),
      )
    })
    describe('simulated Clock', () => {
      clockContract(harnessOf(seed))
    })
  })
}
describe('simulated Compute', () => {
  computeContract(body => simulate(1, async a => body(a.compute)))
})
