// Every conversation of this version, in the order of their keys: what the protocol page, the golden bytes and the
// fuzzers go through.
import { adminConversation } from './conversations/admin.ts'
import { controlConversation } from './conversations/control.ts'
import { gossipConversation } from './conversations/gossip.ts'
import { groupsConversation } from './conversations/groups.ts'
import { helloConversation } from './conversations/hello.ts'
import { kvConversation } from './conversations/kv.ts'
import { logConversation } from './conversations/log.ts'
import { raftConversation } from './conversations/raft.ts'
import { registryConversation } from './conversations/registry.ts'
import { rightsConversation } from './conversations/rights.ts'
import { topicsConversation } from './conversations/topics.ts'
import type { Conversation } from './table.ts'

export const conversations: readonly Conversation[] = [
  helloConversation,
  gossipConversation,
  adminConversation,
  controlConversation,
  kvConversation,
  rightsConversation,
  registryConversation,
  topicsConversation,
  raftConversation,
  logConversation,
  groupsConversation,
]
