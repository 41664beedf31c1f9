// The hello of both sides as small state machines over a channel. Everything either side said is part of the
// transcript that both proofs sign; roles are part of it too, so that a proof cannot be reflected.
import {
  type Clock,
  type ClusterId,
  type Compute,
  type Connection,
  type Incarnation,
  InvariantError,
  type NodeId,
  type Timer,
} from '@atoll/base'
import { Channel } from './channel.ts'
import { hello, prove } from './conversations/hello.ts'
import { errorBody, remoteError } from './error-body.ts'
import { ProtocolError } from './errors.ts'
import { type Frame, type FrameCodec, flag } from './frame.ts'
import { FRAME_BYTES_MAX_BEFORE_HELLO, HELLO_TIMEOUT_MS } from './limits.ts'
import type { Peer } from './served-request.ts'
import type { RequestOf, ResponseOf } from './table.ts'

/** Protocol versions this build speaks, both inclusive. */
export const PROTOCOL_VERSION_MIN = 1
export const PROTOCOL_VERSION_MAX = 1

const NONCE_BYTES = 16

/** Who this process is, and what it must know to prove it. */
export interface Identity {
  readonly cluster: ClusterId
  readonly node: NodeId
  readonly role: string
  /** Asked anew for every hello: a member may raise its incarnation. */
  readonly incarnation: () => Incarnation
  /** The cluster’s secret: at least 16 bytes, from a file only its owner can read. */
  readonly secret: Uint8Array
  /** Largest frame this process accepts once the hello is done, in bytes. */
  readonly frameBytesMax: number
}

export interface HandshakeEnvironment {
  readonly clock: Clock
  readonly compute: Compute
  readonly codec: FrameCodec
}

/** A channel whose hello is done; frames are held until its next user reads on. */
export interface Introduced {
  readonly channel: Channel
  readonly peer: Peer
  readonly bounds: { readonly frameBytesMax: number; readonly peerFrameBytesMax: number }
}

type Hello = RequestOf<typeof hello>
type Challenge = ResponseOf<typeof hello>

/** What both proofs sign. JSON with fixed order is enough: every value is a string, an integer or hex. */
function transcript(prover: 'caller' | 'acceptor', asked: Hello, answered: Omit<Challenge, 'proof'>): Uint8Array {
  const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  const parts = [
    prover,
    asked.versionMin,
    asked.versionMax,
    asked.cluster,
    asked.node,
    asked.role,
    asked.incarnation,
    asked.expected,
    hex(asked.nonce),
    answered.version,
    answered.cluster,
    answered.node,
    answered.role,
    answered.incarnation,
    hex(answered.nonce),
  ]
  return new TextEncoder().encode(JSON.stringify(parts))
}

