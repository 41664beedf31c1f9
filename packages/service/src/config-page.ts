// Renders the configuration page from the schema, so that defaults, bounds and words are the ones the code uses.
import { decimal } from '@atoll/protocol'
import * as z from 'zod'
import { configSchema } from './config-schema.ts'

interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
}

function boundsOf({ type, enum: words, minimum, maximum }: JsonSchema): string {
  if (words !== undefined) return words.map(word => `\`${word}\``).join(', ')
  if (minimum !== undefined && maximum !== undefined) return `${type} from ${decimal(minimum)} to ${decimal(maximum)}`
  return type ?? ''
}

function rows(schema: JsonSchema, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const here = path === '' ? name : `${path}.${name}`
    if (property.properties !== undefined) return rows(property, here)
    return [`| \`${here}\` | ${boundsOf(property)} | \`${JSON.stringify(property.default)}\` | ${property.description ?? ''} |`]
  })
}

/** The text of `docs/config.md`. */
export function configPage(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'output', unrepresentable: 'any' }) as JsonSchema
  return [
    '# Configuration',
    '',
    'Generated from the schema in `packages/service/src/config-schema.ts`; change that, then run `npm run docs`.',
    '',
    '`cluster.config.json` stands at the top of the checkout, or wherever `--config` says. Every setting has a default, so `{}` is a',
    'whole configuration. A file with mistakes is refused with every mistake named at once; `cluster config` prints the resolved values',
    'and where each comes from.',
    '',
    '| setting | values | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows(schema, ''),
    '',
  ].join('\n')
}
