// `cluster produce`: a record for each line of standard input.
import { createInterface } from 'node:readline'
import { withClient } from '../cluster-client.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { Interrupts } from '../interrupts.ts'
import type { Output } from '../output.ts'
import type { TargetOptions } from '../target.ts'

export interface ProduceOptions extends TargetOptions {
  readonly keySeparator?: string
  readonly acks?: string
}

/** Exit code 0 only when every record was acknowledged. */
export async function produce(topic: string, options: ProduceOptions, output: Output): Promise<number> {
  const { keySeparator } = options
  if (keySeparator === '') throw new CommandError('usage', '--key-separator wants at least one character.')
  const acks = acksOf(options.acks)
  using interrupts = new Interrupts()
  const sent = await withClient(options, async client => {
    await using producer = client.log.topic(topic).producer({ acks })
    // Said before the first line is read: whoever types should not do so in vain.
    await client.log.topic(topic).partitions()
    let count = 0
    for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (interrupts.signal.aborted) break
      await producer.room()
      producer.send(recordOf(line, keySeparator)).catch(() => {
        // `flush` tells of it.
      })
      count++
    }
    await producer.flush()
    return count
  })
  output.say(sent === 1 ? `Sent 1 record to ${topic}.` : `Sent ${sent} records to ${topic}.`)
  return interrupts.signal.aborted ? exitCodes.interrupted.code : exitCodes.ok.code
}

/** Without the separator a line is all value. */
function recordOf(line: string, separator: string | undefined): { readonly key?: string; readonly value: string } {
  const at = separator === undefined ? -1 : line.indexOf(separator)
  return at < 0 || separator === undefined ? { value: line } : { key: line.slice(0, at), value: line.slice(at + separator.length) }
}

function acksOf(given: string | undefined): 'all' | 'leader' | 'none' {
  if (given === undefined || given === 'all') return 'all'
  if (given === 'leader' || given === 'none') return given
  throw new CommandError('usage', `--acks wants all, leader or none, not '${given}'.`)
}
