// A walk over undecoded msgpack that proves it harmless: decoding allocates by what lengths claim, so claims are
// checked against the bytes that are there, and depth against a bound, before any decoder sees them.
// Accepted: nil, bool, integers, floats, str, bin and array. Maps and extensions are in no table of ours and are
// refused (msgpack specification, "Formats").
import { ProtocolError } from './errors.ts'

function refuse(what: string): never {
  throw new ProtocolError('bad_frame', `body: ${what}`)
}

/** Bytes after the first that a format without payload takes, by first byte 0xc0 to 0xdf; 255 marks what is handled apart. */
const APART = 255
const FIXED_BYTES = new Uint8Array(32).fill(APART)
for (const [first, width] of [
  [0xc0, 0],
  [0xc2, 0],
  [0xc3, 0],
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
] as const)
  FIXED_BYTES[first - 0xc0] = width

/**
 * Checks that `bytes` from `start` to `end` hold exactly one msgpack value, arrays nested at most `depthMax` deep.
 * Throws `bad_frame`. Takes time linear in the bytes and no memory but a stack of `depthMax` numbers.
 */
export function checkMsgpack(bytes: Uint8Array, start: number, end: number, depthMax: number): void {
  const left: number[] = []
  let values = 1
  let depth = 0
  let at = start
  for (;;) {
    while (values === 0) {
      if (depth === 0) {
        if (at !== end) refuse(`${end - at} bytes too many`)
        return
      }
      depth--
      values = left[depth] as number
    }
    values--
    if (at >= end) refuse('cut short')
    const first = bytes[at++] as number
    if (first < 0x80 || first >= 0xe0) continue
    let count = -1
    if (first >= 0x90 && first < 0xa0) count = first & 0x0f
    else if (first >= 0xa0 && first < 0xc0) at += first & 0x1f
    else if (first < 0x90) refuse('a map')
    else {
      const fixed = FIXED_BYTES[first - 0xc0] as number
      if (fixed !== APART) at += fixed
      else {
        const width =
          first === 0xc4 || first === 0xd9
            ? 1
            : first === 0xc5 || first === 0xda || first === 0xdc
              ? 2
              : first === 0xc6 || first === 0xdb || first === 0xdd
                ? 4
                : 0
        if (width === 0 || at + width > end) refuse(width === 0 ? `format 0x${first.toString(16)}` : 'cut short')
        let length = 0
        for (let i = 0; i < width; i++) length = length * 256 + (bytes[at++] as number)
        if (first === 0xdc || first === 0xdd) count = length
        else at += length
      }
    }
    if (at > end) refuse('cut short')
    if (count >= 0) {
      // Each element takes a byte at least, so an honest count never exceeds what is left.
      if (count > end - at) refuse(`an array of ${count} values in ${end - at} bytes`)
      if (depth >= depthMax) refuse(`arrays nested deeper than ${depthMax}`)
      left[depth++] = values
      values = count
    }
  }
}
