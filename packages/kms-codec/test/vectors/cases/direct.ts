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
      name: 'opens the guide’s direct encryption',
      why: 'One Cloud KMS call a payload, without additional authenticated data.',
    }),
    caseDirect({
      name: 'opens a direct message that names no key',
      why: 'The guide’s reader ignores kms-key; a message without it is tried under the listed keys.',
      stored: withMetadata({ 'kms-key': undefined }),
    }),
    caseDirect({
      name: 'asks for the named key alone where several are listed',
      why: 'kms-key says which.',
      rule: { encrypt: key('payments-2027'), decrypt: [KEY] },
    }),
    caseDirect({
      name: 'refuses a named key that isn’t listed, and doesn’t ask Cloud KMS',
      why: 'Whoever writes to the store must not choose the key.',
      stored: withMetadata({ 'kms-key': key('attacker') }),
      kms: [directAnswer(key('attacker'))],
      expect: 'key_not_allowed',
    }),
    caseDirect({
      name: 'refuses a changed ciphertext',
      why: 'Cloud KMS answers INVALID_ARGUMENT.',
      stored: withData((data) => changed(data, 60)),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'refuses a message without ciphertext',
      why: 'There is nothing to ask Cloud KMS about.',
      stored: withData(() => Buffer.alloc(0)),
      expect: 'malformed',
    }),
    caseDirect({
      name: 'refuses what opens and isn’t a payload',
      why: 'Another application may encrypt under the same key.',
      kms: [directAnswer(KEY, Buffer.from('0aff01', 'hex'))],
      expect: 'malformed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'refuses an envelope’s data key that stands where a message was',
      why: 'Same key, nothing bound: Cloud KMS unwraps it. 32 bytes that parse as a payload and hold no encoding.',
      kms: [directAnswer(KEY, Buffer.concat([Buffer.of(0x12, 30), fixed('data key in disguise', 30)]))],
      expect: 'malformed',
      asked: [KEY],
    }),
    caseDirect({
      name: 'opens a payload that happens to have 32 bytes',
      why: 'The length of a data key alone refuses nothing; the guide’s Python writes such messages.',
      kms: [directAnswer(KEY, serialized(payloadOf32))],
      inner: payloadOf32,
    }),
    caseDirect({
      name: 'opens a payload of 32 bytes behind an empty data field',
      why: 'Writers never encrypt 32 bytes, which could become a data key. In proto3 the last value of a field counts.',
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
      name: 'refuses the format where the namespace doesn’t read it',
      why: 'An unbound message in place of a bound one: the default reads v2 alone.',
      rule: { reads: ['envelope-v2', 'envelope'] },
      expect: 'format_not_allowed',
    }),
  ],
};
