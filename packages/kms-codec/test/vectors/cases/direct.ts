import { changed, fixed, json, payload, serialized } from '../make/bytes.ts';
import { key } from '../make/message.ts';
import { caseDirect, directAnswer, payloadOf32, withData, withMetadata } from '../make/older.ts';
import { KEY } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';

/** A serialization of 32 bytes without data. */
const withoutData = serialized(payload({ encoding: 'x'.repeat(18) }, '')).subarray(0, 32);

export const direct: VectorFile = {
  about:
    'binary/gcp-kms, the direct encryption of the guide: the data is Cloud KMS’s ciphertext of the payload.',
  vectors: [
    caseDirect({
      name: 'decrypts the guide’s direct encryption',
      why: 'One Cloud KMS call per payload, without additional authenticated data.',
    }),
    caseDirect({
      name: 'decrypts a direct message that names no key',
      why: 'The guide’s reader ignores kms-key. For a message without it, the reader tries the listed keys.',
      stored: withMetadata({ 'kms-key': undefined }),
    }),
    caseDirect({
      name: 'takes an empty kms-key for none',
      why: 'It names no key, so the reader tries the listed keys.',
      stored: withMetadata({ 'kms-key': '' }),
    }),
    caseDirect({
      name: 'reports a message without ciphertext rather than a key that is not listed',
      why: 'The reader checks the data first.',
      stored: (message) =>
        withMetadata({ 'kms-key': key('attacker') })({ ...message, data: Buffer.alloc(0) }),
      expect: 'malformed',
    }),
    caseDirect({
      name: 'reports a format that is not read rather than a message without ciphertext',
      why: 'The rule of the namespace comes first.',
      rule: { reads: ['envelope-v2'] },
      stored: withData(() => Buffer.alloc(0)),
      expect: 'format_not_allowed',
    }),
    caseDirect({
      name: 'calls Cloud KMS only with the named key if several keys are listed',
      why: 'kms-key names the key.',
      rule: { encrypt: key('payments-2027'), decrypt: [KEY] },
    }),
    caseDirect({
      name: 'refuses a named key that is not listed, without a call to Cloud KMS',
      why: 'An attacker who can write to the store must not choose the key.',
      stored: withMetadata({ 'kms-key': key('attacker') }),
      kms: [directAnswer(key('attacker'))],
      expect: 'key_not_allowed',
    }),
    caseDirect({
      name: 'refuses a modified ciphertext',
      why: 'Cloud KMS answers INVALID_ARGUMENT.',
      stored: withData((data) => changed(data, 60)),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'refuses a message without ciphertext',
      why: 'Cloud KMS has nothing to decrypt.',
      stored: withData(() => Buffer.alloc(0)),
      expect: 'malformed',
    }),
    caseDirect({
      name: 'refuses a plaintext that is not a payload',
      why: 'Another application may encrypt under the same key.',
      kms: [directAnswer(KEY, Buffer.from('0aff01', 'hex'))],
      expect: 'malformed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'refuses an envelope’s data key in place of a message',
      why: 'Under the same key and without binding, Cloud KMS unwraps it: 32 bytes that parse as a payload without encoding.',
      kms: [directAnswer(KEY, Buffer.concat([Buffer.of(0x12, 30), fixed('data key in disguise', 30)]))],
      expect: 'malformed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'decrypts a payload of 32 bytes',
      why: 'The length of a data key is no reason to refuse it; the guide’s Python code writes such messages.',
      kms: [directAnswer(KEY, serialized(payloadOf32))],
      inner: payloadOf32,
    }),
    caseDirect({
      name: 'decrypts a payload of 32 bytes after an empty data field',
      why: 'Writers never encrypt 32 bytes, because these could serve as a data key. The reader removes 12 00 from the front of 34 bytes.',
      kms: [directAnswer(KEY, Buffer.concat([Buffer.of(0x12, 0), serialized(payloadOf32)]))],
      inner: payloadOf32,
    }),
    caseDirect({
      name: 'decrypts 34 bytes whose first field is their only data field',
      why: 'An empty data field is the same as none, so the payload does not change without it.',
      kms: [directAnswer(KEY, Buffer.concat([Buffer.of(0x12, 0), withoutData]))],
      inner: payload({ encoding: 'x'.repeat(18) }, ''),
    }),
    caseDirect({
      name: 'refuses two empty data fields in front of 32 bytes',
      why: 'The reader removes one of them, from 34 bytes only.',
      kms: [directAnswer(KEY, Buffer.concat([Buffer.of(0x12, 0, 0x12, 0), serialized(payloadOf32)]))],
      expect: 'malformed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'refuses an empty data field in front of another payload',
      why: 'Only 32 bytes need it. Elsewhere, a second data field is refused.',
      kms: [directAnswer(KEY, Buffer.concat([Buffer.of(0x12, 0), serialized(json('a longer one'))]))],
      expect: 'malformed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'refuses an unknown field',
      why: 'The profile of the plaintext is that of all formats.',
      kms: [directAnswer(KEY, Buffer.concat([serialized(json(1)), Buffer.of(0x78, 0x01)]))],
      expect: 'malformed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'refuses 32 bytes that contain the word encoding, but no such metadata',
      why: 'Metadata decides, and a data key may contain any bytes.',
      kms: [directAnswer(KEY, serialized(payload({}, `encoding${'x'.repeat(22)}`)))],
      expect: 'malformed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'refuses the format if the namespace does not read it',
      why: 'An unbound message could replace a bound message, so the default is to read only v2.',
      rule: { reads: ['envelope-v2', 'envelope'] },
      expect: 'format_not_allowed',
    }),
  ],
};
