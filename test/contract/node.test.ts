// The contract suites on the ports of Node.js: real sockets on loopback, port 0.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Net } from '@atoll/base'
import { present } from '@atoll/base'
import { createClock, createCompute, createDisk, createNet, systemRandom } from '@atoll/node-ports'
import { afterAll, describe } from 'vitest'
import { clockContract } from './clock.contract.ts'
import { computeContract } from './compute.contract.ts'
import { diskContract } from './disk.contract.ts'
import { linksContract } from './links.contract.ts'
import { netContract } from './net.contract.ts'
import { A, B, type Harness } from './world.ts'

const directory = mkdtempSync(join(tmpdir(), 'atoll-contract-'))
afterAll(() => rmSync(directory, { recursive: true }))
let paths = 0

const harness: Harness = {
  async run(body) {
    const clock = createClock()
    const random = systemRandom()
    const a = createNet({ self: A, faults: true, clock, random })
    const b = createNet({ self: B, faults: true, clock, random })
    const opened: (() => unknown)[] = []
    try {
      await body({
        clock,
        a: remembering(a.net, opened),
        b: remembering(b.net, opened),
        setLinks(rules) {
          a.links?.replaceRules(rules)
          b.links?.replaceRules(rules)
        },
        freshPath: () => join(directory, `${++paths}.sock`),
      })
    } finally {
      for (const side of [a, b]) side.links?.replaceRules([])
      await Promise.all(opened.map(close => close()))
    }
  },
}

/** `net`, with everything it opens put down to be closed. */
function remembering(net: Net, opened: (() => unknown)[]): Net {
  return {
    async listen(at, options) {
      const listener = await net.listen(at, {
        ...options,
        onConnection: connection => {
          opened.push(() => connection.destroy())
          options.onConnection(connection)
        },
      })
      opened.push(() => listener.close())
      return listener
    },
    async connect(to, options) {
      const connection = await net.connect(to, options)
      opened.push(() => connection.destroy())
      return connection
    },
  }
}

describe('Net on Node.js', () => {
  netContract(harness)
})
describe('link faults on Node.js', () => {
  linksContract(harness)
})
describe('Clock on Node.js', () => {
  clockContract(harness)
})
describe('Disk on Node.js', () => {
  diskContract(async body => {
    const clock = createClock()
    const { disk, faults } = createDisk({ directory: join(directory, `disk-${++paths}`), faults: true, clock })
    await body({ clock, disk, faults: present(faults, 'faults that were allowed') })
  })
})
describe('Compute on Node.js', () => {
  computeContract(async body => body(await createCompute()))
})
