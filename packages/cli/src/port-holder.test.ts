// Who listens on a port.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { commandName, describeHolder, portHolder } from './port-holder.ts'

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

it.each([
  [['/usr/bin/node', '--inspect', '/srv/shop/server.js', 'hunter2'], 'node server.js'],
  [['python3.12', '-u', 'app.py'], 'python3.12 app.py'],
  [['/usr/bin/node', '-e', 'require("./x").listen(1)'], 'node'],
  [['node', '--input-type=module', '--eval', 'serve()'], 'node'],
  [['bash', '-xc', 'serve'], 'bash'],
  [['sh', 'a script\n.sh'], 'sh'],
  [['node', 'x'.repeat(61)], 'node'],
  [['redis-server', '--requirepass', 'hunter2'], 'redis-server'],
  [['postgres: alice shop 10.0.0.1 idle'], 'postgres:'],
  [[''], '?'],
])('%j is shown as %s', (command, name) => {
  expect(commandName(command)).toBe(name)
})
