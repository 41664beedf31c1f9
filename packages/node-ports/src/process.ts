// The process port on Node.js. Besides signals, the closing of the parent's channel asks for a stop: a parent that was
// killed cannot send one.
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { Process } from '@atoll/base'

const SIGNALS = ['SIGTERM', 'SIGHUP'] as const

export function createProcess(): Process {
  return {
    pid: process.pid,
    bootId: bootId(),
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

/**
 * proc_sys_kernel(5) where there is one. Elsewhere when the machine was started, as far as its wall clock tells: one that was
 * set since makes it look like another start, and what follows from that is only caution.
 */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return `up since ${Math.round((Date.now() / 1000 - uptime()) / 60)} min`
  }
}
