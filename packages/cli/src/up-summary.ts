// What `cluster up` says when it is done.
import { exitCodes } from './exit-codes.ts'
import type { ClusterStatus } from './running-cluster.ts'
import { addressOf, nodeTable, statusJson } from './status-view.ts'
import { tableLines } from './table.ts'
import type { Target } from './target.ts'
import type { UpRun } from './up-run.ts'

/** When it is ready, what runs, what to do next, and what happens to the data: 24 lines at most for the default cluster. */
export function showSummary({ target, options, output }: UpRun, status: ClusterStatus, how: 'attached' | 'detached' | 'before'): void {
  if (options.json === true) return output.json(statusJson(target, status))
  const sign = status.ready ? output.mark('green', '✓') : output.mark('yellow', '!')
  const state = status.ready ? 'is ready' : options.wait ? 'runs, degraded' : 'is starting'
  const when = how === 'before' ? '(it was running)' : `in ${(performance.now() / 1000).toFixed(1)} s`
  output.data(`${sign} Cluster ${output.mark('bold', target.name)} ${state} ${when}`)
  for (const line of nodeTable(status, output)) output.data(`  ${line}`)
  for (const sentence of status.ready ? [] : status.unready) output.data(output.mark('yellow', `  ! ${sentence}`))
  const victim = status.nodes.at(-1)?.name
  output.data('Next:  cluster status --watch')
  if (victim !== undefined) output.data(`       cluster kill ${victim}       then cluster restart ${victim}`)
  output.data(how === 'attached' ? '       Ctrl-C stops the cluster; twice kills it' : '       cluster logs -f, cluster down')
  output.data(output.mark('dim', retention(target, status.ephemeral, 'running')))
}

/** What happens to the data. */
export function retention(target: Target, ephemeral: boolean, when: 'running' | 'stopped'): string {
  const { directory } = target.paths
  if (ephemeral) return when === 'running' ? `Ephemeral: ${directory} is deleted when it stops.` : `Ephemeral: ${directory} is deleted.`
  return `Data stays in ${directory}; \`cluster down --volumes\` deletes it.`
}

/** What `--dry-run` prints. */
export function showPlan({ target, resolved, output, options }: UpRun): number {
  const rows = resolved.plan.map(({ name, role, host, nativePort, fronts }) => [
    name,
    role,
    [nativePort, ...fronts.map(front => front.port)].map(port => addressOf({ host, port })).join(' '),
  ])
  if (options.json === true) output.json({ cluster: target.name, stateDirectory: target.paths.directory, nodes: resolved.plan })
  else for (const line of tableLines([['NODE', 'ROLE', 'ADDRESS'], ...rows])) output.data(line)
  return exitCodes.ok.code
}
