import { encryptedFormats, type EncryptedFormat } from '../../../src/keys/key-rules.ts';
import { unsafeSettings } from '../../../src/keys/key-rules.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import type { ReasonCode } from '../../../src/errors.ts';
import { asVector, changed, payload, utf8 } from '../make/bytes.ts';
import { compressedByProxy, inLayer, type Layered } from '../make/layers.ts';
import { key } from '../make/message.ts';
import { staticRule, STATIC_ID } from '../make/older.ts';
import { KEY, NAMESPACE, secret } from '../make/v2.ts';
import type { Vector, VectorFile, VectorRule } from '../make/vector.ts';

const rule: VectorRule = {
  encrypt: KEY,
  reads: [...encryptedFormats],
  unsafe: [...unsafeSettings],
  ...staticRule,
};

interface Case {
  readonly name: string;
  readonly why: string;
  readonly format: Vector['format'];
  readonly stored: Layered;
  readonly rule?: VectorRule;
  readonly workflowId?: string;
  /** Default: the secret comes out. */
  readonly expect?: Payload | ReasonCode;
  readonly asked?: readonly string[];
}

function layered(given: Case): Vector {
  const { expect = secret } = given;
  return {
    name: given.name,
    why: given.why,
    format: given.format,
    keys: { namespaces: { [NAMESPACE]: { ...rule, ...given.rule } } },
    context: {
      namespace: NAMESPACE,
      ...(given.workflowId === undefined ? {} : { workflowId: given.workflowId }),
    },
    kms: [...given.stored.kms],
    stored: asVector(given.stored.payload),
    expect: typeof expect === 'string' ? { code: expect } : { payload: asVector(expect) },
    asked: [...(given.asked ?? [KEY])],
  };
}

const plain = (inner: Payload): Layered => ({ payload: inner, kms: [] });

function nested(count: number, format: EncryptedFormat): Layered {
  let stored = plain(secret);
  for (let n = 0; n < count; n += 1) stored = inLayer(format, stored, `${format} ${n} of ${count}`);
  return stored;
}

const pairs = encryptedFormats.flatMap((outer) =>
  encryptedFormats.map((inner) =>
    layered({
      name: `decrypts ${inner} inside ${outer}`,
      why: 'A codec in the worker and an encrypting proxy, or two codecs before and after a migration.',
      format: outer,
      stored: inLayer(outer, inLayer(inner, plain(secret), `${inner} in ${outer}`), `${outer} of ${inner}`),
      asked: outer === 'static' && inner === 'static' ? [] : [KEY],
    }),
  ),
);

const outerOf = (inner: EncryptedFormat): EncryptedFormat =>
  inner === 'envelope-v2' ? 'proxy' : 'envelope-v2';

const unread = encryptedFormats.map((inner) =>
  layered({
    name: `refuses ${inner} inside a layer if the namespace does not read it`,
    why: 'A reader must not return ciphertext as data, and a rule permits no more inside a layer than outside.',
    format: outerOf(inner),
    stored: inLayer(
      outerOf(inner),
      inLayer(inner, plain(secret), `unread ${inner}`),
      `outside unread ${inner}`,
    ),
    rule: { reads: encryptedFormats.filter((format) => format !== inner) },
    expect: 'layer_unreadable',
  }),
);

const depths = encryptedFormats.flatMap((format) => [
  layered({
    name: `decrypts four layers of ${format}`,
    why: 'A reader decrypts at most four layers.',
    format,
    stored: nested(4, format),
    asked: format === 'static' ? [] : [KEY],
  }),
  layered({
    name: `refuses five layers of ${format}`,
    why: 'Each layer may cost a call to Cloud KMS, and no deployment needs so many.',
    format,
    stored: nested(5, format),
    expect: 'layer_unreadable',
    asked: format === 'static' ? [] : [KEY],
  }),
]);

const encrypted = (metadata: Record<string, string>): Payload =>
  payload({ encoding: 'binary/encrypted', ...metadata }, 'ciphertext of another codec');

const foreignKeys: readonly (readonly [string, Record<string, string>])[] = [
  [
    'a Google key that is not listed',
    { 'encryption-key-id': `gcpkms://${key('attacker')}`, 'encryption-dek': 'AAAA' },
  ],
  ['another cloud’s key', { 'encryption-key-id': 'awskms:///alias/payments', 'encryption-dek': 'AAAA' }],
  ['a static key that is not configured', { 'encryption-key-id': 'another-id' }],
  ['no key', {}],
];

const foreign = foreignKeys.map(([what, metadata]) =>
  layered({
    name: `refuses binary/encrypted under ${what} inside a layer`,
    why: 'A stored payload of this kind passes, but decrypted content must not be ciphertext.',
    format: 'envelope-v2',
    stored: inLayer('envelope-v2', plain(encrypted(metadata)), what),
    expect: 'layer_unreadable',
  }),
);

const withData = (layer: Layered, change: (data: Buffer) => Uint8Array): Layered => ({
  ...layer,
  payload: { ...layer.payload, data: change(Buffer.from(layer.payload.data ?? [])) },
});

