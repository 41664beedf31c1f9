// How errors travel: the body of a frame with the error flag is `[code, sentence]`.
import { errorNamed, errorRows, ProtocolError } from './errors.ts'
import type { Frame } from './frame.ts'
import { ERROR_SENTENCE_LENGTH_MAX } from './limits.ts'

/** The body of a frame with the error flag: code and sentence. Fits every peer's frames. */
export function errorBody(error: ProtocolError): readonly unknown[] {
  return [errorRows[error.code].code, error.message.slice(0, ERROR_SENTENCE_LENGTH_MAX).toWellFormed()]
}

/** The error in a frame with the error flag. A code that this version does not know is `internal_error`: indefinite. */
export function remoteError(frame: Frame, peer: { readonly node: string }): ProtocolError {
  const [code, message] = frame.body
  const name = typeof code === 'number' ? errorNamed(code) : undefined
  const sentence = typeof message === 'string' ? message.slice(0, ERROR_SENTENCE_LENGTH_MAX) : undefined
  if (name !== undefined) return new ProtocolError(name, sentence === undefined ? undefined : `${peer.node}: ${sentence}`)
  return new ProtocolError('internal_error', `${peer.node}: error ${String(code).slice(0, 20)}: ${sentence ?? 'no sentence'}`)
}
