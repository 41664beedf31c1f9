// Which segments are too many or too old.
import type { Offset } from '@atoll/records'
import type { LogReader } from './log-reader.ts'
import type { Segment } from './segment.ts'

export interface RetentionLimits {
  /** The newest segments that together hold at least this much are kept. */
  readonly bytesMax?: number
  /** Segments with a record of this time or later are kept, in milliseconds since the Unix epoch. */
  readonly oldestMs?: number
}

/** The offset from which to keep: where a segment begins, at most `end`, or `logStart`. The last segment always stays. */
export async function retainedFrom(
  segments: readonly Segment[],
  reader: LogReader,
  { bytesMax = Number.POSITIVE_INFINITY, oldestMs }: RetentionLimits,
  logStart: Offset,
  end: Offset,
): Promise<Offset> {
  let bytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  let kept = logStart
  for (const [place, segment] of segments.entries()) {
    const next = segments[place + 1]
    if (next === undefined || next.baseOffset > end) break
    const tooOld = oldestMs !== undefined && (await reader.indexOf(segment)).maxTimestampMs < oldestMs
    if (bytes - segment.sizeBytes < bytesMax && !tooOld) break
    bytes -= segment.sizeBytes
    kept = next.baseOffset
  }
  return kept
}
