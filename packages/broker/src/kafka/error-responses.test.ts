// A failure in the form of every response.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Api } from './api.ts'
import { type ApiName, apis } from './apis.ts'
import { errorResponse } from './error-responses.ts'
import { messageArbitrary } from './message-arbitrary.ts'
import { WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

const names = Object.keys(apis) as ApiName[]
const failure = { errorCode: 41, errorMessage: 'elsewhere' }

/** Every error code in an answer, at whatever depth. */
function codesIn(value: unknown): number[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
  return Object.entries(value).flatMap(([name, inner]) => (name === 'errorCode' ? [inner as number] : codesIn(inner)))
}

/** A request without rows may have a response without room for an error. */
function namesSomething(request: unknown): boolean {
  if (typeof request !== 'object' || request === null) return true
  if ('topics' in request && request.topics === null) return false
  const lists = Object.values(request).filter(Array.isArray) as readonly (readonly unknown[])[]
  if (lists.length === 0) return true
  const rows = lists.flat()
  return rows.length > 0 && rows.every(namesSomething)
}

describe('an error', () => {
  it.each(names)('[KL9] fits the response of %s in every version, once for each row asked for', name => {
    const api = apis[name] as unknown as Api
    const writer = new WireWriter()
    for (let version = api.from; version <= api.to; version++)
      for (const request of fc.sample(messageArbitrary(api.requestFields, version), { seed: 11, numRuns: 10 })) {
        const answer = errorResponse(name, request as never, failure)
        writer.begin()
        api.response.write(writer, version, answer as never)
        const read = api.response.read(new WireReader(new Uint8Array(Buffer.concat(writer.finish())), 4), version)
        // Fields of versions that this one is not have no error.
        const codes = codesIn(read)
        expect(codes.every(code => code === failure.errorCode || code === 0)).toBe(true)
        if (namesSomething(request)) expect(codes).toContain(failure.errorCode)
      }
  })
})
