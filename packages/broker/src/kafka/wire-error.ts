// What is wrong with bytes that claim to be Kafka's: always the sender's fault, never a bug. Everything that reads such
// bytes ends with a value or with one of these.

export type WireErrorCode =
  /** The bytes end in the middle of a field. */
  | 'truncated'
  /** The bytes contradict the message's table, or themselves. */
  | 'malformed'
  /** Well formed, but above a bound of ours. */
  | 'too_large'

export class WireError extends Error {
  override readonly name = 'WireError'
  readonly code: WireErrorCode
  constructor(code: WireErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
