// What an operator may set: the schema of `cluster.config.json`, with defaults, bounds and words for the config page.
// A bad file reports every problem at once, each with the place and what to do.
import type { NodeId } from '@atoll/base'
import { decimal } from '@atoll/protocol'
import { defaultSettings } from '@atoll/swim'
import * as z from 'zod'
import { ConfigError, plannedNodes } from './config.ts'

/** A whole number within bounds; whatever is wrong, the message says what is right. */
const whole = (min: number, max: number, unit = '') => {
  const wanted = `want a whole number${unit} from ${decimal(min)} to ${decimal(max)}`
  return z.int(wanted).min(min, wanted).max(max, wanted)
}
const durationMs = (min: number, max: number) => whole(min, max, ' of milliseconds')
const port = whole(1, 65_535)

/** Addresses that never leave the machine: 127.0.0.0/8 and ::1. */
function isLoopback(host: string): boolean {
  const octets = host.split('.')
  const isOctet = (text: string): boolean => /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255
  return host === '::1' || (octets.length === 4 && octets[0] === '127' && octets.every(isOctet))
}

const role = (count: number, nativePort: number, countMax: number) =>
  z.strictObject({
    count: whole(0, countMax).default(count).describe('How many of them run.'),
    nativePort: port.default(nativePort).describe('Native port of the first; the others follow, one higher each.'),
  })
const broker = role(3, 7301, 31).extend({
  kafkaPort: port.default(9092).describe('Kafka port of the first broker; the others follow, one higher each.'),
})

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
    fileBytesMax: whole(64 * 1024, 1024 ** 3, ' of bytes')
      .default(16 * 1024 ** 2)
      .describe('A log file that reaches this size, in bytes, is rotated.'),
    filesMax: whole(1, 100).default(4).describe('Log files kept per node, the current one among them.'),
  })
  .prefault({})

const roles = z.strictObject({ coordinator: role(3, 7201, 31).prefault({}), broker: broker.prefault({}) }).prefault({})

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
  roles: roles.describe('The processes of the cluster.'),
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
  const problems = [...(parsed.error?.issues ?? []).map(describeIssue), ...crossChecks(json)]
  if (problems.length > 0 || !parsed.success) throw new ConfigError(origin, problems)
  return parsed.data
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const place = issue.path.length === 0 ? 'the file' : issue.path.join('.')
  if (issue.code === 'unrecognized_keys')
    return `${place}: unknown ${issue.keys.length === 1 ? 'setting' : 'settings'} ${issue.keys.map(key => `"${key}"`).join(', ')}`
  return `${place}: ${issue.message}`
}

/** What no single setting can see. Each part is looked at as soon as it is valid by itself, whatever else is wrong. */
function crossChecks(json: unknown): string[] {
  const parts = typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {}
  const checkedRoles = roles.safeParse(parts['roles'])
  const checkedGossip = gossip.safeParse(parts['gossip'])
  return [
    ...(checkedRoles.success ? portProblems(checkedRoles.data) : []),
    ...(checkedGossip.success ? gossipProblems(checkedGossip.data) : []),
  ]
}

function portProblems(checked: ClusterConfig['roles']): string[] {
  const takenBy = new Map<number, NodeId>()
  return plannedNodes({ roles: checked, host: '' }).flatMap(({ name, role: of, nativePort, fronts }) =>
    [{ protocol: 'native', port: nativePort }, ...fronts].flatMap(({ protocol, port: wanted }) => {
      const other = takenBy.get(wanted)
      takenBy.set(wanted, name)
      if (wanted > 65_535) return [`roles.${of}.${protocol}Port: ${name} would need port ${wanted}, past 65535`]
      return other === undefined ? [] : [`roles.${of}.${protocol}Port: ${name} and ${other} would share port ${wanted}`]
    }),
  )
}

function gossipProblems({ probeIntervalMs, suspicionMsMin }: ClusterConfig['gossip']): string[] {
  if (suspicionMsMin >= 2 * probeIntervalMs) return []
  return [
    `gossip.suspicionMsMin: ${suspicionMsMin} leaves no time for two probes of ${probeIntervalMs} ms; want at least ${2 * probeIntervalMs}`,
  ]
}
