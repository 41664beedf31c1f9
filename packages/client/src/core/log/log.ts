// The log's side of the client: topics, producers, consumers.
import type { Clock, Compute, Random } from '@atoll/base'
import type { Deadlines, NativeEndpoint } from '@atoll/protocol'
import { createCompression } from '@atoll/records'
import type { AtollError } from '../atoll-error.ts'
import type { KeyValue } from '../kv.ts'
import type { Requests } from '../requests.ts'
import type { Changes } from '../session.ts'
import { Brokers } from './brokers.ts'
import type { Codec, Shape, StandardSchema } from './codec.ts'
import { Groups } from './groups.ts'
import type { LogParts } from './log-parts.ts'
import type { TextHeaders } from './record.ts'
import { type Ending, Topic, type TopicShapes } from './topic.ts'
import { TopicFollowers } from './topic-follower.ts'
import { Topics } from './topics.ts'

export interface LogOptions {
  readonly clock: Clock
  readonly random: Random
  readonly compute: Compute
  readonly deadlines: Deadlines
  readonly requests: Requests
  readonly changes: Changes
  readonly kv: KeyValue
  readonly endpoint: () => NativeEndpoint | undefined
}

type Text = Codec<string | Uint8Array, string>

export class Log {
  /** Topics, as an administrator sees them. */
  readonly topics: Topics
  /** Consumer groups, as an administrator sees them. */
  readonly groups: Groups
  readonly #parts: LogParts
  readonly #deadlines: Deadlines
  readonly #closing = new AbortController()
  readonly #endings = new Set<Ending>()

  constructor({ clock, random, compute, deadlines, requests, changes, kv, endpoint }: LogOptions) {
    this.#deadlines = deadlines
    this.#parts = {
      clock,
      random,
      compute,
      requests,
      changes,
      kv,
      brokers: new Brokers({ clock, requests, endpoint }),
      topics: new TopicFollowers({ clock, deadlines, kv }),
      compression: createCompression(compute),
      closing: this.#closing.signal,
    }
    this.topics = new Topics(this.#parts)
    this.groups = new Groups(this.#parts, this.topics)
  }

  /** A topic and what its records are made of; nothing is asked yet. */
  topic<K extends Shape = Text, V extends Shape = Text, H extends StandardSchema = StandardSchema<TextHeaders, TextHeaders>>(
    name: string,
    shapes: TopicShapes<K, V, H> = {},
  ): Topic<K, V, H> {
    return new Topic({ log: this.#parts, deadlines: this.#deadlines, endings: this.#endings }, name, shapes)
  }

  /** Ends every producer and consumer. What producers hold fails, unless they were closed before. */
  close(error: AtollError): void {
    this.#closing.abort()
    for (const ending of this.#endings) ending.end(error)
    this.#parts.topics.close()
    this.#parts.brokers.close()
  }
}
