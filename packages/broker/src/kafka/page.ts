// Renders the page of Kafka's protocol from the tables themselves, so that it cannot be out of date.
import type { Api } from './api.ts'
import { apis } from './apis.ts'
import { type Field, type Fields, fieldsOf } from './fields.ts'
import { kafkaErrors } from './kafka-errors.ts'
import type { AnyKind } from './kinds.ts'
import { ELEMENTS_MAX, REQUEST_BYTES_MAX, STRING_BYTES_MAX } from './limits.ts'

const decimal = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',')

/** The kind that a list or a nullable value is of. */
function innermost(kind: AnyKind): AnyKind {
  const { shape } = kind
  return shape.is === 'array' || shape.is === 'nullable' ? innermost(shape.of) : kind
}

function versionsOf({ from, to }: Field<never, unknown>, api: Api): string {
  const last = Math.min(to, api.to)
  const first = Math.max(from, api.from)
  if (first === api.from && last === api.to) return 'all'
  return last === api.to ? `${first} on` : `${first} to ${last}`
}

function rowsOf(fields: Fields, api: Api, path: string): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const full = `${path}${name}`
    const tag = field.tag === undefined ? '' : `, tag ${field.tag}`
    const row = `| \`${full}\` | ${field.kind.label}${tag} | ${versionsOf(field, api)} | ${field.doc} |`
    const inner = innermost(field.kind).shape
    return inner.is === 'struct' ? [row, ...rowsOf(fieldsOf(inner), api, `${full}.`)] : [row]
  })
}

function fieldTable(title: string, fields: Fields, api: Api): string[] {
  const rows = rowsOf(fields, api, '')
  if (rows.length === 0) return [`${title}: no fields.`, '']
  return [`${title}:`, '', '| field | type | versions | meaning |', '| --- | --- | --- | --- |', ...rows, '']
}

export function kafkaPage(): string {
  const all = Object.values(apis) as unknown as readonly Api[]
  return [
    '# Kafka’s protocol',
    '',
    'Generated from the message tables in `packages/broker/src/kafka`; change those, then run `npm run docs`.',
    '',
    'Which requests Kafka clients may send, and in which versions. Field by field this is Kafka’s own protocol; `?` may be null in versions',
    'that allow it. A request in a version that is advertised but not served closes the connection, as it does with Kafka.',
    '',
    '| key | request | versions served | advertised from | flexible from | |',
    '| --- | --- | --- | --- | --- | --- |',
    ...all.map(
      ({ key, name, from, to, advertisedFrom, flexibleFrom, doc }) =>
        `| ${key} | [${name}](#${name.toLowerCase()}) | ${from} to ${to} | ${advertisedFrom} | ${flexibleFrom} | ${doc} |`,
    ),
    '',
    '## Bounds',
    '',
    `A request: ${decimal(REQUEST_BYTES_MAX)} bytes. A string: ${decimal(STRING_BYTES_MAX)} bytes. Elements of all arrays of a request: ${decimal(ELEMENTS_MAX)}.`,
    '',
    '## Errors',
    '',
    '| code | name | clients try again | meaning |',
    '| --- | --- | --- | --- |',
    ...Object.entries(kafkaErrors).map(
      ([name, { code, retriable, doc }]) => `| ${code} | \`${name}\` | ${retriable ? 'yes' : 'no'} | ${doc} |`,
    ),
    '',
    ...all.flatMap(api => [
      `## ${api.name}`,
      '',
      ...fieldTable('Request', api.requestFields, api),
      ...fieldTable('Response', api.responseFields, api),
    ]),
  ].join('\n')
}
