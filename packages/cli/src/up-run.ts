// What every part of `cluster up` needs to know.
import type { Output } from './output.ts'
import type { ConfigOptions, ResolvedConfig } from './resolved-config.ts'
import type { Steps } from './steps.ts'
import type { Target, TargetOptions } from './target.ts'

export interface UpOptions extends TargetOptions, ConfigOptions {
  readonly detach?: boolean
  readonly ephemeral?: boolean
  readonly strictPorts?: boolean
  readonly recreate?: boolean
  readonly retain?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly wait: boolean
  readonly timeout: string
}

export interface UpRun {
  readonly target: Target
  readonly options: UpOptions
  readonly resolved: ResolvedConfig
  readonly output: Output
  readonly steps: Steps
  readonly timeoutMs: number
}
