// The scripts of this folder, each with the output it must have. `UPDATE_SCRIPTS=1` writes down what they do now.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as raft from '@atoll/raft'
import { describe, expect, it } from 'vitest'
import { rerun } from './script.ts'

function proves(name: string): void {
  const file = join(import.meta.dirname, 'scripts', `${name}.txt`)
  const expected = readFileSync(file, 'utf8')
  const { text, violations } = rerun(raft, expected)
  expect(violations).toEqual([])
  if (process.env['UPDATE_SCRIPTS'] === undefined) expect(text).toBe(expected)
  else writeFileSync(file, text)
}

describe('scripts', () => {
  it('[RA1] [RA10] a vote is on disk before it is asked for or given', () => proves('election'))
  it('[RA2] a vote outlives a crash', () => proves('vote-once'))
  it('[RA11] a candidate asks first, and who hears a leader helps nobody', () => proves('pre-vote'))
  it('[RA13] proof that the leader is gone lifts the patience with it', () => proves('leader-gone'))
  it('[RA14] a server whose term ran ahead is brought back', () => proves('stuck-term'))
  it('[RA3] [RA20] entries travel while the leader writes them, and count once they are on disk', () => proves('replication'))
  it('[RA21] an entry of an earlier term is not committed by counting', () => proves('figure-8'))
  it('[RA22] a conflicting tail is found a term at a time, and replaced', () => proves('conflict'))
  it('[RA4] the end of a write that was replaced confirms nothing', () => proves('late-report'))
  it('[RA30] [RA32] a read needs a round that began after it, from a follower too', () => proves('read-index'))
  it('[RA31] reads wait for the first entry of the term', () => proves('read-before-own-entry'))
  it('[RA40] [RA43] [RA44] one server at a time: it learns, votes, and leaves', () => proves('membership'))
  it('[RA41] a change waits for the one before', () => proves('two-changes'))
  it('[RA42] a change waits for the first entry of the term', () => proves('change-before-own-entry'))
  it('[RA50] [RA51] the leadership is handed over, or kept', () => proves('transfer'))
  it('[RA60] a snapshot arrives in chunks', () => proves('snapshot'))
  it('[RA61] an overtaken snapshot is not installed', () => proves('stale-snapshot'))
  it('[RA70] a leader whose disk hangs gives up its office', () => proves('stuck-disk'))
  it('[RA72] a server that lost entries neither votes nor counts', () => proves('damaged'))
  it('[RA73] a wiped server is nobody’s voter', () => proves('wiped'))
})
