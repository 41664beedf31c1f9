// The page that `cluster --help` prints: examples first, then every command, on one screen.
import { exitCodes } from './exit-codes.ts'

const codes = Object.values(exitCodes)
const half = Math.ceil(codes.length / 2)

/** The exit codes in two columns. */
const codeLines = Array.from({ length: half }, (_, i) => {
  const [left, right] = [codes[i], codes[i + half]].map(row => (row === undefined ? '' : `${String(row.code).padStart(3)} ${row.meaning}`))
  return `  ${left?.padEnd(46)}${right}`.trimEnd()
})

export const topHelp = [
  'A distributed backend on your own machine, made to be broken on purpose.',
  '',
  '  cluster up -d                         start it; returns when it is truly ready',
  '  cluster kill coordinator-2            end a node, then watch the others notice:',
  '  cluster status --watch',
  '  cluster partition coordinator-1       cut a node off; cluster heal undoes it',
  '  cluster exec -- npm test              run a program with the addresses it needs',
  '',
  'Run    up  down  restart NODE…  node run NAME',
  'Look   status  ps  ls  logs [NODE…]  env  config  doctor',
  'Break  kill NODE…  pause NODE…  resume NODE…  partition A,B [C,D]  heal',
  'Use    exec -- COMMAND  kv get|put|del|ls|watch|txn  lock NAME -- COMMAND  member ls  completion SHELL',
  '       topic create|list|describe|alter|delete  produce TOPIC  consume TOPIC  group list|describe  broker list',
  '',
  'NODE may hold * and ?. Every command takes --name, --config, --color and --help; those that read take --json.',
  'Exit codes:',
  ...codeLines,
  '',
].join('\n')
