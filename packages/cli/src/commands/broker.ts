// `cluster broker list`: the brokers, where each is, and how many partitions it leads and keeps.
import type { Client } from '@atoll/client'
import { withClient } from '../cluster-client.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { tableLines } from '../table.ts'
import type { TargetOptions } from '../target.ts'

export interface BrokerOptions extends TargetOptions {
  readonly json?: boolean
}

interface Broker {
  readonly name: string
  readonly state: string
  readonly epoch: number
  readonly endpoints: readonly { readonly protocol: string; readonly host: string; readonly port: number }[]
  /** Partitions that it leads, has a copy of, and is in sync with. */
  readonly leads: number
  readonly replicas: number
  readonly inSync: number
}

export async function list(options: BrokerOptions, output: Output): Promise<number> {
  const brokers = await withClient(options, brokersOf)
  if (options.json === true) output.json({ brokers })
  else if (brokers.length === 0) output.say('No broker has registered.')
  else {
    const rows = brokers.map(({ name, state, epoch, leads, replicas, inSync, endpoints }) => [
      name,
      state,
      String(epoch),
      String(leads),
      inSync === replicas ? String(replicas) : `${replicas}, ${replicas - inSync} behind`,
      endpoints.map(({ protocol, host, port }) => `${protocol} ${host}:${port}`).join(', '),
    ])
    for (const line of tableLines([['BROKER', 'STATE', 'EPOCH', 'LEADS', 'REPLICAS', 'ADDRESSES'], ...rows])) output.data(line)
  }
  return exitCodes.ok.code
}

async function brokersOf(client: Client): Promise<readonly Broker[]> {
  const [members, parts] = await Promise.all([client.members(), client.log.topics.partitions()])
  return members
    .filter(({ role }) => role === 'broker')
    .map(({ name, state, epoch, endpoints }) => ({
      name,
      state,
      epoch,
      endpoints,
      leads: parts.filter(({ leader }) => leader === name).length,
      replicas: parts.filter(({ replicas }) => replicas.includes(name)).length,
      inSync: parts.filter(({ isr }) => isr.includes(name)).length,
    }))
}
