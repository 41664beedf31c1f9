// `cluster completion SHELL`: a script that completes commands, options and the names of nodes, made from the commands
// themselves.
import type { Command } from 'commander'
import { CommandError, exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'

const shells = { bash: bashScript, zsh: zshScript, fish: fishScript }

export function completion(shell: string, program: Command, output: Output): number {
  if (!isShell(shell)) throw new CommandError('usage', `Completion is for ${Object.keys(shells).join(', ')}, not for '${shell}'.`)
  output.data(shells[shell](program.commands.map(wordsOf)))
  return exitCodes.ok.code
}

const isShell = (name: string): name is keyof typeof shells => Object.hasOwn(shells, name)

interface Words {
  readonly name: string
  readonly description: string
  readonly options: readonly string[]
  /** What may follow it, for a group of commands. */
  readonly subcommands: readonly string[]
  /** Its arguments are names of nodes. */
  readonly takesNodes: boolean
}

function wordsOf(command: Command): Words {
  const takesNodes = command.registeredArguments.some(argument => ['node', 'group'].includes(argument.name()))
  const options = command.options.flatMap(({ long }) => (long === undefined ? [] : [long]))
  const subcommands = command.commands.map(subcommand => subcommand.name())
  return { name: command.name(), description: command.description(), options: [...options, '--help'], subcommands, takesNodes }
}

function bashScript(all: readonly Words[]): string {
  const cases = all.map(
    ({ name, options, subcommands, takesNodes }) =>
      `    ${name}) words='${[...subcommands, ...options].join(' ')}'${takesNodes ? '; nodes=1' : ''} ;;`,
  )
  return `# eval "$(cluster completion bash)"
_cluster() {
  local word=\${COMP_WORDS[COMP_CWORD]} words= nodes=
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  [ "$COMP_CWORD" -eq 1 ] && words='${all.map(({ name }) => name).join(' ')}' && nodes=
  [ -n "$nodes" ] && [ "\${word#-}" = "$word" ] && words=$(cluster ps -q 2>/dev/null)
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _cluster cluster`
}

function zshScript(all: readonly Words[]): string {
  return `# eval "$(cluster completion zsh)"
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${bashScript(all)}`
}

function fishScript(all: readonly Words[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`
  const lines = all.flatMap(({ name, description, options, subcommands, takesNodes }) => [
    `complete -c cluster -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...options.map(option => `complete -c cluster -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`),
    ...subcommands.map(subcommand => `complete -c cluster -n '__fish_seen_subcommand_from ${name}' -a ${subcommand}`),
    ...(takesNodes ? [`complete -c cluster -f -n '__fish_seen_subcommand_from ${name}' -a '(cluster ps -q 2>/dev/null)'`] : []),
  ])
  return ['# cluster completion fish | source', ...lines].join('\n')
}
