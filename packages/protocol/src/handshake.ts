// The hello of both sides as small state machines over a channel. Everything either side said is part of the
// transcript that both proofs sign; roles are part of it too, so that a proof cannot be reflected.
import type { Clock, ClusterId, Compute, Connection, Incarnation, NodeId, Timer } from '@atoll/base'
import { Channel, type FrameBounds } from './channel.ts'
import { hello, NONCE_BYTES, prove } from './conversations/hello.ts'
import { errorBody, remoteError } from './error-body.ts'
import { ProtocolError } from './errors.ts'
import { type Frame, type FrameCodec, flag } from './frame.ts'
import { FRAME_BYTES_MAX_BEFORE_HELLO, HELLO_TIMEOUT_MS } from './limits.ts'
import type { Peer } from './served-request.ts'
import type { RequestOf, ResponseOf } from './table.ts'

/** Protocol versions this build speaks, both inclusive. */
export const PROTOCOL_VERSION_MIN = 1
export const PROTOCOL_VERSION_MAX = 1
export interface VersionRange {
  readonly min: number
  readonly max: number
}
const SPOKEN: VersionRange = { min: PROTOCOL_VERSION_MIN, max: PROTOCOL_VERSION_MAX }
/** `hello` itself has this form in every version: it is sent before one is agreed on. */
const HELLO_VERSION = 1
/** Correlation ids of the caller's two requests. */
const HELLO_ID = 1
const PROVE_ID = 2

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
  /** Versions spoken, when not those of this build. */
  readonly versions?: VersionRange
}

export interface HandshakeOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
  /** The connection is over, whatever became of the hello. */
  readonly onGone?: () => void
}

