// Renders the protocol page from the tables themselves, so that it cannot be out of date.
import { conversations } from './conversations.ts'
import { type ErrorCode, errorRows } from './errors.ts'
import { decimal } from './field-types.ts'
import type { Field, Fields } from './fields.ts'
import { PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MIN } from './handshake.ts'
import {
  BODY_VALUES_MAX,
  DEADLINE_MS_DEFAULT,
  DEADLINE_MS_MAX,
  DRAIN_TIMEOUT_MS,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MAX_BEFORE_HELLO,
  FRAME_TIMEOUT_MS,
  HELLO_TIMEOUT_MS,
  LINGER_MS,
  NESTING_DEPTH_MAX,
  PENDING_REQUESTS_MAX,
  QUEUED_BYTES_HIGH,
  QUEUED_BYTES_MAX,
  SERVED_REQUESTS_MAX,
  STREAM_WINDOW_BYTES,
  UNAUTHENTICATED_CONNECTIONS_MAX,
} from './limits.ts'
import type { Attachment, Message } from './table.ts'

function fieldTable(title: string, fields: Fields, attachment: Attachment | undefined): string[] {
  const rows = Object.entries(fields).map(
    ([name, one]: [string, Field<unknown>], i) =>
      `| ${i} | \`${name}\` | ${one.type.label}${one.since > 1 ? ` (since version ${one.since})` : ''} | ${one.doc} |`,
  )
  const lines =
    rows.length === 0 ? [`${title}: no fields.`] : [`${title}:`, '', '| # | field | type | meaning |', '| --- | --- | --- | --- |', ...rows]
  if (attachment !== undefined) lines.push('', `Attachment: at most ${decimal(attachment.max)} bytes. ${attachment.doc}`)
  return [...lines, '']
}

function messageSection(message: Message): string[] {
  const traits = { rpc: 'request and response', stream: 'request and stream', one_way: 'one-way' }[message.kind]
  const more =
    message.kind === 'rpc'
      ? message.idempotent
        ? ', idempotent'
        : ', not idempotent'
      : message.kind === 'one_way' && message.datagram
        ? ', datagram'
        : ''
  const source = message.source === undefined ? '' : ` Source: ${message.source}.`
  const head = [
    `### \`${message.name}\` (0x${message.key.toString(16).padStart(4, '0')})`,
    '',
    `${message.doc} (${traits}${more}.)${source}`,
    '',
  ]
  if (message.kind === 'one_way') return [...head, ...fieldTable('Message', message.message, message.attachment)]
  const request = fieldTable('Request', message.request, message.kind === 'rpc' ? message.requestAttachment : undefined)
  const answer =
    message.kind === 'rpc'
      ? fieldTable('Response', message.response, message.responseAttachment)
      : fieldTable('Item', message.item, message.itemAttachment)
  const errors = message.errors.length === 0 ? [] : [`Errors of its own: ${message.errors.map(code => `\`${code}\``).join(', ')}.`, '']
  return [...head, ...request, ...answer, ...errors]
}

/** The text of `docs/protocol.md`. */
export function protocolPage(): string {
  const errors = (Object.keys(errorRows) as ErrorCode[]).map(
    name =>
      `| ${errorRows[name].code} | \`${name}\` | ${errorRows[name].outcome} | ${errorRows[name].retry.replaceAll('_', ' ')} | ${errorRows[name].doc} |`,
  )
  return [
    '# The native protocol',
    '',
    'Generated from the message tables in `packages/protocol`; change those, then run `npm run docs`.',
    '',
    '## Frames',
    '',
    'All integers are big-endian.',
    '',
    '| bytes | field | meaning |',
    '| --- | --- | --- |',
    '| 0 to 3 | `length` | Bytes that follow this field. Checked before anything is allocated. |',
    '| 4 | `frameVersion` | 1. The first five bytes never change in any version. |',
    '| 5 | `flags` | 1 request, 2 response, 4 error (with 2 or 32), 8 one-way, 16 stream item, 32 stream end, 64 cancel, 128 credit. |',
    '| 6 to 7 | `messageKey` | Which message: the conversation in the high byte. |',
    '| 8 to 11 | `correlationId` | Pairs a response with its request; each side counts its own. |',
    '| 12 to 15 | `bodyLength` | Bytes of the body. |',
    '| 16 to 19 | `checksum` | XXH32, seed 0, over the whole frame with these four bytes zero. |',
    '| 20 … | body | A msgpack array: the fields in order. Maps and extensions are refused. |',
    '| after the body | attachment | Raw bytes, never re-encoded. |',
    '',
    'The body of a request begins with its remaining deadline in milliseconds (0: none, streams only), before the fields. The body of a frame with the error flag is `[code, sentence]`. The body of a credit frame is `[bytes]`, that of a cancel and of a stream end `[]`.',
    '',
    `Protocol versions of this build: ${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION_MAX}. The hello agrees on the highest common one; fields that came later are left out towards an older peer.`,
    '',
    '## Bounds',
    '',
    '| bound | value |',
    '| --- | --- |',
    `| frame before the hello is done | ${decimal(FRAME_BYTES_MAX_BEFORE_HELLO)} bytes |`,
    `| frame after it, unless the role says otherwise | ${decimal(FRAME_BYTES_MAX)} bytes |`,
    `| arrays within arrays | ${NESTING_DEPTH_MAX} |`,
    `| values in one body | ${decimal(BODY_VALUES_MAX)} |`,
    `| time for the hello | ${decimal(HELLO_TIMEOUT_MS)} ms |`,
    `| connections without a hello, per listener | ${decimal(UNAUTHENTICATED_CONNECTIONS_MAX)}; the oldest is closed for a newer one |`,
    `| requests of one peer being answered | ${decimal(SERVED_REQUESTS_MAX)}; past it the socket is not read |`,
    `| requests waiting for one peer’s answer | ${decimal(PENDING_REQUESTS_MAX)}; past it \`too_many_requests\` |`,
    `| bytes queued towards one peer, low bound | ${decimal(QUEUED_BYTES_HIGH)}; past it nothing is read from it and its streams wait |`,
    `| bytes queued towards one peer | ${decimal(QUEUED_BYTES_MAX)}; past it \`too_many_requests\`, and \`answer_dropped\` in place of answers |`,
    `| time in which a peer takes something of what is queued | ${decimal(DRAIN_TIMEOUT_MS)} ms, then it is cut |`,
    `| time in which a frame that began is whole | ${decimal(FRAME_TIMEOUT_MS)} ms, twice that at the latest; then its connection is cut |`,
    `| after an orderly end, time in which the peer ends too or takes something | ${decimal(LINGER_MS)} ms, then it is cut |`,
    `| bytes a stream’s sender may be ahead | ${decimal(STREAM_WINDOW_BYTES)} and one item |`,
    `| deadline of a request | ${decimal(DEADLINE_MS_DEFAULT)} ms by default, at most ${decimal(DEADLINE_MS_MAX)} ms |`,
    '',
    '## Errors',
    '',
    '`definite`: the request certainly had no effect. `indefinite`: it may have had.',
    '',
    '| code | name | outcome | retry | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...errors,
    '',
    ...conversations.flatMap(one => [
      `## Conversation \`${one.name}\``,
      '',
      one.doc,
      '',
      ...Object.values(one.messages).flatMap(messageSection),
    ]),
  ]
    .join('\n')
    .replace(/\n+$/, '\n')
}
