// The error of a call that is expected to fail.
import { AtollError } from '@atoll/client/core'

export async function failure(call: Promise<unknown>): Promise<AtollError> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (outcome instanceof AtollError) return outcome
  throw new Error('it should have failed, with an AtollError', { cause: outcome })
}
