// Asks a broker what any client asks first: where the brokers are, and who leads the topic that groups are kept in. Kafka's
// Metadata request in version 1, on a connection of its own; what comes back is read as far as is needed to say whether
// clients can work.
import { createConnection, type Socket } from 'node:net'
import { ProtocolError } from '@atoll/protocol'

const METADATA_KEY = 3
const METADATA_VERSION = 1
const CORRELATION_ID = 1
const CLIENT_NAME = 'supervisor'
/** Groups are kept there; without a leader of it there is nobody to ask about them. */
const GROUPS_TOPIC = '__consumer_offsets'
/** A whole answer is far smaller, in bytes: 64 brokers and one topic. */
const ANSWER_BYTES_MAX = 65_536

export interface KafkaView {
  /** Ports of the brokers that it sends clients to. */
  readonly brokerPorts: readonly number[]
  /** Partitions of the topic of groups; 0 while it is not there. */
  readonly groupPartitions: number
  /** Those of them that have no leader. */
  readonly leaderless: number
}

/** What the broker at that address tells its clients. Rejects with a ProtocolError when it does not within `timeoutMs`. */
export async function askMetadata(at: { readonly host: string; readonly port: number }, timeoutMs: number): Promise<KafkaView> {
  const socket = createConnection(at)
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  try {
    socket.write(metadataRequest())
    return readMetadata(await frameFrom(socket))
  } catch (error) {
    throw new ProtocolError('not_connected', (error as Error).message, { cause: error })
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

function metadataRequest(): Buffer {
  const text = (words: string): Buffer => Buffer.concat([int16(words.length), Buffer.from(words)])
  const header = [int16(METADATA_KEY), int16(METADATA_VERSION), int32(CORRELATION_ID), text(CLIENT_NAME)]
  const body = Buffer.concat([...header, int32(1), text(GROUPS_TOPIC)])
  return Buffer.concat([int32(body.length), body])
}

/** The first frame, without its length. */
async function frameFrom(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0)
  for await (const piece of socket) {
    bytes = Buffer.concat([bytes, piece as Buffer])
    if (bytes.length < 4) continue
    const length = bytes.readInt32BE(0)
    if (length < 4 || length > ANSWER_BYTES_MAX) throw new Error(`an answer of ${length} bytes`)
    if (bytes.length >= 4 + length) return bytes.subarray(4, 4 + length)
  }
  throw new Error('the connection ended without an answer')
}

/** Throws a RangeError for what is cut short. */
function readMetadata(frame: Buffer): KafkaView {
  let at = 4
  const take = (width: 1 | 2 | 4): number => {
    at += width
    return frame.readIntBE(at - width, width)
  }
  const skipText = (): void => {
    const length = take(2)
    at += Math.max(0, length)
  }
  const each = <T>(read: () => T): T[] => Array.from({ length: Math.max(0, take(4)) }, read)
  const brokerPorts = each(() => {
    take(4)
    skipText()
    const port = take(4)
    skipText()
    return port
  })
  take(4)
  const leaders = each(() => {
    take(2)
    skipText()
    take(1)
    return each(() => {
      at += 6
      const leader = take(4)
      each(() => take(4))
      each(() => take(4))
      return leader
    })
  }).flat()
  return { brokerPorts, groupPartitions: leaders.length, leaderless: leaders.filter(leader => leader < 0).length }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
