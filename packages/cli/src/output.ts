// How the command line speaks: data on standard output, everything else on standard error, colour and motion only where
// somebody looks (NO_COLOR, FORCE_COLOR: no-color.org, force-color.org).
import { styleText } from 'node:util'

export type When = 'auto' | 'always' | 'never'
export type Progress = 'auto' | 'tty' | 'plain' | 'json' | 'quiet'
export type Style = Parameters<typeof styleText>[0]

export interface OutputOptions {
  readonly color: When
  readonly progress: Progress
}

export class Output {
  /** Lines of the data may be coloured. */
  readonly colorsData: boolean
  /** Messages may be coloured. */
  readonly colorsMessages: boolean
  /** How progress is shown. */
  readonly progress: Exclude<Progress, 'auto'>

  constructor({ color, progress }: OutputOptions, env: NodeJS.ProcessEnv = process.env) {
    this.colorsData = wantsColor(color, process.stdout.isTTY, env)
    this.colorsMessages = wantsColor(color, process.stderr.isTTY, env)
    const moves = process.stderr.isTTY && env['TERM'] !== 'dumb' && !isContinuousIntegration(env)
    this.progress = progress === 'auto' ? (moves ? 'tty' : 'plain') : progress
  }

  /** A line of data. */
  data(line: string): void {
    process.stdout.write(`${line}\n`)
  }

  /** One value as the whole answer. */
  json(value: object): void {
    this.data(JSON.stringify({ schema: 1, ...value }, undefined, 2))
  }

  /** A message. */
  say(line: string): void {
    process.stderr.write(`${line}\n`)
  }

  /** Something worth noticing that is not an error. */
  warn(line: string): void {
    this.say(this.message('yellow', line))
  }

  /** Text for a message. */
  message(style: Style, text: string): string {
    return this.colorsMessages ? styleText(style, text, { validateStream: false }) : text
  }

  /** Text for data. */
  mark(style: Style, text: string): string {
    return this.colorsData ? styleText(style, text, { validateStream: false }) : text
  }
}

export function wantsColor(when: When, isTerminal: boolean, env: NodeJS.ProcessEnv): boolean {
  if (when !== 'auto') return when === 'always'
  if ((env['NO_COLOR'] ?? '') !== '') return false
  const forced = env['FORCE_COLOR']
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false'
  return isTerminal && env['TERM'] !== 'dumb'
}

export function isContinuousIntegration(env: NodeJS.ProcessEnv): boolean {
  return (env['CI'] ?? '') !== '' && env['CI'] !== 'false'
}
