// SWIM's messages and their rows in the gossip conversation: the core says what, the tables say how it travels.
import type { NodeId } from '@atoll/base'
import {
  type Conversation,
  type gossipConversation,
  gossipUnused,
  type HandlersOf,
  type MessageOf,
  type Session,
  swimAck,
  swimAckReliable,
  swimGossip,
  swimGossipReliable,
  swimNack,
  swimPing,
  swimPingReliable,
  swimPingRequest,
  swimSync,
} from '@atoll/protocol'
import type { Send, SwimMessage } from '@atoll/swim'

/** Puts `send` on the wire. False when it was not even queued. */
export function transmit(session: Session, { message, reliable }: Pick<Send, 'message' | 'reliable'>): boolean {
  switch (message.kind) {
    case 'ping':
      return session.send(reliable ? swimPingReliable : swimPing, message)
    case 'ack':
      return session.send(reliable ? swimAckReliable : swimAck, message)
    case 'ping_request':
      return session.send(swimPingRequest, message)
    case 'nack':
      return session.send(swimNack, message)
    case 'gossip':
      return session.send(reliable ? swimGossipReliable : swimGossip, message)
    case 'sync':
      return session.send(swimSync, message)
  }
}

/** Says that nothing more will be sent over `session`, so that its end is no news. */
export function sayUnused(session: Session): void {
  session.send(gossipUnused, {})
}

/** Handlers that hand every gossip message to `receive`, with the session it came by, and a peer’s last word to `unused`. */
export function gossipHandlers(
  receive: (message: SwimMessage, from: NodeId, session: Session) => void,
  unused: (session: Session) => void,
): HandlersOf<typeof gossipConversation> {
  const ping =
    (reliable: boolean) =>
    (message: MessageOf<typeof swimPing>, session: Session): void =>
      receive({ kind: 'ping', reliable, ...message }, session.peer.node, session)
  const as =
    <Kind extends SwimMessage['kind']>(kind: Kind) =>
    (message: Omit<Extract<SwimMessage, { kind: Kind }>, 'kind'>, session: Session): void =>
      receive({ kind, ...message } as unknown as SwimMessage, session.peer.node, session)
  return {
    swimPing: ping(false),
    swimPingReliable: ping(true),
    swimAck: as('ack'),
    swimAckReliable: as('ack'),
    swimPingRequest: as('ping_request'),
    swimNack: as('nack'),
    swimGossip: as('gossip'),
    swimGossipReliable: as('gossip'),
    swimSync: as('sync'),
    gossipUnused: (_, session) => unused(session),
  } satisfies HandlersOf<Conversation<(typeof gossipConversation)['messages']>>
}
