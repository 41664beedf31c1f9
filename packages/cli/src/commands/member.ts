// `cluster member ls`: every node that ever registered, as the coordinators have it.
import { withClient } from '../cluster-client.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { tableLines } from '../table.ts'
import type { TargetOptions } from '../target.ts'

export interface MemberOptions extends TargetOptions {
  readonly json?: boolean
}

export async function memberLs(options: MemberOptions, output: Output): Promise<number> {
  const members = await withClient(options, client => client.members())
  if (options.json === true)
    output.json({ members: members.map(({ name, role, state, leader, epoch }) => ({ name, role, state, leader, epoch })) })
  else {
    const rows = members.map(({ name, role, state, leader, epoch, endpoints }) => {
      const at = endpoints.map(({ protocol, host, port }) => `${protocol} ${host}:${port}`).join(', ')
      return [name, role, leader ? `${state}, leads` : state, String(epoch), at]
    })
    for (const line of tableLines([['MEMBER', 'ROLE', 'STATE', 'EPOCH', 'ADDRESSES'], ...rows])) output.data(line)
  }
  return exitCodes.ok.code
}
