// ApiVersions: what a client asks first (KIP-35, KIP-511, KIP-584).
import { api } from '../api.ts'
import { field, struct, tagged } from '../fields.ts'
import { array, bool, int16, int32, int64, string } from '../kinds.ts'

export const apiVersions = api({
  key: 18,
  name: 'ApiVersions',
  doc: 'Which requests, in which versions, the broker serves.',
  versions: [0, 4],
  flexibleFrom: 3,
  // A client that cannot read the body yet has to be able to read the header (KIP-511).
  flexibleResponseHeader: false,
  request: {
    clientSoftwareName: field(string, 'The library that the client uses.', { from: 3, fallback: '' }),
    clientSoftwareVersion: field(string, 'Its version.', { from: 3, fallback: '' }),
  },
  response: {
    errorCode: field(int16, '35 when the version of the request is not served: then this body is of version 0.'),
    apiKeys: field(
      array(
        struct({
          apiKey: field(int16, 'The request.'),
          minVersion: field(int16, 'First version served, inclusive.'),
          maxVersion: field(int16, 'Last version served, inclusive.'),
        }),
      ),
      'One row for each request served.',
    ),
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 1, fallback: 0 }),
    supportedFeatures: tagged(
      0,
      array(
        struct({
          name: field(string, 'The feature.'),
          minVersion: field(int16, 'Lowest level supported.'),
          maxVersion: field(int16, 'Highest level supported.'),
        }),
      ),
      'Levels of features that this broker could have.',
      { from: 3 },
    ),
    finalizedFeaturesEpoch: tagged(1, int64, 'Counts changes of the finalized features; -1 is unknown.', { from: 3, fallback: -1 }),
    finalizedFeatures: tagged(
      2,
      array(
        struct({
          name: field(string, 'The feature.'),
          maxVersionLevel: field(int16, 'Highest level in use.'),
          minVersionLevel: field(int16, 'Lowest level in use.'),
        }),
      ),
      'Levels of features that the whole cluster uses.',
      { from: 3 },
    ),
    zkMigrationReady: tagged(3, bool, 'Of no meaning here.', { from: 3 }),
  },
})
