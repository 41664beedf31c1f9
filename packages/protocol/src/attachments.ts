// The raw bytes a message may carry behind its body.
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
