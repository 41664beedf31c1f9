// The raw bytes a message may carry behind its body, both ways.
import { ProtocolError } from './errors.ts'
import { NO_ATTACHMENT } from './frame.ts'
import type { Attachment } from './table.ts'

/** The attachment that `value` carries, when its table gives it one. Throws `invalid_argument` when it breaks its bound. */
export function attachmentOf(name: string, row: Attachment | undefined, value: unknown): Uint8Array {
  if (row === undefined) return NO_ATTACHMENT
  const attachment = (value as { readonly attachment?: Uint8Array }).attachment
  if (!(attachment instanceof Uint8Array) || attachment.byteLength > row.max)
    throw new ProtocolError('invalid_argument', `${name}.attachment: want bytes, at most ${row.max}`)
  return attachment
}

/** Puts what came behind a body into the decoded `value`. Throws `malformed_message` when the table does not allow it. */
export function takeAttachment(name: string, row: Attachment | undefined, attachment: Uint8Array, value: object): void {
  if (attachment.byteLength > (row?.max ?? 0))
    throw new ProtocolError('malformed_message', `${name}.attachment: want at most ${row?.max ?? 0} bytes, got ${attachment.byteLength}`)
  if (row !== undefined) (value as { attachment: Uint8Array }).attachment = attachment
}
