// Message tables: one value per message from which its types, its codec, its bounds and its page are all made.
import { assert } from '@atoll/base'
import type { ErrorCode } from './errors.ts'
import { type Fields, FieldsCodec, type ObjectOf } from './fields.ts'
import { BODY_VALUES_MAX, NESTING_DEPTH_MAX } from './limits.ts'

/** Raw bytes that travel behind the body, never re-encoded. */
export interface Attachment {
  /** Bound in bytes, inclusive. */
  readonly max: number
  readonly doc: string
}
/** An object with its `attachment` when the table gives it one. */
type WithAttachment<F extends Fields, A> = A extends Attachment ? ObjectOf<F> & { readonly attachment: Uint8Array } : ObjectOf<F>

interface MessageBase {
  /** Number on the wire, 1 to 65,535: the conversation in the high byte. Never reused. */
  readonly key: number
  readonly name: string
  readonly doc: string
  /** Paper section, RFC or KIP; absent where the message is our own idea. */
  readonly source?: string
}

/** A request with one answer. */
export interface Rpc<
  Req extends Fields = Fields,
  Res extends Fields = Fields,
  ReqA extends Attachment | undefined = Attachment | undefined,
  ResA extends Attachment | undefined = Attachment | undefined,
> extends MessageBase {
  readonly kind: 'rpc'
  /** True when sending it twice has the effect of sending it once, so that it may be retried after an indefinite outcome. */
  readonly idempotent: boolean
  readonly request: Req
  readonly requestAttachment: ReqA
  readonly response: Res
  readonly responseAttachment: ResA
  readonly errors: readonly ErrorCode[]
  readonly requestCodec: FieldsCodec<ObjectOf<Req>>
  readonly responseCodec: FieldsCodec<ObjectOf<Res>>
}

/** A request answered by a stream of items under the receiver's credit. */
export interface StreamRpc<
  Req extends Fields = Fields,
  Item extends Fields = Fields,
  ItemA extends Attachment | undefined = Attachment | undefined,
> extends MessageBase {
  readonly kind: 'stream'
  readonly request: Req
  readonly item: Item
  readonly itemAttachment: ItemA
  readonly errors: readonly ErrorCode[]
  readonly requestCodec: FieldsCodec<ObjectOf<Req>>
  readonly itemCodec: FieldsCodec<ObjectOf<Item>>
}

/** A message without an answer. */
export interface OneWay<Msg extends Fields = Fields, A extends Attachment | undefined = Attachment | undefined> extends MessageBase {
  readonly kind: 'one_way'
  /** It may be lost, doubled or overtaken, and link faults do that to it; its sender must cope. */
  readonly datagram: boolean
  readonly message: Msg
  readonly attachment: A
  readonly codec: FieldsCodec<ObjectOf<Msg>>
}

export type Message = Rpc | StreamRpc | OneWay
/** The codecs of a message's parts, by what the part is: for whatever goes through all messages. */
export function codecsOf(message: Message): readonly (readonly [part: string, codec: FieldsCodec<object>])[] {
  if (message.kind === 'one_way') return [['message', message.codec as FieldsCodec<object>]]
  const request = ['request', message.requestCodec as FieldsCodec<object>] as const
  return message.kind === 'rpc'
    ? [request, ['response', message.responseCodec as FieldsCodec<object>]]
    : [request, ['item', message.itemCodec as FieldsCodec<object>]]
}

export type RequestOf<M> =
  M extends Rpc<infer Req, Fields, infer A, Attachment | undefined>
    ? WithAttachment<Req, A>
    : M extends StreamRpc<infer Req, Fields, Attachment | undefined>
      ? ObjectOf<Req>
      : never
export type ResponseOf<M> = M extends Rpc<Fields, infer Res, Attachment | undefined, infer A> ? WithAttachment<Res, A> : never
export type ItemOf<M> = M extends StreamRpc<Fields, infer Item, infer A> ? WithAttachment<Item, A> : never
export type MessageOf<M> = M extends OneWay<infer Msg, infer A> ? WithAttachment<Msg, A> : never

/** A legal value must never break the bounds of the decoder on the other side. */
function codecOf<F extends Fields>(name: string, fields: F): FieldsCodec<ObjectOf<F>> {
  const codec = new FieldsCodec<ObjectOf<F>>(name, fields)
  assert(codec.depth <= NESTING_DEPTH_MAX, `${name} nests at most ${NESTING_DEPTH_MAX} arrays`)
  // One more for the deadline in front.
  assert(codec.valuesMax < BODY_VALUES_MAX, `${name} holds at most ${BODY_VALUES_MAX} values`)
  return codec
}

/** Declares a request with one answer. */
export function rpc<
  const Req extends Fields,
  const Res extends Fields,
  const ReqA extends Attachment | undefined = undefined,
  const ResA extends Attachment | undefined = undefined,
>(
  row: MessageBase & {
    idempotent: boolean
    request: Req
    response: Res
    requestAttachment?: ReqA
    responseAttachment?: ResA
    errors: readonly ErrorCode[]
  },
): Rpc<Req, Res, ReqA, ResA> {
  return {
    ...row,
    kind: 'rpc',
    requestAttachment: row.requestAttachment as ReqA,
    responseAttachment: row.responseAttachment as ResA,
    requestCodec: codecOf(row.name, row.request),
    responseCodec: codecOf(row.name, row.response),
  }
}

/** Declares a request answered by a stream. */
export function stream<const Req extends Fields, const Item extends Fields, const ItemA extends Attachment | undefined = undefined>(
  row: MessageBase & { request: Req; item: Item; itemAttachment?: ItemA; errors: readonly ErrorCode[] },
): StreamRpc<Req, Item, ItemA> {
  return {
    ...row,
    kind: 'stream',
    itemAttachment: row.itemAttachment as ItemA,
    requestCodec: codecOf(row.name, row.request),
    itemCodec: codecOf(row.name, row.item),
  }
}

/** Declares a message without an answer. A datagram is small, and has no attachment. */
export function oneWay<const Msg extends Fields, const A extends Attachment | undefined = undefined>(
  row: MessageBase & { datagram?: boolean; message: Msg; attachment?: A },
): OneWay<Msg, A> {
  const datagram = row.datagram ?? false
  assert(!datagram || row.attachment === undefined, `${row.name} is a datagram or has an attachment`)
  return { ...row, kind: 'one_way', datagram, attachment: row.attachment as A, codec: codecOf(row.name, row.message) }
}

/** The messages two parties exchange, under one name. */
export interface Conversation<Messages extends Readonly<Record<string, Message>> = Readonly<Record<string, Message>>> {
  readonly name: string
  readonly doc: string
  readonly messages: Messages
}

/** Declares a conversation. All keys share the given high byte, and names match their properties. */
export function conversation<const Messages extends Readonly<Record<string, Message>>>(row: {
  name: string
  doc: string
  keys: number
  messages: Messages
}): Conversation<Messages> {
  const seen = new Set<number>()
  for (const [name, message] of Object.entries(row.messages)) {
    assert(message.key >>> 8 === row.keys, `${row.name}.${name} has a key of its conversation`)
    assert(!seen.has(message.key), `${row.name}.${name} has a key of its own`)
    seen.add(message.key)
  }
  return { name: row.name, doc: row.doc, messages: row.messages }
}
