import type { ReasonCode } from '../../../src/errors.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { asVector, json, payload } from '../make/bytes.ts';
import { compressedByProxy } from '../make/layers.ts';
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

const references = {
  'json/protobuf': payload(
    { encoding: 'json/protobuf', messageType: 'temporal.api.sdk.v1.ExternalStorageReference' },
    '{"driverName":"gcs"}',
  ),
  // Go’s first releases wrote this encoding.
  'json/external-storage-reference': payload({ encoding: 'json/external-storage-reference' }, '{}'),
};

export const acceptance: VectorFile = {
  about: 'Payloads in none of the formats: they pass unless the rule of the namespace refuses them.',
  vectors: [
    passes(
      'passes plaintext by default',
      'The default rule reports plaintext and lets it pass.',
      json('in plaintext'),
      { rule: { encrypt: KEY } },
    ),
    passes(
      'passes plaintext if the rule lets it pass without a report',
      'The rule has plaintext: pass.',
      json('in plaintext'),
      { rule: { encrypt: KEY, plaintext: 'pass' } },
    ),
    passes(
      'refuses plaintext',
      'An attacker who can write to the store may replace a message with plaintext.',
      json('forged'),
      { code: 'format_not_allowed' },
    ),
    passes(
      'refuses an unknown encoding',
      'A newer format of this library and a format of another codec are indistinguishable.',
      payload({ encoding: 'binary/envelope-kms-v3' }, 'x'),
      { code: 'format_not_allowed' },
    ),
    passes(
      'passes an unknown encoding',
      'Another codec may decode afterwards.',
      payload({ encoding: 'binary/snappy' }, 'x'),
      { rule: { encrypt: KEY } },
    ),
    passes(
      'compares encodings byte by byte',
      'Case and spaces matter: this is plaintext with an unusual encoding.',
      payload({ encoding: 'Binary/Envelope-KMS-v2 ' }, 'x'),
      { rule: { encrypt: KEY } },
    ),
    passes(
      'refuses data without metadata as plaintext',
      'Without an encoding the format is unknown.',
      payload({}, 'x'),
      { code: 'format_not_allowed' },
    ),
    passes('passes an empty payload', 'It contains nothing to protect or to forge.', payload({}, '')),
    passes(
      'passes binary/null',
      'Temporal writes it for a missing value.',
      payload({ encoding: 'binary/null' }, ''),
    ),
    passes(
      'refuses json/plain without data',
      'Only binary/null is the encoding of a missing value.',
      payload({ encoding: 'json/plain' }, ''),
      { code: 'format_not_allowed' },
    ),
    ...Object.entries(references).flatMap(([encoding, reference]) => [
      passes(
        `passes a reference to external storage (${encoding})`,
        'The codec decrypts its content after the SDK has fetched it.',
        reference,
        { format: 'external', rule: { encrypt: KEY } },
      ),
      passes(
        `refuses a reference to external storage if plaintext is refused (${encoding})`,
        'A reference is not authenticated: an attacker who can write to the store chooses the object.',
        reference,
        { format: 'external', code: 'format_not_allowed' },
      ),
    ]),
    passes(
      'refuses another protobuf message if plaintext is refused',
      'json/protobuf alone does not make a reference.',
      payload({ encoding: 'json/protobuf', messageType: 'acme.Order' }, '{}'),
      { code: 'format_not_allowed' },
    ),
    ...compressedByProxy.flatMap(([what, compressed]) => [
      passes(`passes ${what}`, 'Another codec may decompress it afterwards.', compressed, {
        rule: { encrypt: KEY },
      }),
      passes(
        `refuses ${what} if plaintext is refused`,
        'An attacker who can write to the store may replace a message with it.',
        compressed,
        { code: 'format_not_allowed' },
      ),
    ]),
    passes('refuses every payload of a namespace that is not configured', 'Its rule is unknown.', json('x'), {
      context: { namespace: 'billing' },
      code: 'namespace_not_configured',
    }),
  ],
};
