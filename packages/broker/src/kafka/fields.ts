// Structs: named fields with the versions that have them. In flexible versions every struct ends with its tagged fields
// (KIP-482), which a reader that does not know them passes over. Compiled once per version into a row of readers and writers.
import { assert, InvariantError } from '@atoll/base'
import type { Coder, Kind } from './kinds.ts'
import { WireError } from './wire-error.ts'
import type { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

export interface Field<In, Out, Optional extends boolean = boolean> {
  readonly kind: Kind<In, Out>
  readonly doc: string
  /** First and last version that have the field, inclusive. */
  readonly from: number
  readonly to: number
  /** Its number among the tagged fields; undefined when it is not one. */
  readonly tag: number | undefined
  /** Its value in versions that do not have it, and when whoever writes it leaves it out. */
  readonly fallback: Out
  readonly optional: Optional
}
export type Fields = Readonly<Record<string, Field<never, unknown>>>
type InOf<F> = F extends Field<infer In, unknown> ? In : never
type OutOf<F> = F extends Field<never, infer Out> ? Out : never
type OptionalNames<F extends Fields> = { [Name in keyof F]: F[Name] extends { readonly optional: true } ? Name : never }[keyof F]

/** What is read: every field, those its version lacks with their fallback. */
export type Decoded<F extends Fields> = { readonly [Name in keyof F]: OutOf<F[Name]> }
/** What may be written: fields with a fallback may be left out. */
export type Encodable<F extends Fields> = { readonly [Name in Exclude<keyof F, OptionalNames<F>>]: InOf<F[Name]> } & {
  readonly [Name in OptionalNames<F>]?: InOf<F[Name]> | undefined
}

export interface Since {
  /** First version with the field. Default 0. */
  readonly from?: number
  /** Last version with it. Default: all later ones. */
  readonly to?: number
}

const LATEST = 0x7fff

/** A field; with a `fallback` it may be left out by whoever writes it. */
export function field<In, Out extends In>(kind: Kind<In, Out>, doc: string, since: Since & { readonly fallback: Out }): Field<In, Out, true>
export function field<In, Out>(kind: Kind<In, Out>, doc: string, since?: Since): Field<In, Out, false>
export function field<In, Out>(kind: Kind<In, Out>, doc: string, since: Since & { readonly fallback?: Out } = {}): Field<In, Out> {
  const { from = 0, to = LATEST } = since
  const optional = since.fallback !== undefined
  return { kind, doc, from, to, tag: undefined, fallback: optional ? (since.fallback as Out) : kind.zero, optional }
}

/** A tagged field: on the wire only when it is not its fallback. */
export function tagged<In, Out>(
  tag: number,
  kind: Kind<In, Out>,
  doc: string,
  since: Since & { readonly fallback?: Out } = {},
): Field<In, Out, true> {
  const { from = 0, to = LATEST, fallback = kind.zero } = since
  return { kind, doc, from, to, tag, fallback, optional: true }
}

export function struct<F extends Fields>(fields: F): Kind<Encodable<F>, Decoded<F>> {
  const zero = Object.fromEntries(Object.entries(fields).map(([name, { fallback }]) => [name, fallback])) as Decoded<F>
  return {
    label: 'struct',
    shape: { is: 'struct', fields },
    zero,
    same: (one, other) =>
      Object.entries(fields).every(([name, { kind, fallback }]) =>
        kind.same(valueOf(one, name, fallback) as never, valueOf(other, name, fallback) as never),
      ),
    coder: (version, flexible) => compile(fields, zero, version, flexible),
  }
}

/** One field as a version has it. */
interface Slot {
  readonly name: string
  readonly tag: number
  readonly fallback: unknown
  readonly same: (one: never, other: never) => boolean
  readonly coder: Coder<never, unknown>
}

function compile<F extends Fields>(fields: F, zero: Decoded<F>, version: number, flexible: boolean): Coder<Encodable<F>, Decoded<F>> {
  const present = Object.entries(fields).filter(([, { from, to }]) => version >= from && version <= to)
  const slot = ([name, { kind, tag = -1, fallback }]: readonly [string, Field<never, unknown>]): Slot => ({
    name,
    tag,
    fallback,
    same: kind.same,
    coder: kind.coder(version, flexible),
  })
  const slots = present.filter(([, { tag }]) => tag === undefined).map(slot)
  const tags = present
    .filter(([, { tag }]) => tag !== undefined)
    .map(slot)
    .toSorted((one, other) => one.tag - other.tag)
  assert(flexible || tags.length === 0, 'tagged fields only in flexible versions')
  return {
    read: reader => {
      // A copy of the zero: all fields in one order, so that what is read has one hidden class whatever its version.
      const value: Record<string, unknown> = { ...zero }
      for (const { name, coder } of slots) value[name] = coder.read(reader)
      if (flexible) readTags(reader, tags, value)
      return value as Decoded<F>
    },
    write: (writer, value) => {
      for (const { name, fallback, coder } of slots) coder.write(writer, valueOf(value, name, fallback) as never)
      if (flexible) writeTags(writer, tags, value)
    },
    bytesMin: Math.max(
      1,
      slots.reduce((sum, { coder }) => sum + coder.bytesMin, flexible ? 1 : 0),
    ),
  }
}

function valueOf(value: object, name: string, fallback: unknown): unknown {
  const own = (value as Readonly<Record<string, unknown>>)[name]
  return own === undefined ? fallback : own
}

function readTags(reader: WireReader, known: readonly Slot[], value: Record<string, unknown>): void {
  const count = reader.varint()
  // A tag and a size take a byte each at least.
  if (count > 0) reader.claim(count, 2)
  for (let index = 0, before = -1; index < count; index++) {
    const tag = reader.varint()
    if (tag <= before) throw new WireError('malformed', `tagged field ${tag} after ${before}`)
    before = tag
    const size = reader.varint()
    if (size > reader.remaining) throw new WireError('truncated', `a tagged field of ${size} bytes in ${reader.remaining}`)
    const end = reader.at + size
    const slot = known.find(candidate => candidate.tag === tag)
    if (slot === undefined) reader.at = end
    else {
      value[slot.name] = slot.coder.read(reader)
      if (reader.at !== end) throw new WireError('malformed', `tagged field ${tag} is not as long as it says`)
    }
  }
}

function writeTags(writer: WireWriter, known: readonly Slot[], value: object): void {
  let count = 0
  for (const slot of known) if (isSaid(slot, value)) count++
  writer.varint(count)
  if (count === 0) return
  for (const slot of known) {
    if (!isSaid(slot, value)) continue
    writer.varint(slot.tag)
    writer.sized(() => slot.coder.write(writer, valueOf(value, slot.name, slot.fallback) as never))
  }
}

/** A tagged field with its fallback is left out. */
function isSaid({ name, fallback, same }: Slot, value: object): boolean {
  const own = valueOf(value, name, fallback)
  return own !== fallback && !same(own as never, fallback as never)
}

/** The fields of a struct's shape, whose type the shape cannot name. */
export function fieldsOf(shape: { readonly is: string; readonly fields?: unknown }): Fields {
  if (shape.is !== 'struct') throw new InvariantError('only structs have fields')
  return shape.fields as Fields
}
