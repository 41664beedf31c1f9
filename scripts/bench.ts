// `npm run bench -- NAME [OPTIONS]`: runs bench/NAME.ts. Without a name it says which there are.
import { spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'

const folder = resolve(import.meta.dirname, '../bench')
const [name, ...options] = process.argv.slice(2)
// A benchmark is what no other file of the folder imports.
const files = globSync('*.ts', { cwd: folder })
const text = files.map(file => readFileSync(join(folder, file), 'utf8')).join('\n')
const names = files
  .filter(file => !text.includes(`from './${file}'`))
  .map(file => basename(file, '.ts'))
  .toSorted()
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run bench -- NAME [OPTIONS]\nThere are ${names.join(', ')}.`)
  process.exit(2)
}
const child = spawn(process.execPath, ['--conditions=source', join(folder, `${name}.ts`), ...options], { stdio: 'inherit' })
process.once('disconnect', () => child.kill())
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.on('close', code => process.exit(code ?? 1))
