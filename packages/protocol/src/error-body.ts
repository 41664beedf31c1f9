// How errors travel: the body of a frame with the error flag is `[code, sentence]`.
import { errorNamed, errorRows, ProtocolError } from './errors.ts'
import type { Frame } from './frame.ts'

/** The body of a frame with the error flag: code and sentence. */
export function errorBody(error: ProtocolError): readonly unknown[] {
  return [errorRows[error.code].code, error.message.slice(0, 2_000)]
}

/** The error in a frame with the error flag. A code that this version does not know is `internal_error`: indefinite. */
export function remoteError(frame: Frame, peer: { readonly node: string }): ProtocolError {
  const [code, message] = frame.body
  const name = typeof code === 'number' ? errorNamed(code) : undefined
  return new ProtocolError(name ?? 'internal_error', typeof message === 'string' ? `${peer.node}: ${message}` : undefined)
}
