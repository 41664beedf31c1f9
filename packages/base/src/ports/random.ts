// The randomness port. `Random` may be seeded; `secureBytes` of the Compute port is for secrets.

export interface Random {
  /** A uniform integer, 0 to 2^32 - 1. */
  u32(): number
  /** A uniform float, 0 inclusive to 1 exclusive. */
  float(): number
  /** A uniform integer, 0 inclusive to `bound` exclusive; `bound` is 1 to 2^32. */
  below(bound: number): number
  /** `length` random bytes, not for secrets. */
  bytes(length: number): Uint8Array
}
