// `cluster config`: the configuration that `up` would use, and where each value of it is from.
import { exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { type ConfigOptions, flatten, resolveConfig } from '../resolved-config.ts'
import { tableLines } from '../table.ts'
import { findTarget, type TargetOptions } from '../target.ts'

export interface ShowConfigOptions extends TargetOptions, ConfigOptions {
  readonly json?: boolean
}

export async function config(options: ShowConfigOptions, output: Output): Promise<number> {
  const target = findTarget(options)
  const { config: resolved, origins } = resolveConfig(target, options)
  if (options.json === true) {
    output.json({ cluster: target.name, file: target.configFile ?? null, config: resolved, origins: Object.fromEntries(origins) })
    return exitCodes.ok.code
  }
  output.say(`Cluster ${target.name} (${target.nameOrigin}), ${target.configFile ?? 'no configuration file: all defaults'}`)
  const rows = Array.from(flatten(resolved), ([path, value]) => {
    const origin = origins.get(path) ?? 'default'
    return [path, JSON.stringify(value), output.mark(origin === 'default' ? 'dim' : 'cyan', origin)]
  })
  for (const line of tableLines(rows)) output.data(line)
  return exitCodes.ok.code
}
