import type { ReasonCode } from '../../../src/errors.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { asVector, json, payload } from '../make/bytes.ts';
import { KEY, NAMESPACE } from '../make/v2.ts';
import type { Vector, VectorFile, VectorRule } from '../make/vector.ts';

const strict: VectorRule = { encrypt: KEY, plaintext: 'refuse' };

function passes(
  name: string,
  why: string,
  stored: Payload,
  more: Partial<Vector> & { rule?: VectorRule; code?: ReasonCode } = {},
): Vector {
  const { rule = strict, code, ...rest } = more;
  return {
    name,
    why,
    format: 'plain',
    keys: { namespaces: { [NAMESPACE]: rule } },
    context: { namespace: NAMESPACE },
    kms: [],
    stored: asVector(stored),
    expect: code ? { code } : { payload: asVector(stored) },
    asked: [],
    ...rest,
  };
}

const reference = payload(
  { encoding: 'json/protobuf', messageType: 'temporal.api.sdk.v1.ExternalStorageReference' },
  '{"driverName":"gcs"}',
);

export const acceptance: VectorFile = {
  about: 'What no format of ours wrote: passed through, or refused where the namespace’s rule says so.',
  vectors: [
    passes('plaintext passes', 'The default rule reports it and passes it on.', json('in clear'), {
      rule: { encrypt: KEY },
    }),
    passes('plaintext passes in silence', 'The rule says so.', json('in clear'), {
      rule: { encrypt: KEY, plaintext: 'pass' },
    }),
    passes(
      'refuses plaintext',
      'Whoever writes to the store may replace a message by plaintext.',
      json('forged'),
      {
        code: 'format_not_allowed',
      },
    ),
    passes(
      'refuses an encoding that it doesn’t know',
      'A newer format of ours and somebody else’s codec look alike.',
      payload({ encoding: 'binary/envelope-kms-v3' }, 'x'),
      { code: 'format_not_allowed' },
    ),
    passes(
      'an encoding that it doesn’t know passes',
      'Another codec may come after.',
      payload({ encoding: 'binary/snappy' }, 'x'),
      {
        rule: { encrypt: KEY },
      },
    ),
    passes(
      'an encoding is compared byte by byte',
      'Neither case nor blanks are forgiven: this is plaintext with an odd name.',
      payload({ encoding: 'Binary/Envelope-KMS-v2 ' }, 'x'),
      { rule: { encrypt: KEY } },
    ),
    passes(
      'data without any metadata is plaintext',
      'Without an encoding nothing says what it is.',
      payload({}, 'x'),
      {
        code: 'format_not_allowed',
      },
    ),
    passes('an empty payload passes', 'There is nothing in it to protect or to forge.', payload({}, '')),
    passes(
      'binary/null passes',
      'What Temporal writes for no value.',
      payload({ encoding: 'binary/null' }, ''),
    ),
    passes(
      'refuses json/plain without data',
      'An encoding that promises data is not the one for nothing.',
      payload({ encoding: 'json/plain' }, ''),
      {
        code: 'format_not_allowed',
      },
    ),
    passes(
      'an external-storage reference passes',
      'It is opened after its content was fetched, and names no secret.',
      reference,
      {
        format: 'external',
      },
    ),
    passes(
      'an external-storage reference of the older spelling passes',
      'Go’s first releases wrote this encoding.',
      payload({ encoding: 'json/external-storage-reference' }, '{}'),
      { format: 'external' },
    ),
    passes(
      'refuses another protobuf message where plaintext is refused',
      'json/protobuf alone makes no reference.',
      payload({ encoding: 'json/protobuf', messageType: 'acme.Order' }, '{}'),
      { code: 'format_not_allowed' },
    ),
    passes('refuses anything for a namespace that isn’t configured', 'Its rule can’t be known.', json('x'), {
      context: { namespace: 'billing' },
      code: 'namespace_not_configured',
    }),
  ],
};
