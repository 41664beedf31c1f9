// The process port on Node.js. Besides signals, the closing of the parent's channel asks for a stop: a parent that was
// killed cannot send one.
import type { Process } from '@atoll/base'

const SIGNALS = ['SIGTERM', 'SIGHUP'] as const

export function createProcess(): Process {
  return {
    pid: process.pid,
    usage() {
      const { rss, heapUsed } = process.memoryUsage()
      const { user, system } = process.cpuUsage()
      return { residentBytes: rss, heapBytes: heapUsed, cpuMs: (user + system) / 1000 }
    },
    onStopRequest(handler) {
      for (const signal of SIGNALS) process.on(signal, handler)
      const onChannelClosed = (): void => handler('the parent closed its channel')
      process.on('disconnect', onChannelClosed)
      // The parent may be gone before anybody listened.
      if (process.send !== undefined && !process.connected) setImmediate(onChannelClosed)
    },
    exit(code) {
      process.exit(code)
    },
  }
}
