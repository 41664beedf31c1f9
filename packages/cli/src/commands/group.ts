// `cluster group`: consumer groups, whichever clients their members use.
import type { GroupDescription } from '@atoll/client'
import { withClient } from '../cluster-client.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { tableLines } from '../table.ts'
import type { TargetOptions } from '../target.ts'

export interface GroupOptions extends TargetOptions {
  readonly json?: boolean
}

export async function list(options: GroupOptions, output: Output): Promise<number> {
  const groups = await withClient(options, client => client.log.groups.list())
  if (options.json === true) output.json({ groups })
  else if (groups.length === 0) output.say('There are no groups.')
  else for (const line of tableLines([['GROUP', 'STATE'], ...groups.map(({ group, state }) => [group, wordsOf(state)])])) output.data(line)
  return exitCodes.ok.code
}

export async function describe(group: string, options: GroupOptions, output: Output): Promise<number> {
  const found = await withClient(options, client => client.log.groups.describe(group))
  if (options.json === true) output.json(rowOf(found))
  else for (const line of described(found)) output.data(line)
  return exitCodes.ok.code
}

function described({ group, state, assignor, members, offsets }: GroupDescription): string[] {
  const ownerOf = new Map(members.flatMap(({ client, places }) => places.map(({ topic, partition }) => [`${topic}/${partition}`, client])))
  const rows = offsets.map(({ topic, partition, committed, end, lag }) => [
    topic,
    String(partition),
    String(committed),
    String(end ?? '-'),
    String(lag ?? '-'),
    ownerOf.get(`${topic}/${partition}`) ?? '-',
  ])
  return [
    `${group}: ${wordsOf(state)}, ${members.length === 1 ? '1 member' : `${members.length} members`}${assignor === '' ? '' : `, shared by ${assignor}`}`,
    ...tableLines([['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'MEMBER'], ...rows]),
  ]
}

function rowOf({ members, offsets, ...rest }: GroupDescription): object {
  return {
    ...rest,
    members: members.map(({ instanceId, ...member }) => ({ ...member, instanceId: instanceId ?? null })),
    offsets: offsets.map(({ end, lag, ...offset }) => ({ ...offset, end: end ?? null, lag: lag ?? null })),
  }
}

const wordsOf = (state: string): string => state.replaceAll('_', ' ')
