// What a process answers: handlers by message, complete per conversation at compile time.
import { assert } from '@atoll/base'
import type { RequestContext } from './served-request.ts'
import type { Session } from './session.ts'
import type { StreamSink } from './streams.ts'
import type { Conversation, ItemOf, Message, MessageOf, OneWay, RequestOf, ResponseOf, Rpc, StreamRpc } from './table.ts'

/**
 * The code behind one message. A thrown ProtocolError goes to the caller as it is; an InvariantError ends the process;
 * anything else is logged and reaches the caller as `internal_error`.
 */
export type Handler<M> = M extends Rpc
  ? (request: RequestOf<M>, context: RequestContext) => ResponseOf<M> | Promise<ResponseOf<M>>
  : M extends StreamRpc
    ? (request: RequestOf<M>, context: RequestContext, sink: StreamSink<ItemOf<M>>) => Promise<void>
    : M extends OneWay
      ? (message: MessageOf<M>, session: Session) => void
      : never

/** One handler per message of the conversation: leave one out and it does not compile. */
export type HandlersOf<C> = C extends Conversation<infer Messages> ? { readonly [Name in keyof Messages]: Handler<Messages[Name]> } : never

interface Entry {
  readonly message: Message
  readonly handle: (...args: never[]) => unknown
}

/** All conversations a process answers, found by message key. */
export class HandlerTable {
  readonly #byKey = new Map<number, Entry>()

  /** Adds the handlers of one conversation. */
  serve<C extends Conversation>(conversation: C, handlers: HandlersOf<C>): this {
    for (const [name, message] of Object.entries(conversation.messages)) {
      assert(!this.#byKey.has(message.key), `one handler for ${conversation.name}.${name}`)
      this.#byKey.set(message.key, { message, handle: (handlers as Record<string, Entry['handle']>)[name] as Entry['handle'] })
    }
    return this
  }

  find(messageKey: number): Entry | undefined {
    return this.#byKey.get(messageKey)
  }
}
