// Between what an application has in hand and the bytes of a record: a codec, or a schema of any library that speaks Standard
// Schema (standardschema.dev), of which only the shape is known here. What a schema describes travels as JSON.
import { AtollError } from '../atoll-error.ts'

interface Issue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}
type Outcome<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly Issue[] }

/** What Zod, Valibot, ArkType and others have in common. */
export interface StandardSchema<In = unknown, Out = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Outcome<Out> | Promise<Outcome<Out>>
    readonly types?: { readonly input: In; readonly output: Out } | undefined
  }
}

/** Makes bytes of a value and a value of bytes. What it throws is told as `invalid_record`. */
export interface Codec<In, Out> {
  encode(value: In): Uint8Array
  decode(bytes: Uint8Array): Out
}

/** What one side of a record is made of. */
export type Shape = Codec<never, unknown> | StandardSchema
/** What is given to be written. */
export type InputOf<S> = S extends StandardSchema<infer In> ? In : S extends { encode(value: infer In): Uint8Array } ? In : never
/** What is read. */
export type OutputOf<S> =
  S extends StandardSchema<unknown, infer Out> ? Out : S extends { decode(bytes: Uint8Array): infer Out } ? Out : never

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** UTF-8; bytes are written as they are. */
export const text: Codec<string | Uint8Array, string> = {
  encode: value => (typeof value === 'string' ? encoder.encode(value) : value),
  decode: bytes => decoder.decode(bytes),
}
/** Bytes as they are; text is written as UTF-8. */
export const bytes: Codec<string | Uint8Array, Uint8Array> = { encode: value => text.encode(value), decode: raw => raw }

/** JSON, unchecked: a schema is JSON that is checked. */
export function json<T = unknown>(): Codec<T, T> {
  return { encode: value => encoder.encode(jsonOf(value)), decode: raw => JSON.parse(decoder.decode(raw)) as T }
}

/** One side of a topic: keys, values or headers. */
export class Coder {
  readonly #what: string
  readonly #shape: Shape

  constructor(what: string, shape: Shape) {
    this.#what = what
    this.#shape = shape
  }

  /** A promise only when the schema checks asynchronously. Throws or rejects with an AtollError `invalid_record`. */
  encode(value: unknown): Uint8Array | Promise<Uint8Array> {
    if (!isSchema(this.#shape)) return this.#guarded(() => checkBytes((this.#shape as Codec<unknown, unknown>).encode(value)))
    // What is written is what the application gave, once it was found right: a schema may change what it lets pass when it is read.
    return after(this.#validate(value), () => this.#guarded(() => encoder.encode(jsonOf(value))))
  }

  decode(raw: Uint8Array): unknown {
    if (!isSchema(this.#shape)) return this.#guarded(() => (this.#shape as Codec<unknown, unknown>).decode(raw))
    return this.#validate(this.#guarded(() => JSON.parse(decoder.decode(raw)) as unknown))
  }

  /** What the schema makes of a value that is no bytes, like headers. */
  check(value: unknown): unknown {
    return isSchema(this.#shape) ? this.#validate(value) : value
  }

  #validate(value: unknown): unknown {
    const { '~standard': standard } = this.#shape as StandardSchema
    return after(
      this.#guarded(() => standard.validate(value)),
      outcome => {
        if (outcome.issues === undefined) return outcome.value
        throw this.#error(outcome.issues.map(sentenceOf).join('; '))
      },
    )
  }

  #guarded<T>(act: () => T): T {
    try {
      return act()
    } catch (error) {
      throw this.#error(error instanceof Error ? error.message : String(error), error)
    }
  }

  #error(why: string, cause?: unknown): AtollError {
    return new AtollError('invalid_record', `the ${this.#what} of a record: ${why}`, { operation: 'log_record', cause })
  }
}

/** Goes on at once where nothing is waited for, so that the order of records is that of the calls. */
export function after<T, U>(value: T | Promise<T>, act: (value: T) => U): U | Promise<U> {
  return value instanceof Promise ? value.then(act) : act(value)
}

function isSchema(shape: Shape): shape is StandardSchema {
  return '~standard' in shape
}

function jsonOf(value: unknown): string {
  const json = JSON.stringify(value) as string | undefined
  if (json === undefined) throw new TypeError('it has no form in JSON')
  return json
}

function checkBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new TypeError(`want text or bytes, got ${value === null ? 'null' : typeof value}: give the topic a schema or a codec`)
}

function sentenceOf({ message, path = [] }: Issue): string {
  const place = path.map(step => String(typeof step === 'object' ? step.key : step)).join('.')
  return place === '' ? message : `${place}: ${message}`
}
