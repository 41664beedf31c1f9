// Every bound of the histories and checkers. What is beyond one is refused by name or answered with `unknown`, never cut silently.
import { assert } from '@atoll/base'

/** Operations that one recorder takes, unless told otherwise. */
export const OPERATIONS_MAX = 500_000
/** Records of one decoded history: an operation has two, its invocation and its completion. */
export const RECORDS_MAX = 1_000_000
/** Characters of one line of a stored history. */
export const LINE_CHARS_MAX = 1_048_576
/** Problems that one error lists; the count of the rest is told. */
export const PROBLEMS_MAX = 20
/** Violations that one report of a checker lists; the count of all is told. */
export const VIOLATIONS_MAX = 100
/** Steps that the search spends on one partition before it answers `unknown`: 2 s of a register, 20 s or more of a whole store. */
export const STEPS_MAX = 10_000_000
/** 32-bit words of remembered configurations per key before the search answers `unknown`: 256 MiB. */
export const CONFIGURATION_WORDS_MAX = 67_108_864
/** Operations drawn on one timeline page; those around the first one that cannot be linearized are kept. */
export const DRAWN_OPERATIONS_MAX = 1_500

assert(RECORDS_MAX >= 2 * OPERATIONS_MAX, 'a full recorder can be read back')
assert(CONFIGURATION_WORDS_MAX <= 2 ** 28, 'positions in the configuration store fit a signed 32-bit integer')
