// What an operator may set: the schema of `cluster.config.json`, with defaults, bounds and words for the config page.
// A bad file reports every problem at once, each with the place and what to do.
import type { NodeId } from '@atoll/base'
import { defaultSettings } from '@atoll/swim'
import * as z from 'zod'
import { ConfigError, plannedNodes } from './config.ts'

const durationMs = (min: number, max: number) => z.int(`want a whole number of milliseconds`).min(min).max(max)
const port = z.int().min(1).max(65_535)

/** Addresses that never leave the machine: 127.0.0.0/8 and ::1. */
function isLoopback(host: string): boolean {
  const octets = host.split('.')
  const isOctet = (text: string): boolean => /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255
  return host === '::1' || (octets.length === 4 && octets[0] === '127' && octets.every(isOctet))
}

const role = (count: number, nativePort: number, countMax: number) =>
  z
    .strictObject({
      count: z.int().min(0).max(countMax).default(count).describe('How many of them run.'),
      nativePort: port.default(nativePort).describe('Native port of the first; the others follow, one higher each.'),
    })
    .prefault({})

const gossip = z
  .strictObject({
    probeIntervalMs: durationMs(20, 60_000)
      .default(defaultSettings.probeIntervalMs)
      .describe('Each member probes one other this often, on average (milliseconds).'),
    suspicionMsMin: durationMs(50, 600_000)
      .default(defaultSettings.suspicionFloorMs)
      .describe(
        'A suspected member has at least this long to answer before it is called dead (milliseconds). Pauses shorter than this are survived.',
      ),
  })
  .prefault({})

const logs = z
  .strictObject({
    level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severity that is written.'),
    fileBytesMax: z
      .int()
      .min(64 * 1024)
      .max(1024 ** 3)
      .default(16 * 1024 ** 2)
      .describe('A log file that reaches this size, in bytes, is rotated.'),
    filesMax: z.int().min(1).max(100).default(4).describe('Rotated log files kept per node.'),
  })
  .prefault({})

export const configSchema = z.strictObject({
  host: z
    .string()
    .refine(isLoopback, {
      error: 'want a loopback address (127.x.x.x or ::1): listening elsewhere needs TLS and credentials, which are not supported yet',
    })
    .default('127.0.0.1')
    .describe('Address every process listens on. Loopback only, until TLS and credentials are supported.'),
  faults: z
    .boolean()
    .default(true)
    .describe('Whether chaos commands may cut, delay or corrupt links between nodes. Off: the hooks are not even installed.'),
  roles: z
    .strictObject({ coordinator: role(3, 7201, 31) })
    .prefault({})
    .describe('The processes of the cluster.'),
  gossip: gossip.describe('Failure detection (SWIM with Lifeguard).'),
  logs: logs.describe('Log files, one set per node.'),
  shutdownGraceMs: durationMs(100, 600_000)
    .default(10_000)
    .describe('An ordered stop that takes longer than this is ended with SIGKILL (milliseconds).'),
  stallWarnMs: durationMs(10, 60_000)
    .default(250)
    .describe('A node that was stopped or starved for longer than this says so in its log (milliseconds).'),
})

/** A valid configuration, with every default filled in. */
export type ClusterConfig = z.infer<typeof configSchema>

/** Reads a configuration. `origin` names the file in messages. Throws a ConfigError with all problems. */
export function parseConfig(text: string, origin: string): ClusterConfig {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new ConfigError(origin, [`not JSON: ${(error as Error).message}`])
  }
  const parsed = configSchema.safeParse(json)
  const problems = parsed.success ? crossChecks(parsed.data) : parsed.error.issues.map(describeIssue)
  if (problems.length > 0 || !parsed.success) throw new ConfigError(origin, problems)
  return parsed.data
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const place = issue.path.length === 0 ? 'the file' : issue.path.join('.')
  if (issue.code === 'unrecognized_keys')
    return `${place}: unknown ${issue.keys.length === 1 ? 'setting' : 'settings'} ${issue.keys.map(key => `"${key}"`).join(', ')}`
  return `${place}: ${issue.message}`
}

/** What no single setting can see. */
function crossChecks(config: ClusterConfig): string[] {
  const problems: string[] = []
  const takenBy = new Map<number, NodeId>()
  for (const node of plannedNodes(config)) {
    const other = takenBy.get(node.nativePort)
    if (node.nativePort > 65_535)
      problems.push(`roles.${node.role}.nativePort: ${node.name} would need port ${node.nativePort}, past 65535`)
    if (other !== undefined) problems.push(`roles.${node.role}.nativePort: ${node.name} and ${other} would share port ${node.nativePort}`)
    takenBy.set(node.nativePort, node.name)
  }
  if (config.gossip.suspicionMsMin < 2 * config.gossip.probeIntervalMs)
    problems.push(
      `gossip.suspicionMsMin: ${config.gossip.suspicionMsMin} leaves no time for two probes of ${config.gossip.probeIntervalMs} ms; want at least ${2 * config.gossip.probeIntervalMs}`,
    )
  return problems
}