/** A channel whose hello is done; frames are held until its next user reads on. */
export interface Introduced {
  readonly channel: Channel
  readonly peer: Peer
  readonly bounds: FrameBounds
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
  { timeoutMs = HELLO_TIMEOUT_MS, signal, onGone }: HandshakeOptions,
  start: (channel: Channel, done: (introduced: Omit<Introduced, 'channel'>) => void) => (frame: Frame) => void,
): Promise<Introduced> {
  return new Promise((resolve, reject) => {
    let step: ((frame: Frame) => void) | undefined
    const settle = (): void => {
      step = undefined
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
    const onFrame = (frame: Frame): boolean => {
      try {
        step?.(frame)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        if (frame.flags === flag.request) channel.send(flag.response | flag.error, frame.messageKey, frame.correlationId, errorBody(error))
        channel.end(error)
      }
      return step !== undefined
    }
    const onClosed = (error: ProtocolError): void => {
      settle()
      reject(error)
    }
    const channel = new Channel({ connection, clock: env.clock, codec: env.codec, handlers: { onFrame, onDrain() {}, onClosed }, onGone })
    const timer: Timer = env.clock.after(timeoutMs, () =>
      channel.destroy(new ProtocolError('hello_timed_out', `${connection.remote}: hello not finished in ${timeoutMs} ms`)),
    )
    const onAbort = (): void => channel.destroy(new ProtocolError('request_cancelled', undefined, { cause: signal?.reason }))
    signal?.addEventListener('abort', onAbort, { once: true })
    step = start(channel, introduced => {
      settle()
      resolve({ channel, ...introduced })
    })
    if (signal?.aborted) onAbort()
  })
}

/** The calling side. Rejects with the peer’s error, `wrong_secret` when the peer cannot prove itself, or `hello_timed_out`. */
export function introduceOurselves(
  connection: Connection,
  identity: Identity,
  expected: NodeId | undefined,
  env: HandshakeEnvironment,
  options: HandshakeOptions = {},
): Promise<Introduced> {
  const { min, max } = env.versions ?? SPOKEN
  return introduce(connection, env, options, (channel, done) => {
    const asked: Hello = {
      versionMin: min,
      versionMax: max,
      cluster: identity.cluster,
      node: identity.node,
      role: identity.role,
      incarnation: identity.incarnation(),
      expected: expected ?? '',
      nonce: env.compute.secureBytes(NONCE_BYTES),
    }
    let challenge: Challenge | undefined
    channel.send(flag.request, hello.key, HELLO_ID, hello.requestCodec.toWire(asked, HELLO_VERSION, [HELLO_TIMEOUT_MS]))
    return frame => {
      if ((frame.flags & flag.error) !== 0) throw remoteError(frame, { node: connection.remote })
      checkStep(frame, flag.response, challenge === undefined ? hello.key : prove.key)
      if (frame.correlationId !== (challenge === undefined ? HELLO_ID : PROVE_ID))
        throw new ProtocolError('hello_expected', `an answer to request ${frame.correlationId}`)
      if (challenge === undefined) {
        challenge = hello.responseCodec.fromWire(frame.body, 0, HELLO_VERSION)
        checkChallenge(challenge, asked, connection.remote)
        if (!equalProofs(challenge.proof, env.compute.hmacSha256(identity.secret, transcript('acceptor', asked, challenge))))
          throw new ProtocolError('wrong_secret', `${connection.remote} does not know the cluster’s secret`)
        const proof = env.compute.hmacSha256(identity.secret, transcript('caller', asked, challenge))
        const body = prove.requestCodec.toWire({ proof, frameBytesMax: identity.frameBytesMax }, challenge.version, [HELLO_TIMEOUT_MS])
        channel.send(flag.request, prove.key, PROVE_ID, body)
        return
      }
      const accepted = prove.responseCodec.fromWire(frame.body, 0, challenge.version)
      done(introducedAs(challenge, challenge.version, connection, identity, accepted))
    }
  })
}

/** The accepting side. Every refusal is a typed error to the peer, then a close. */
export function acceptIntroduction(
  connection: Connection,
  identity: Identity,
  env: HandshakeEnvironment,
  options: HandshakeOptions = {},
): Promise<Introduced> {
  return introduce(connection, env, options, (channel, done) => {
    let asked: Hello | undefined
    let answered: Omit<Challenge, 'proof'> | undefined
    return frame => {
      checkStep(frame, flag.request, answered === undefined ? hello.key : prove.key)
      if (asked === undefined || answered === undefined) {
        asked = hello.requestCodec.fromWire(frame.body, 1, HELLO_VERSION)
        answered = answerTo(asked, identity, env)
        const proof = env.compute.hmacSha256(identity.secret, transcript('acceptor', asked, answered))
        const body = hello.responseCodec.toWire({ ...answered, proof }, HELLO_VERSION, [])
        channel.send(flag.response, hello.key, frame.correlationId, body)
        return
      }
      const proved = prove.requestCodec.fromWire(frame.body, 1, answered.version)
      if (!equalProofs(proved.proof, env.compute.hmacSha256(identity.secret, transcript('caller', asked, answered))))
        throw new ProtocolError('wrong_secret', `${asked.node} does not know the cluster’s secret`)
      const introduced = introducedAs(asked, answered.version, connection, identity, proved)
      const body = prove.responseCodec.toWire({ frameBytesMax: identity.frameBytesMax }, answered.version, [])
      channel.send(flag.response, prove.key, frame.correlationId, body)
      done(introduced)
    }
  })
}

/** Anything but the one message that comes next is refused. */
function checkStep(frame: Frame, kind: number, key: number): void {
  if (frame.flags !== kind || frame.messageKey !== key || frame.attachment.byteLength > 0)
    throw new ProtocolError(
      'hello_expected',
      `message 0x${frame.messageKey.toString(16)} with flags ${frame.flags} where the hello wants message 0x${key.toString(16)}`,
    )
}

/** What the proof does not show: that the acceptor is the one we want and keeps to what we asked. */
function checkChallenge(challenge: Challenge, asked: Hello, remote: string): void {
  if (challenge.cluster !== asked.cluster)
    throw new ProtocolError('wrong_cluster', `${remote} belongs to cluster ${challenge.cluster}, not ${asked.cluster}`)
  if (asked.expected !== '' && challenge.node !== asked.expected)
    throw new ProtocolError('wrong_node', `${remote} is ${challenge.node}, not ${asked.expected}`)
  if (challenge.version < asked.versionMin || challenge.version > asked.versionMax)
    throw new ProtocolError(
      'unsupported_version',
      `${remote} chose version ${challenge.version} of ${asked.versionMin} to ${asked.versionMax}`,
    )
  checkNonce(challenge.nonce)
}

/** A short challenge could be met with a proof recorded earlier. */
function checkNonce(nonce: Uint8Array): void {
  if (nonce.byteLength !== NONCE_BYTES)
    throw new ProtocolError('malformed_message', `hello: a nonce of ${nonce.byteLength} bytes, want ${NONCE_BYTES}`)
}

/** The result of the hello. A peer must at least accept what an error takes, or nothing could be told to it. */
function introducedAs(
  who: Pick<Hello, 'node' | 'role' | 'incarnation'>,
  version: number,
  connection: Connection,
  identity: Identity,
  { frameBytesMax }: { readonly frameBytesMax: number },
): Omit<Introduced, 'channel'> {
  if (frameBytesMax < FRAME_BYTES_MAX_BEFORE_HELLO)
    throw new ProtocolError('malformed_message', `prove: frames of ${frameBytesMax} bytes, want at least ${FRAME_BYTES_MAX_BEFORE_HELLO}`)
  return {
    peer: { node: who.node, role: who.role, incarnation: who.incarnation, version, remote: connection.remote },
    bounds: { frameBytesMax: identity.frameBytesMax, peerFrameBytesMax: frameBytesMax },
  }
}

function answerTo(asked: Hello, identity: Identity, env: HandshakeEnvironment): Omit<Challenge, 'proof'> {
  if (asked.cluster !== identity.cluster)
    throw new ProtocolError('wrong_cluster', `this is cluster ${identity.cluster}, not ${asked.cluster}`)
  if (asked.expected !== '' && asked.expected !== identity.node)
    throw new ProtocolError('wrong_node', `this is ${identity.node}, not ${asked.expected}`)
  checkNonce(asked.nonce)
  const { min, max } = env.versions ?? SPOKEN
  const version = Math.min(asked.versionMax, max)
  if (version < Math.max(asked.versionMin, min))
    throw new ProtocolError(
      'unsupported_version',
      `versions ${asked.versionMin} to ${asked.versionMax} asked, this node speaks ${min} to ${max}`,
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
