// `cluster kill`, `pause`, `resume` and `restart`: what is done to single processes.
import { nodesKill, nodesPause, nodesRestart, nodesResume, type RequestOf, type Rpc } from '@atoll/protocol'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { selectNodes } from '../node-globs.ts'
import type { Output } from '../output.ts'
import { statusOf, withCluster } from '../running-cluster.ts'
import { findTarget, type TargetOptions } from '../target.ts'

export interface NodesOptions extends TargetOptions {
  readonly all?: boolean
}

const verbs = {
  kill: { message: nodesKill, done: 'Killed', timeoutMs: 15_000 },
  pause: { message: nodesPause, done: 'Paused', timeoutMs: 15_000 },
  resume: { message: nodesResume, done: 'Resumed', timeoutMs: 15_000 },
  restart: { message: nodesRestart, done: 'Restarted', timeoutMs: 90_000 },
} as const

export type Verb = keyof typeof verbs

/** Answers once the effect is there: the process is gone, stopped, going on or serving again. */
export async function actOnNodes(verb: Verb, patterns: readonly string[], options: NodesOptions, output: Output): Promise<number> {
  if (patterns.length === 0 && options.all !== true) throw new CommandError('usage', 'Which nodes? NODE… or --all')
  const { message, done, timeoutMs } = verbs[verb]
  const nodes = await withCluster(findTarget(options), async client => {
    const names = (await statusOf(client, false)).nodes.map(({ name }) => name)
    const chosen = selectNodes(options.all === true ? ['*'] : patterns, names)
    // Healing cannot hurt; the rest of a cluster is not hit by a pattern that happened to match everything.
    if (verb !== 'resume' && chosen.length === names.length && options.all !== true)
      throw new CommandError('usage', `That is every node of the cluster. Say --all if you mean it.`)
    await client.request(message as Rpc, { nodes: chosen } as RequestOf<Rpc>, timeoutMs)
    return chosen
  })
  output.say(`${done} ${nodes.join(', ')}.`)
  return exitCodes.ok.code
}
