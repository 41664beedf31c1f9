// Who listens on a port.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { describeHolder, portHolder } from './port-holder.ts'

it('is found by its port, with its program and pid', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(portHolder(port)).toMatchObject({ pid: process.pid, command: expect.stringContaining('node') as string })
  expect(describeHolder(port)).toContain(`(pid ${process.pid})`)
  server.close()
  await once(server, 'close')
  expect(portHolder(port)).toBeUndefined()
})
