import { changed, fixed, payload, serialized } from '../make/bytes.ts';
import { key } from '../make/message.ts';
import { caseDirect, directAnswer, payloadOf32, withData, withMetadata } from '../make/older.ts';
import { KEY } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';

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
      why: 'Writers never encrypt 32 bytes, because these could serve as a data key. In proto3 the last value of a field counts.',
      kms: [directAnswer(KEY, Buffer.concat([Buffer.of(0x12, 0), serialized(payloadOf32)]))],
      inner: payloadOf32,
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