/** Equal, in a time that does not tell where they differ. */
function equalProofs(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false
  let difference = 0
  for (let i = 0; i < a.byteLength; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

/** Runs one side of the hello: frames go to `step` one by one until it is done or fails, all within the deadline. */
function introduce(
  connection: Connection,
  env: HandshakeEnvironment,
  timeoutMs: number,
  start: (channel: Channel, done: (introduced: Omit<Introduced, 'channel'>) => void) => (frame: Frame) => void,
): Promise<Introduced> {
  return new Promise((resolve, reject) => {
    let step: ((frame: Frame) => void) | undefined
    const channel = new Channel(connection, env.clock, env.codec, FRAME_BYTES_MAX_BEFORE_HELLO, {
      onFrame: frame => {
        try {
          step?.(frame)
        } catch (error) {
          if (error instanceof InvariantError || !(error instanceof ProtocolError)) throw error
          if (frame.flags === flag.request)
            channel.send(flag.response | flag.error, frame.messageKey, frame.correlationId, errorBody(error))
          channel.end(error)
        }
        return step !== undefined
      },
      onDrain: () => {},
      onClosed: error => {
        timer.cancel()
        reject(error)
      },
    })
    const timer: Timer = env.clock.after(timeoutMs, () =>
      channel.destroy(new ProtocolError('hello_timed_out', `${connection.remote}: hello not finished in ${timeoutMs} ms`)),
    )
    step = start(channel, introduced => {
      step = undefined
      timer.cancel()
      resolve({ channel, ...introduced })
    })
  })
}

/** The calling side. Rejects with the peer’s error, `wrong_secret` when the peer cannot prove itself, or `hello_timed_out`. */
export function introduceOurselves(
  connection: Connection,
  identity: Identity,
  expected: NodeId | undefined,
  env: HandshakeEnvironment,
  timeoutMs = HELLO_TIMEOUT_MS,
): Promise<Introduced> {
  return introduce(connection, env, timeoutMs, (channel, done) => {
    const asked: Hello = {
      versionMin: PROTOCOL_VERSION_MIN,
      versionMax: PROTOCOL_VERSION_MAX,
      cluster: identity.cluster,
      node: identity.node,
      role: identity.role,
      incarnation: identity.incarnation(),
      expected: expected ?? '',
      nonce: env.compute.secureBytes(NONCE_BYTES),
    }
    let challenge: Challenge | undefined
    channel.send(flag.request, hello.key, 1, hello.requestCodec.toWire(asked, PROTOCOL_VERSION_MIN, [HELLO_TIMEOUT_MS]))
    return frame => {
      if ((frame.flags & flag.error) !== 0) throw remoteError(frame, { node: connection.remote })
      if (frame.flags !== flag.response) throw new ProtocolError('hello_expected')
      if (challenge === undefined) {
        challenge = hello.responseCodec.fromWire(frame.body, 0, PROTOCOL_VERSION_MIN)
        if (challenge.cluster !== identity.cluster)
          throw new ProtocolError('wrong_cluster', `${connection.remote} belongs to cluster ${challenge.cluster}, not ${identity.cluster}`)
        if (expected !== undefined && challenge.node !== expected)
          throw new ProtocolError('wrong_node', `${connection.remote} is ${challenge.node}, not ${expected}`)
        if (!equalProofs(challenge.proof, env.compute.hmacSha256(identity.secret, transcript('acceptor', asked, challenge))))
          throw new ProtocolError('wrong_secret', `${connection.remote} does not know the cluster’s secret`)
        const proof = env.compute.hmacSha256(identity.secret, transcript('caller', asked, challenge))
        channel.send(
          flag.request,
          prove.key,
          2,
          prove.requestCodec.toWire({ proof, frameBytesMax: identity.frameBytesMax }, PROTOCOL_VERSION_MIN, [HELLO_TIMEOUT_MS]),
        )
        return
      }
      const accepted = prove.responseCodec.fromWire(frame.body, 0, challenge.version)
      const { node, role, incarnation, version } = challenge
      done({
        peer: { node, role, incarnation, version, remote: connection.remote },
        bounds: { frameBytesMax: identity.frameBytesMax, peerFrameBytesMax: accepted.frameBytesMax },
      })
    }
  })
}

/** The accepting side. Every refusal is a typed error to the peer, then a close. */
export function acceptIntroduction(connection: Connection, identity: Identity, env: HandshakeEnvironment): Promise<Introduced> {
  return introduce(connection, env, HELLO_TIMEOUT_MS, (channel, done) => {
    let asked: Hello | undefined
    let answered: Omit<Challenge, 'proof'> | undefined
    return frame => {
      if (frame.flags !== flag.request) throw new ProtocolError('hello_expected')
      if (asked === undefined || answered === undefined) {
        if (frame.messageKey !== hello.key)
          throw new ProtocolError('hello_expected', `message 0x${frame.messageKey.toString(16)} before the hello`)
        asked = hello.requestCodec.fromWire(frame.body, 1, PROTOCOL_VERSION_MIN)
        answered = answerTo(asked, identity, env)
        const proof = env.compute.hmacSha256(identity.secret, transcript('acceptor', asked, answered))
        channel.send(
          flag.response,
          hello.key,
          frame.correlationId,
          hello.responseCodec.toWire({ ...answered, proof }, PROTOCOL_VERSION_MIN, []),
        )
        return
      }
      if (frame.messageKey !== prove.key)
        throw new ProtocolError('hello_expected', `message 0x${frame.messageKey.toString(16)} in the middle of the hello`)
      const { proof, frameBytesMax } = prove.requestCodec.fromWire(frame.body, 1, answered.version)
      if (!equalProofs(proof, env.compute.hmacSha256(identity.secret, transcript('caller', asked, answered))))
        throw new ProtocolError('wrong_secret', `${asked.node} does not know the cluster’s secret`)
      channel.send(
        flag.response,
        prove.key,
        frame.correlationId,
        prove.responseCodec.toWire({ frameBytesMax: identity.frameBytesMax }, answered.version, []),
      )
      const { node, role, incarnation } = asked
      done({
        peer: { node, role, incarnation, version: answered.version, remote: connection.remote },
        bounds: { frameBytesMax: identity.frameBytesMax, peerFrameBytesMax: frameBytesMax },
      })
    }
  })
}

function answerTo(asked: Hello, identity: Identity, env: HandshakeEnvironment): Omit<Challenge, 'proof'> {
  if (asked.cluster !== identity.cluster)
    throw new ProtocolError('wrong_cluster', `this is cluster ${identity.cluster}, not ${asked.cluster}`)
  if (asked.expected !== '' && asked.expected !== identity.node)
    throw new ProtocolError('wrong_node', `this is ${identity.node}, not ${asked.expected}`)
  const version = Math.min(asked.versionMax, PROTOCOL_VERSION_MAX)
  if (version < Math.max(asked.versionMin, PROTOCOL_VERSION_MIN))
    throw new ProtocolError(
      'unsupported_version',
      `versions ${asked.versionMin} to ${asked.versionMax} asked, this node speaks ${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION_MAX}`,
    )
  return {
    version,
    cluster: identity.cluster,
    node: identity.node,
    role: identity.role,
    incarnation: identity.incarnation(),
    nonce: env.compute.secureBytes(NONCE_BYTES),
  }
}
