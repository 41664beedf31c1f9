// The replicated commands: everything that can change the state, in one table. Requests of clients are commands as they
// are; a few more are proposed by the leader itself. A command is stored as a msgpack array [version, number, fields…] in
// the field types of the protocol, at the protocol version its leader wrote, so an older log is read as it was meant:
// fields that came later take the value the table gives for their absence.
import {
  BodyCodec,
  brokerLeave,
  brokerReady,
  electionCampaign,
  electionProclaim,
  electionResign,
  type Fields,
  FieldsCodec,
  field,
  i53,
  isrChange,
  kvCompact,
  kvDelete,
  kvKeepHistory,
  kvPut,
  kvTransaction,
  type LeaseId,
  leadersElect,
  leaseGrant,
  leaseRevoke,
  list,
  lockAcquire,
  lockRelease,
  nodeName,
  nodeRegister,
  nodeRetire,
  nodeStop,
  type ObjectOf,
  PARTITION_CHANGES_MAX,
  ProtocolError,
  partitionName,
  partitionsReassign,
  producerIds,
  type Revision,
  replicasYield,
  sessionOpen,
  str,
  topicConfigure,
  topicCreate,
  topicDelete,
  topicGrow,
} from '@atoll/protocol'
import { COMMAND_BYTES_MAX, LEASES_PER_EXPIRY_MAX } from './limits.ts'

interface CommandRow<F extends Fields, A extends Fields> {
  /** In the log; never reused. */
  readonly number: number
  readonly fields: F
  readonly answer: A
}

const row = <F extends Fields, A extends Fields>(number: number, fields: F, answer: A): CommandRow<F, A> => ({ number, fields, answer })
const revisionAnswer = kvKeepHistory.response

/** Append, never renumber: logs and snapshots hold the numbers. */
export const commandTable = {
  put: row(1, kvPut.request, kvPut.response),
  delete: row(2, kvDelete.request, kvDelete.response),
  transaction: row(3, kvTransaction.request, kvTransaction.response),
  compact: row(4, kvCompact.request, kvCompact.response),
  keep_history: row(5, kvKeepHistory.request, revisionAnswer),
  session_open: row(6, sessionOpen.request, sessionOpen.response),
  lease_grant: row(7, leaseGrant.request, leaseGrant.response),
  lease_revoke: row(8, leaseRevoke.request, leaseRevoke.response),
  /** Of the leader: these leases have run out by its clock. */
  lease_expire: row(9, { leases: field(list(i53<LeaseId>(), { max: LEASES_PER_EXPIRY_MAX }), 'Which.') }, leaseRevoke.response),
  lock_acquire: row(10, lockAcquire.request, lockAcquire.response),
  lock_release: row(11, lockRelease.request, lockRelease.response),
  election_campaign: row(12, electionCampaign.request, electionCampaign.response),
  election_proclaim: row(13, electionProclaim.request, electionProclaim.response),
  election_resign: row(14, electionResign.request, electionResign.response),
  node_register: row(15, nodeRegister.request, nodeRegister.response),
  node_stop: row(16, nodeStop.request, nodeStop.response),
  node_retire: row(17, nodeRetire.request, nodeRetire.response),
  /** Of the controller: this node is gone, unless it has registered again since. */
  node_fence: row(18, { node: field(nodeName(), 'Which.'), epoch: field(i53<Revision>(), 'The epoch that is over.') }, nodeStop.response),
  /** Of the leader: this disk is no coordinator any more, whether it ever registered or not. */
  coordinator_retire: row(
    19,
    { node: field(nodeName(), 'The name.'), disk: field(str({ max: 64 }), 'The disk that is given up.') },
    nodeRetire.response,
  ),
  topic_create: row(40, topicCreate.request, topicCreate.response),
  topic_delete: row(41, topicDelete.request, topicDelete.response),
  topic_configure: row(42, topicConfigure.request, topicConfigure.response),
  topic_grow: row(43, topicGrow.request, topicGrow.response),
  isr_change: row(44, isrChange.request, isrChange.response),
  broker_ready: row(45, brokerReady.request, brokerReady.response),
  broker_leave: row(46, brokerLeave.request, brokerLeave.response),
  replicas_yield: row(47, replicasYield.request, replicasYield.response),
  leaders_elect: row(48, leadersElect.request, leadersElect.response),
  partitions_reassign: row(49, partitionsReassign.request, partitionsReassign.response),
  producer_ids: row(50, producerIds.request, producerIds.response),
  /** Of the controller: these partitions become what they should be, given who is there. */
  partitions_settle: row(51, { partitions: field(list(partitionName, { max: PARTITION_CHANGES_MAX }), 'Which.') }, isrChange.response),
  /** Of the controller: this topic is deleted, and so are its partitions. */
  topic_sweep: row(
    52,
    { name: field(str({ max: 249 }), 'What it was called.'), topicId: field(str({ max: 32 }), 'Its identity.') },
    nodeStop.response,
  ),
} as const satisfies Record<string, CommandRow<Fields, Fields>>

