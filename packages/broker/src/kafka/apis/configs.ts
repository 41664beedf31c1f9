// Settings of topics, brokers and groups.
import { api } from '../api.ts'
import { field, struct } from '../fields.ts'
import { array, bool, int8, int16, int32, nullable, string } from '../kinds.ts'

export const describeConfigs = api({
  key: 32,
  name: 'DescribeConfigs',
  doc: 'Every setting with its value and where that comes from.',
  versions: [1, 4],
  flexibleFrom: 4,
  request: {
    resources: field(
      array(
        struct({
          resourceType: field(int8, '2: topic; 4: broker; 8: broker’s loggers; 32: group.'),
          resourceName: field(string, 'The topic, broker or group.'),
          configurationKeys: field(nullable(array(string)), 'The settings wanted; null is all.'),
        }),
      ),
      'What to describe.',
    ),
    includeSynonyms: field(bool, 'Whether to list all places that a value may come from.', { fallback: false }),
    includeDocumentation: field(bool, 'Whether to say what a setting means.', { from: 3, fallback: false }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    results: field(
      array(
        struct({
          errorCode: field(int16, 'What is wrong, or 0.'),
          errorMessage: field(nullable(string), 'The same in words.', { fallback: null }),
          resourceType: field(int8, 'As in the request.'),
          resourceName: field(string, 'As in the request.'),
          configs: field(
            array(
              struct({
                name: field(string, 'The setting.'),
                value: field(nullable(string), 'Its value; null when it is a secret.'),
                readOnly: field(bool, 'Whether it cannot be changed.'),
                configSource: field(int8, '1: the topic; 2-4: brokers; 5: the default.', { fallback: -1 }),
                isSensitive: field(bool, 'Whether the value is a secret.'),
                synonyms: field(
                  array(
                    struct({
                      name: field(string, 'The setting there.'),
                      value: field(nullable(string), 'Its value there.'),
                      source: field(int8, 'Which place.'),
                    }),
                  ),
                  'Places that the value may come from, the one in use first.',
                  { fallback: [] },
                ),
                configType: field(int8, '1: bool; 2: text; 3: int32; 4: int16; 5: int64; 6: float64; 7: list; 8: class; 9: password.', {
                  from: 3,
                  fallback: 0,
                }),
                documentation: field(nullable(string), 'What it means.', { from: 3, fallback: null }),
              }),
            ),
            'The settings.',
          ),
        }),
      ),
      'One row for each.',
    ),
  },
})
