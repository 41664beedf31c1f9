// How a connection starts: who is there, of which cluster, in which versions, and the proof that both know the
// cluster's secret (challenge-response with HMAC-SHA-256, RFC 2104; the transcript is what is signed, so a version
// cannot be talked down). `hello` has the same form in every version, since it comes before one is agreed on. Until it is done, frames are at most 4 KiB and nothing else is answered.
import type { ClusterId, Incarnation } from '@atoll/base'
import { bytes, i53, nodeName, str, u16, u32 } from '../field-types.ts'
import { field } from '../fields.ts'
import { conversation, rpc } from '../table.ts'

/** Length of a challenge. */
export const NONCE_BYTES = 16
const PROOF_BYTES = 32

const identity = {
  cluster: field(str<ClusterId>({ max: 63 }), 'The cluster’s id; another one is refused with `wrong_cluster`.'),
  node: field(nodeName(), 'The sender’s name; a client makes one up.'),
  role: field(str({ max: 32 }), '`coordinator`, …, or `client` for whoever is no node.'),
  incarnation: field(i53<Incarnation>(), 'The sender’s incarnation when the connection was made; 0 for a client.'),
}

export const hello = rpc({
  key: 0x0101,
  name: 'hello',
  doc: 'The first message of a connection: the caller says who it is and challenges the other side.',
  source: 'RFC 2104 (HMAC)',
  idempotent: true,
  request: {
    versionMin: field(u16(), 'Oldest protocol version the caller speaks.'),
    versionMax: field(u16(), 'Newest protocol version the caller speaks; the highest common one is used.'),
    ...identity,
    expected: field(str({ max: 63 }), 'The node the caller wants to reach; empty when any will do. Another one answers `wrong_node`.'),
    nonce: field(bytes({ max: NONCE_BYTES }), 'Sixteen fresh random bytes: the caller’s challenge.'),
  },
  response: {
    version: field(u16(), 'The protocol version both will speak.'),
    ...identity,
    nonce: field(bytes({ max: NONCE_BYTES }), 'Sixteen fresh random bytes: the acceptor’s challenge.'),
    proof: field(bytes({ max: PROOF_BYTES }), 'HMAC-SHA-256 over "acceptor" and the transcript, keyed with the cluster’s secret.'),
  },
  errors: ['wrong_cluster', 'wrong_node', 'unsupported_version', 'hello_expected', 'malformed_message'],
})

export const prove = rpc({
  key: 0x0102,
  name: 'prove',
  doc: 'The caller answers the challenge; with the answer the connection is open both ways.',
  source: 'RFC 2104 (HMAC)',
  idempotent: true,
  request: {
    proof: field(bytes({ max: PROOF_BYTES }), 'HMAC-SHA-256 over "caller" and the transcript, keyed with the cluster’s secret.'),
    frameBytesMax: field(u32(), 'Largest frame the caller accepts, in bytes; at least 4,096.'),
  },
  response: {
    frameBytesMax: field(u32(), 'Largest frame the acceptor accepts, in bytes; at least 4,096.'),
  },
  errors: ['wrong_secret', 'hello_timed_out', 'malformed_message'],
})

export const helloConversation = conversation({ name: 'hello', doc: 'How a connection starts.', keys: 0x01, messages: { hello, prove } })
