import { encryptedFormats, type EncryptedFormat } from '../../../src/keys/key-rules.ts';
import { unsafeSettings } from '../../../src/keys/key-rules.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import type { ReasonCode } from '../../../src/errors.ts';
import { asVector, changed, json, payload } from '../make/bytes.ts';
import { inLayer, type Layered, marked } from '../make/layers.ts';
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
      name: `opens ${inner} inside ${outer}`,
      why: 'A codec in the worker and an encrypting proxy, or two codecs, before and after a migration.',
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
    name: `refuses ${inner} inside a layer where the namespace doesn’t read it`,
    why: 'Ciphertext must not pass for data, and no rule is wider inside a layer than outside.',
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
    name: `opens four layers of ${format}`,
    why: 'The most that a reader opens.',
    format,
    stored: nested(4, format),
    asked: format === 'static' ? [] : [KEY],
  }),
  layered({
    name: `refuses five layers of ${format}`,
    why: 'Each layer may cost a call to Cloud KMS; nobody needs so many.',
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
    'a Google key that isn’t listed',
    { 'encryption-key-id': `gcpkms://${key('attacker')}`, 'encryption-dek': 'AAAA' },
  ],
  ['another cloud’s key', { 'encryption-key-id': 'awskms:///alias/payments', 'encryption-dek': 'AAAA' }],
  ['a static key that isn’t configured', { 'encryption-key-id': 'another-id' }],
  ['no key', {}],
];

const foreign = foreignKeys.map(([what, metadata]) =>
  layered({
    name: `refuses binary/encrypted under ${what} inside a layer`,
    why: 'Stored as it is, it would pass; what was decrypted must not come out as ciphertext.',
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

export const layers: VectorFile = {
  about:
    'Payloads that hold another encrypted payload: each layer is read under the namespace’s own rule, up to four.',
  vectors: [
    ...pairs,
    ...unread,
    ...depths,
    ...foreign,
    layered({
      name: 'refuses an inner message of another namespace',
      why: 'A layer around it must not launder it.',
      format: 'proxy',
      stored: inProxy(inLayer('envelope-v2', plain(secret), 'cards', { namespace: 'cards' }), 'around cards'),
      expect: 'namespace_mismatch',
    }),
    layered({
      name: 'opens an inner message of a namespace that is accepted',
      why: 'The rule’s accepts counts inside as it does outside.',
      format: 'proxy',
      stored: inProxy(
        inLayer('envelope-v2', plain(secret), 'accepted', { namespace: 'cards' }),
        'around accepted',
      ),
      rule: { accepts: ['cards'] },
    }),
    layered({
      name: 'refuses an inner message of another workflow',
      why: 'Binding holds inside.',
      format: 'proxy',
      stored: inProxy(
        inLayer('envelope-v2', plain(secret), 'bound', { workflowId: 'order-1' }),
        'around bound',
      ),
      workflowId: 'order-2',
      expect: 'workflow_mismatch',
    }),
    layered({
      name: 'refuses an inner message under a key that isn’t listed',
      why: 'An unlisted key is never asked about, wherever it is named.',
      format: 'proxy',
      stored: inProxy(
        inLayer('envelope-v2', plain(secret), 'unlisted', { cryptoKey: key('attacker') }),
        'around unlisted',
      ),
      expect: 'key_not_allowed',
    }),
    layered({
      name: 'refuses an inner message that was changed',
      why: 'Whoever seals the outer layer can put anything into it.',
      format: 'proxy',
      stored: inProxy(
        withData(inLayer('envelope-v2', plain(secret), 'changed'), (data) => changed(data, data.length - 1)),
        'around changed',
      ),
      expect: 'integrity_failed',
    }),
    layered({
      name: 'refuses an inner message that is cut off',
      why: 'Its own code, as outside.',
      format: 'envelope-v2',
      stored: inLayer(
        'envelope-v2',
        withData(inLayer('proxy', plain(secret), 'cut'), (data) => data.subarray(0, 27)),
        'around cut',
      ),
      expect: 'malformed',
    }),
    layered({
      name: 'opens plaintext inside a layer where the namespace refuses plaintext',
      why: 'What is stored counts, not what was in it.',
      format: 'envelope',
      stored: inLayer('envelope', inLayer('static', plain(secret), 'inside'), 'outside'),
      rule: { plaintext: 'refuse' },
    }),
    layered({
      name: 'a reference to external storage inside a layer passes',
      why: 'The SDK resolves it after the codecs.',
      format: 'envelope-v2',
      stored: inLayer('envelope-v2', plain(reference), 'reference'),
      expect: reference,
    }),
    layered({
      name: 'an encoding that is no codec’s passes',
      why: 'Converters may have encodings of their own.',
      format: 'envelope-v2',
      stored: inLayer('envelope-v2', plain(ofAConverter), 'converter'),
      expect: ofAConverter,
    }),
    layered({
      name: 'refuses what is compressed in a way that isn’t known, inside a layer',
      why: 'Its encoding is still json/plain: a converter would take compressed bytes for data.',
      format: 'envelope-v2',
      stored: inLayer(
        'envelope-v2',
        plain(marked(json(1), 'application/x-br', Buffer.of(1, 2, 3))),
        'brotli',
      ),
      expect: 'layer_unreadable',
    }),
    layered({
      name: 'a static key’s id counts inside as it does outside',
      why: 'The samples’ codec behind a proxy.',
      format: 'proxy',
      stored: inProxy(inLayer('static', plain(secret), 'by id'), 'around by id'),
      rule: { static: { [STATIC_ID]: 'ab'.repeat(32) } },
      expect: 'integrity_failed',
    }),
  ],
};
