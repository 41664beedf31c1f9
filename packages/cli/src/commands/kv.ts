// `cluster kv`: keys and values from the command line.
import { text } from 'node:stream/consumers'
import type { Entry, KeyValue, RangeOptions, Selection, Transaction } from '@atoll/client'
import { withClient } from '../cluster-client.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { Interrupts } from '../interrupts.ts'
import type { Output } from '../output.ts'
import { tableLines } from '../table.ts'
import type { TargetOptions } from '../target.ts'

export interface KvOptions extends TargetOptions {
  readonly json?: boolean
}

export interface SelectOptions extends KvOptions {
  readonly prefix?: boolean
}

export interface ListOptions extends KvOptions {
  readonly values?: boolean
  readonly limit?: string
}

export interface WatchOptions extends SelectOptions {
  readonly from?: string
}

export async function get(key: string, options: KvOptions, output: Output): Promise<number> {
  const entry = await withClient(options, ({ kv }) => kv.get(key))
  if (entry === undefined) throw new CommandError('notFound', `There is no key ${key}.`)
  if (options.json === true) output.json(rowOf(entry))
  else output.data(entry.value)
  return exitCodes.ok.code
}

/** The value `-`, or none, is read from standard input. */
export async function put(key: string, value: string | undefined, options: KvOptions, output: Output): Promise<number> {
  const given = value === undefined || value === '-' ? await text(process.stdin) : value
  const { revision } = await withClient(options, ({ kv }) => kv.put(key, given))
  if (options.json === true) output.json({ key, revision })
  else output.say(`Written in revision ${revision}.`)
  return exitCodes.ok.code
}

export async function del(key: string, options: SelectOptions, output: Output): Promise<number> {
  const { deleted, revision } = await withClient(options, ({ kv }) => kv.delete(selected(key, options)))
  if (options.json === true) output.json({ deleted, revision })
  else output.say(deleted === 1 ? 'Deleted 1 key.' : `Deleted ${deleted} keys.`)
  return deleted === 0 && options.prefix !== true ? exitCodes.notFound.code : exitCodes.ok.code
}

/** Without a prefix the coordinators' own keys are left out. */
export async function ls(prefix: string | undefined, options: ListOptions, output: Output): Promise<number> {
  const limit = options.limit === undefined ? undefined : wholeNumber('--limit', options.limit)
  const keysOnly = options.values !== true && options.json !== true
  const parts: readonly Selection[] = prefix === undefined ? [{ from: '', to: '$atoll/' }, { from: '$atoll0' }] : [{ prefix }]
  const found = await withClient(options, ({ kv }) => rangeOver(kv, parts, { limit, keysOnly }))
  if (options.json === true) output.json({ revision: found.revision, entries: found.entries.map(rowOf), next: found.next ?? null })
  else if (keysOnly) for (const { key } of found.entries) output.data(key)
  else for (const line of tableLines(found.entries.map(({ key, value }) => [key, value]))) output.data(line)
  if (found.next !== undefined && options.json !== true) output.warn(`There are more, from ${found.next} on.`)
  return exitCodes.ok.code
}

/** Several selections as one, all as of the same revision. */
async function rangeOver(kv: KeyValue, parts: readonly Selection[], { limit, keysOnly }: Pick<RangeOptions, 'limit' | 'keysOnly'>) {
  const entries: Entry[] = []
  let [revision, next]: [number, string | undefined] = [0, undefined]
  for (const part of parts) {
    const left = limit === undefined ? undefined : limit - entries.length
    if (next !== undefined || left === 0) break
    const page = await kv.range(part, { revision, limit: left, keysOnly })
    entries.push(...page.entries)
    ;({ revision, next } = page)
  }
  return { entries, revision, next }
}

/** A line per change until it is interrupted. */
export async function watch(key: string, options: WatchOptions, output: Output): Promise<number> {
  using interrupts = new Interrupts()
  const fromRevision = options.from === undefined ? undefined : wholeNumber('--from', options.from)
  await withClient(options, async ({ kv }) => {
    const changes = kv.watch(selected(key, options), { fromRevision, signal: interrupts.signal })
    output.say(`Watching from revision ${await changes.ready()} on; Ctrl-C ends it.`)
    for await (const change of changes) {
      if (options.json === true)
        output.data(JSON.stringify({ kind: change.kind, key: change.key, revision: change.revision, value: valueOf(change) }))
      else output.data(change.kind === 'put' ? `put ${change.key} ${change.value}` : `delete ${change.key}`)
    }
  })
  return exitCodes.ok.code
}

/** A transaction as JSON on standard input: `{"if": […], "then": […], "else": […]}`, as the SDK takes it. */
export async function txn(options: KvOptions, output: Output): Promise<number> {
  const transaction = transactionIn(await text(process.stdin))
  const { succeeded, revision, results } = await withClient(options, ({ kv }) => kv.transaction(transaction))
  output.json({ succeeded, revision, results: results.map(({ entries, count }) => ({ count, entries: entries.map(rowOf) })) })
  return exitCodes.ok.code
}

function transactionIn(json: string): Transaction {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new CommandError('usage', `Standard input is not JSON: ${(error as Error).message}`)
  }
  const lists = ['if', 'then', 'else'] as const
  const known = typeof value === 'object' && value !== null && Object.keys(value).every(key => lists.some(list => list === key))
  const isList = (list: unknown): boolean =>
    list === undefined || (Array.isArray(list) && list.every(row => typeof row === 'object' && row !== null))
  if (!known || !lists.every(list => isList((value as Record<string, unknown>)[list])))
    throw new CommandError('usage', 'A transaction is {"if": [CONDITION…], "then": [OPERATION…], "else": [OPERATION…]}.', {
      details: [
        '  conditions: {"key": "a", "value": "1"}, {"key": "a", "exists": false}, {"key": "a", "revision": 7}',
        '  operations: {"put": "a", "value": "2"}, {"get": "a"}, {"delete": {"prefix": "a/"}}',
      ],
    })
  return value as Transaction
}

const selected = (key: string, { prefix }: SelectOptions): Selection => (prefix === true ? { prefix: key } : key)
const valueOf = (change: { readonly kind: 'put'; readonly value: string } | { readonly kind: 'delete' }): string | null =>
  change.kind === 'put' ? change.value : null

function rowOf({ key, value, revision, createRevision, version, lease }: Entry): object {
  return { key, value, revision, createRevision, version, lease }
}

function wholeNumber(option: string, given: string): number {
  if (!/^\d{1,15}$/.test(given)) throw new CommandError('usage', `${option} wants a number, not '${given}'.`)
  return Number(given)
}
