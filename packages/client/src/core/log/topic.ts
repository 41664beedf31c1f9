// A topic with what its records are made of: the way to its producers and consumers.
import type { Deadlines } from '@atoll/protocol'
import type { AtollError } from '../atoll-error.ts'
import type { CallOptions } from '../requests.ts'
import type { Codec, InputOf, OutputOf, Shape, StandardSchema } from './codec.ts'
import { type ConsumeOptions, Consumer } from './consumer.ts'
import type { LogParts } from './log-parts.ts'
import { Producer, type Sent } from './producer.ts'
import type { ProducerOptions } from './producer-options.ts'
import { Coders, type RecordInput, type TextHeaders } from './record.ts'

type Text = Codec<string | Uint8Array, string>

/** What keys, values and headers are. Default: text. */
export interface TopicShapes<
  K extends Shape = Text,
  V extends Shape = Text,
  H extends StandardSchema = StandardSchema<TextHeaders, TextHeaders>,
> {
  readonly key?: K | undefined
  readonly value?: V | undefined
  /** A schema for the headers, which are text by name. */
  readonly headers?: H | undefined
}

/** Whatever has to end with the client. */
export interface Ending {
  end(error: AtollError): void
}

export interface TopicParts {
  readonly log: LogParts
  readonly deadlines: Deadlines
  readonly endings: Set<Ending>
}

export class Topic<K extends Shape, V extends Shape, H extends StandardSchema> {
  readonly name: string
  readonly #parts: TopicParts
  readonly #coders: Coders
  #producer: Producer<InputOf<K>, InputOf<V>, InputOf<H>> | undefined

  constructor(parts: TopicParts, name: string, shapes: TopicShapes<K, V, H>) {
    this.#parts = parts
    this.name = name
    this.#coders = new Coders(shapes)
  }

  /** A producer of its own, with options of its own. */
  producer(options?: ProducerOptions): Producer<InputOf<K>, InputOf<V>, InputOf<H>> {
    const { log, deadlines, endings } = this.#parts
    const topic = log.topics.of(this.name)
    const producer = new Producer<InputOf<K>, InputOf<V>, InputOf<H>>(
      { log, topic, coders: this.#coders, deadlines, onClosed: () => endings.delete(producer) },
      options,
    )
    endings.add(producer)
    return producer
  }

  /** Sends with a producer that all sends of this topic object share. */
  send(input: InputOf<V> | RecordInput<InputOf<K>, InputOf<V>, InputOf<H>>): Promise<Sent> {
    this.#producer ??= this.producer()
    return this.#producer.send(input)
  }

  /** Reads the topic's records, in order within each partition. Nothing is asked before the first is wanted. */
  consume(options?: ConsumeOptions): Consumer<OutputOf<K>, OutputOf<V>, OutputOf<H>> {
    const { log, deadlines, endings } = this.#parts
    const topic = log.topics.of(this.name)
    const consumer = new Consumer<OutputOf<K>, OutputOf<V>, OutputOf<H>>(
      { log, topic, coders: this.#coders, deadlines, onClosed: () => endings.delete(consumer) },
      options,
    )
    endings.add(consumer)
    return consumer
  }

  /** How many partitions it has. Rejects with an AtollError `unknown_topic`. */
  async partitions(options?: CallOptions): Promise<number> {
    const { requests, topics } = this.#parts.log
    const call = requests.begin('log_topic', false, options)
    const follower = topics.of(this.name)
    const release = follower.use(() => {})
    try {
      await follower.ready(call)
      return follower.partitions
    } catch (error) {
      throw requests.explained(call, error)
    } finally {
      release()
    }
  }
}
