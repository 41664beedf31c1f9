// What tools ask about groups.
import { api } from '../api.ts'
import { field, struct } from '../fields.ts'
import { array, bool, bytes, int16, int32, nullable, string } from '../kinds.ts'
import { OPERATIONS_NOT_ASKED } from './metadata.ts'

export const describeGroups = api({
  key: 15,
  name: 'DescribeGroups',
  doc: 'State and members of groups.',
  versions: [0, 6],
  flexibleFrom: 5,
  request: {
    groups: field(array(string), 'The groups.'),
    includeAuthorizedOperations: field(bool, 'Whether to say what the client may do to them.', { from: 3, fallback: false }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 1, fallback: 0 }),
    groups: field(
      array(
        struct({
          errorCode: field(int16, 'What is wrong, or 0.'),
          errorMessage: field(nullable(string), 'The same in words.', { from: 6, fallback: null }),
          groupId: field(string, 'The group.'),
          groupState: field(string, '`Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable` or `Dead`.'),
          protocolType: field(string, 'What it is for.'),
          protocolData: field(string, 'The assignor chosen.'),
          members: field(
            array(
              struct({
                memberId: field(string, 'The member.'),
                groupInstanceId: field(nullable(string), 'Its name, if it is static.', { from: 4, fallback: null }),
                clientId: field(string, 'As its client calls itself.'),
                clientHost: field(string, 'Where it connects from.'),
                memberMetadata: field(bytes, 'What it told the assignor.'),
                memberAssignment: field(bytes, 'What it got.'),
              }),
            ),
            'Its members.',
          ),
          authorizedOperations: field(int32, 'Bits of what the client may do; -2^31 when not asked.', {
            from: 3,
            fallback: OPERATIONS_NOT_ASKED,
          }),
        }),
      ),
      'One row for each.',
    ),
  },
})

export const listGroups = api({
  key: 16,
  name: 'ListGroups',
  doc: 'The groups that this broker coordinates.',
  versions: [0, 5],
  flexibleFrom: 3,
  request: {
    statesFilter: field(array(string), 'Only groups in these states; none is all.', { from: 4, fallback: [] }),
    typesFilter: field(array(string), 'Only groups of these types; none is all.', { from: 5, fallback: [] }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 1, fallback: 0 }),
    errorCode: field(int16, 'What is wrong, or 0.'),
    groups: field(
      array(
        struct({
          groupId: field(string, 'The group.'),
          protocolType: field(string, 'What it is for.'),
          groupState: field(string, 'Its state.', { from: 4, fallback: '' }),
          groupType: field(string, '`classic` or `consumer`.', { from: 5, fallback: '' }),
        }),
      ),
      'The groups.',
    ),
  },
})

export const deleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  doc: 'Forgets groups without members, and their offsets.',
  versions: [0, 2],
  flexibleFrom: 2,
  request: { groupsNames: field(array(string), 'The groups.') },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    results: field(
      array(
        struct({
          groupId: field(string, 'The group.'),
          errorCode: field(int16, 'What is wrong, or 0.'),
        }),
      ),
      'One row for each.',
    ),
  },
})