const inProxy = (inner: Layered, label: string): Layered => inLayer('proxy', inner, label);

const reference = payload(
  { encoding: 'json/protobuf', messageType: 'temporal.api.sdk.v1.ExternalStorageReference' },
  '{"driverName":"gcs"}',
);
const ofAConverter = payload({ encoding: 'binary/of-a-converter' }, 'not for a codec');
const compressedElsewhere = payload({ encoding: 'binary/compressed' }, 'not for a codec');
const withMarker = inLayer('envelope-v2', plain(secret), 'with a marker');

export const layers: VectorFile = {
  about:
    'Payloads that contain another encrypted payload: the reader decrypts up to four layers, each under the rule of the namespace.',
  vectors: [
    ...pairs,
    ...unread,
    ...depths,
    ...foreign,
    layered({
      name: 'refuses an inner message of another namespace',
      why: 'A layer around it does not make it acceptable.',
      format: 'proxy',
      stored: inProxy(inLayer('envelope-v2', plain(secret), 'cards', { namespace: 'cards' }), 'around cards'),
      expect: 'namespace_mismatch',
    }),
    layered({
      name: 'decrypts an inner message of an accepted namespace',
      why: 'The field accepts of the rule applies inside as it does outside.',
      format: 'proxy',
      stored: inProxy(
        inLayer('envelope-v2', plain(secret), 'accepted', { namespace: 'cards' }),
        'around accepted',
      ),
      rule: { accepts: ['cards'] },
    }),
    layered({
      name: 'refuses an inner message of another workflow',
      why: 'The binding applies inside.',
      format: 'proxy',
      stored: inProxy(
        inLayer('envelope-v2', plain(secret), 'bound', { workflowId: 'order-1' }),
        'around bound',
      ),
      workflowId: 'order-2',
      expect: 'workflow_mismatch',
    }),
    layered({
      name: 'refuses an inner message under a key that is not listed',
      why: 'Cloud KMS is never called with a key that is not listed.',
      format: 'proxy',
      stored: inProxy(
        inLayer('envelope-v2', plain(secret), 'unlisted', { cryptoKey: key('attacker') }),
        'around unlisted',
      ),
      expect: 'key_not_allowed',
    }),
    layered({
      name: 'refuses a modified inner message',
      why: 'The writer of the outer layer can put any bytes into it.',
      format: 'proxy',
      stored: inProxy(
        withData(inLayer('envelope-v2', plain(secret), 'changed'), (data) => changed(data, data.length - 1)),
        'around changed',
      ),
      expect: 'integrity_failed',
    }),
    layered({
      name: 'refuses a truncated inner message',
      why: 'Its code is the same as outside.',
      format: 'envelope-v2',
      stored: inLayer(
        'envelope-v2',
        withData(inLayer('proxy', plain(secret), 'cut'), (data) => data.subarray(0, 27)),
        'around cut',
      ),
      expect: 'malformed',
    }),
    layered({
      name: 'decrypts plaintext inside a layer if the namespace refuses plaintext',
      why: 'The rule applies to the stored payload, not to its content.',
      format: 'envelope',
      stored: inLayer('envelope', inLayer('static', plain(secret), 'inside'), 'outside'),
      rule: { plaintext: 'refuse' },
    }),
    layered({
      name: 'passes a reference to external storage inside a layer',
      why: 'The SDK resolves it after the codecs.',
      format: 'envelope-v2',
      stored: inLayer('envelope-v2', plain(reference), 'reference'),
      expect: reference,
    }),
    layered({
      name: 'passes an encoding that no codec writes',
      why: 'Converters may have other encodings.',
      format: 'envelope-v2',
      stored: inLayer('envelope-v2', plain(ofAConverter), 'converter'),
      expect: ofAConverter,
    }),
    ...compressedByProxy.map(([what, compressed]) =>
      layered({
        name: `refuses ${what} inside a layer`,
        why: 'temporal-proxy compresses before it encrypts, and a converter would read compressed bytes as data.',
        format: 'proxy',
        stored: inProxy(plain(compressed), what),
        expect: 'layer_unreadable',
      }),
    ),
    layered({
      name: 'passes binary/compressed without an algorithm inside a layer',
      why: 'Without the entry, it is the encoding of another converter.',
      format: 'envelope-v2',
      stored: inLayer('envelope-v2', plain(compressedElsewhere), 'compressed elsewhere'),
      expect: compressedElsewhere,
    }),
    layered({
      name: 'ignores a compression marker on a message',
      why: 'The message is authenticated and the marker is not.',
      format: 'envelope-v2',
      stored: {
        ...withMarker,
        payload: {
          ...withMarker.payload,
          metadata: { ...withMarker.payload.metadata, 'compression/algorithm': utf8('zstd') },
        },
      },
    }),
    layered({
      name: 'applies the id of a static key inside as it does outside',
      why: 'The codec of the samples behind a proxy.',
      format: 'proxy',
      stored: inProxy(inLayer('static', plain(secret), 'by id'), 'around by id'),
      rule: { static: { [STATIC_ID]: 'ab'.repeat(32) } },
      expect: 'integrity_failed',
    }),
  ],
};