export type CommandKind = keyof typeof commandTable
export type CommandOf<K extends CommandKind> = { readonly kind: K } & ObjectOf<(typeof commandTable)[K]['fields']>
export type Command = { [K in CommandKind]: CommandOf<K> }[CommandKind]
/** Those about topics, partitions and brokers. */
export type TopicCommandKind =
  | 'topic_create'
  | 'topic_delete'
  | 'topic_configure'
  | 'topic_grow'
  | 'isr_change'
  | 'broker_ready'
  | 'broker_leave'
  | 'replicas_yield'
  | 'leaders_elect'
  | 'partitions_reassign'
  | 'producer_ids'
  | 'partitions_settle'
  | 'topic_sweep'
/** What a command of that kind is answered with when it is not refused. */
export type AnswerOf<K extends CommandKind> = ObjectOf<(typeof commandTable)[K]['answer']>

/** The format of commands in this build: the protocol version that has all their fields. */
export const COMMAND_VERSION = 1

interface Codecs {
  readonly kind: string
  readonly fields: FieldsCodec<object>
  readonly answer: FieldsCodec<object>
}

/** Turns commands and their answers into bytes and back, for one table of commands. */
export class CommandCodec {
  readonly #body = new BodyCodec()
  readonly #numbers = new Map<string, number>()
  readonly #byNumber = new Map<number, Codecs>()
  readonly #versionMax: number

  constructor(table: Readonly<Record<string, CommandRow<Fields, Fields>>> = commandTable, versionMax: number = COMMAND_VERSION) {
    this.#versionMax = versionMax
    for (const [kind, { number, fields, answer }] of Object.entries(table)) {
      this.#numbers.set(kind, number)
      this.#byNumber.set(number, { kind, fields: new FieldsCodec(kind, fields), answer: new FieldsCodec(`${kind} answer`, answer) })
    }
  }

  /** Throws `invalid_argument` or `message_too_large`: such a command is not proposed. `version`: what every coordinator reads. */
  encode(command: Command, version = this.#versionMax): Uint8Array {
    const { number, codecs } = this.#of(command.kind)
    const bytes = this.#body.encode(codecs.fields.toWire(command, version, [version, number]))
    if (bytes.byteLength > COMMAND_BYTES_MAX)
      throw new ProtocolError('message_too_large', `a command of ${bytes.byteLength} bytes, at most ${COMMAND_BYTES_MAX} are stored`)
    return bytes
  }

  /**
   * The command in an entry of the log. Throws `unsupported_version` for one of a later version, which this build must not
   * guess at: it stops. Binary values are views of `bytes`.
   */
  decode(bytes: Uint8Array): Command {
    const wire = this.#body.decode(bytes)
    const [version, number] = wire
    if (typeof version !== 'number' || typeof number !== 'number') throw new ProtocolError('malformed_message', 'no command')
    if (version > this.#versionMax)
      throw new ProtocolError('unsupported_version', `a command of version ${version}, this build reads up to ${this.#versionMax}`)
    const codecs = this.#byNumber.get(number)
    if (codecs === undefined) throw new ProtocolError('unsupported_version', `command ${number} is not known to this build`)
    return { kind: codecs.kind, ...codecs.fields.fromWire(wire, 2, version) } as Command
  }

  /** The answer of a command of that kind as bytes, [version, fields…]: snapshots keep answers. */
  encodeAnswer(kind: CommandKind, answer: AnswerOf<CommandKind>): Uint8Array {
    return this.#body.encode(this.#of(kind).codecs.answer.toWire(answer, this.#versionMax, [this.#versionMax]))
  }

  /** The answer that `encodeAnswer` made, of the command with that number. */
  decodeAnswer(
    number: number,
    bytes: Uint8Array,
  ): { readonly ok: true; readonly kind: CommandKind; readonly value: AnswerOf<CommandKind> } {
    const codecs = this.#byNumber.get(number)
    if (codecs === undefined) throw new ProtocolError('unsupported_version', `command ${number} is not known to this build`)
    // A copy: its binary values stay.
    const wire = this.#body.decode(new Uint8Array(bytes))
    const version = typeof wire[0] === 'number' ? wire[0] : 0
    return { ok: true, kind: codecs.kind as CommandKind, value: codecs.answer.fromWire(wire, 1, version) as AnswerOf<CommandKind> }
  }

  numberOf(kind: CommandKind): number {
    return this.#of(kind).number
  }

  #of(kind: string): { readonly number: number; readonly codecs: Codecs } {
    const number = this.#numbers.get(kind)
    const codecs = number === undefined ? undefined : this.#byNumber.get(number)
    if (number === undefined || codecs === undefined) throw new RangeError(`no command ${kind}`)
    return { number, codecs }
  }
}
