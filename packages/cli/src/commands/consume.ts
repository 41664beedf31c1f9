// `cluster consume`: a line for each record of a topic.
import { once } from 'node:events'
import { withClient } from '../cluster-client.ts'
import { exitCodes } from '../exit-codes.ts'
import { Interrupts } from '../interrupts.ts'
import type { TargetOptions } from '../target.ts'

export interface ConsumeOptions extends TargetOptions {
  readonly fromBeginning?: boolean
  readonly exitAtEnd?: boolean
  readonly group?: string
  readonly json?: boolean
}

/** Until it is interrupted, or with `--exit-at-end` until what was there is printed. In a group, what is printed is committed. */
export async function consume(topic: string, options: ConsumeOptions): Promise<number> {
  using interrupts = new Interrupts()
  await withClient(options, async client => {
    const from = options.fromBeginning === true ? 'earliest' : 'latest'
    const records = client.log
      .topic(topic)
      .consume({ from, group: options.group, exitAtEnd: options.exitAtEnd === true, signal: interrupts.signal })
    for await (const record of records) {
      const { partition, offset, timestamp, key, value, headers } = record
      const line = options.json === true ? JSON.stringify({ topic, partition, offset, timestamp, key, value, headers }) : (value ?? '')
      // A reader that is slow is waited for, and what was fetched ahead stays bounded.
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
    }
  })
  return exitCodes.ok.code
}
