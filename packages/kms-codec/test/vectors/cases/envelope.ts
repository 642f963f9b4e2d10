import { changed, fixed } from '../make/bytes.ts';
import { key } from '../make/message.ts';
import {
  caseEnvelope,
  directAsKey,
  refusesUnder,
  unwrapsUnder,
  withData,
  withMetadata,
} from '../make/older.ts';
import { KEY } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';

const notAPayload = Buffer.from('0aff01', 'hex');

export const envelope: VectorFile = {
  about:
    'binary/envelope-kms, the envelope of the guide: messages are not bound to a namespace, and may name their key.',
  vectors: [
    caseEnvelope({
      name: 'decrypts the guide’s envelope, which names no key',
      why: 'The guide’s class writes only encrypted-dek; the reader has one key.',
    }),
    caseEnvelope({
      name: 'decrypts an envelope that names its key',
      why: 'Our writer adds kms-key; the guide’s readers ignore it.',
      stored: withMetadata({ 'kms-key': KEY }),
    }),
    caseEnvelope({
      name: 'tries the listed keys in their order, the key that encrypts first',
      why: 'Without kms-key the crypto key is unknown: Cloud KMS rejects the first keys and unwraps with the third.',
      rule: { encrypt: key('payments-2027'), decrypt: [key('payments-2026'), KEY] },
      asked: [key('payments-2027'), key('payments-2026'), KEY],
    }),
    caseEnvelope({
      name: 'calls Cloud KMS only with the named key',
      why: 'The name makes calls with the other keys unnecessary.',
      rule: { encrypt: key('payments-2027'), decrypt: [KEY] },
      stored: withMetadata({ 'kms-key': KEY }),
    }),
    caseEnvelope({
      name: 'refuses a named key that is not listed, without a call to Cloud KMS',
      why: 'An attacker who can write to the store must not choose the key.',
      stored: withMetadata({ 'kms-key': key('attacker') }),
      kms: [unwrapsUnder('attacker')],
      expect: 'key_not_allowed',
    }),
    caseEnvelope({
      name: 'takes an empty kms-key for none',
      why: 'It names no key, so the reader tries the listed keys.',
      rule: { encrypt: key('payments-2027'), decrypt: [KEY] },
      stored: withMetadata({ 'kms-key': '' }),
      asked: [key('payments-2027'), KEY],
    }),
    caseEnvelope({
      name: 'refuses a kms-key that is not UTF-8',
      why: 'It is not empty, and equals no listed key.',
      stored: withMetadata({ 'kms-key': Buffer.of(0xff) }),
      expect: 'key_not_allowed',
    }),
    caseEnvelope({
      name: 'reports a missing data key rather than a key that is not listed',
      why: 'The reader checks encrypted-dek first.',
      stored: withMetadata({ 'encrypted-dek': undefined, 'kms-key': key('attacker') }),
      expect: 'malformed',
    }),
    caseEnvelope({
      name: 'reports a truncated message rather than a key that is not listed',
      why: 'The reader checks the length of the data before kms-key.',
      stored: (message) =>
        withMetadata({ 'kms-key': key('attacker') })({ ...message, data: Buffer.alloc(27) }),
      expect: 'malformed',
    }),
    caseEnvelope({
      name: 'refuses a wrapped data key of 1,025 bytes',
      why: 'The limit is 1,024 bytes.',
      stored: withMetadata({ 'encrypted-dek': fixed('long', 1_025) }),
      expect: 'malformed',
    }),
    caseEnvelope({
      name: 'reports a format that is not read rather than a missing data key',
      why: 'The rule of the namespace comes first.',
      rule: { reads: ['envelope-v2'] },
      stored: withMetadata({ 'encrypted-dek': undefined }),
      expect: 'format_not_allowed',
    }),
    caseEnvelope({
      name: 'refuses a named key version',
      why: 'kms-key is the name of a crypto key; Decrypt takes no version.',
      stored: withMetadata({ 'kms-key': `${KEY}/cryptoKeyVersions/1` }),
      expect: 'key_not_allowed',
    }),
    caseEnvelope({
      name: 'refuses an envelope that no listed key unwraps',
      why: 'It was encrypted under a key that is not listed for this namespace.',
      kms: [unwrapsUnder('shipping')],
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'continues after a key that it may not use',
      why: 'The reader may not use the second key, but the third decrypts the message.',
      rule: { encrypt: key('payments-2027'), decrypt: [key('payments-2026'), KEY] },
      kms: [refusesUnder('payments-2026'), unwrapsUnder('payments')],
      asked: [key('payments-2027'), key('payments-2026'), KEY],
    }),
    caseEnvelope({
      name: 'reports the key that it may not use if no other key decrypts the message',
      why: 'That key may be the right key, so the message may be intact.',
      rule: { encrypt: key('payments-2027'), decrypt: [key('payments-2026'), KEY] },
      kms: [refusesUnder('payments-2026')],
      expect: 'permission_denied',
      asked: [key('payments-2027'), key('payments-2026'), KEY],
    }),
    caseEnvelope({
      name: 'refuses an envelope without a data key',
      why: 'encrypted-dek is missing.',
      stored: withMetadata({ 'encrypted-dek': undefined }),
      expect: 'malformed',
    }),
    caseEnvelope({
      name: 'refuses an envelope with an empty data key',
      why: 'encrypted-dek exists and is empty.',
      stored: withMetadata({ 'encrypted-dek': '' }),
      expect: 'malformed',
    }),
    caseEnvelope({
      name: 'refuses 27 bytes, one byte less than nonce and tag',
      why: 'No message is so short.',
      stored: withData((data) => data.subarray(0, 27)),
      expect: 'malformed',
    }),
    caseEnvelope({
      name: 'refuses a modified ciphertext',
      why: 'AES-256-GCM without additional authenticated data.',
      stored: withData((data) => changed(data, 12)),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'tries no further key once a key has unwrapped the data key of a modified message',
      why: 'Only the right key unwraps it. The message is modified, and further calls would not change the result.',
      rule: { encrypt: KEY, decrypt: [key('payments-2026'), key('payments-2025')] },
      stored: withData((data) => changed(data, 12)),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses a plaintext that is not a payload',
      why: 'The holder of the key can encrypt any bytes.',
      plaintext: notAPayload,
      expect: 'malformed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses a direct message’s payload as a data key',
      why: 'An attacker who had a value of 32 bytes encrypted knows this data key, and could forge any message.',
      ...directAsKey(),
      rule: { reads: ['envelope', 'direct'], unsafe: ['direct-with-envelope'] },
      expect: 'malformed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses a data key that contains the word encoding',
      why: 'Parsers differ in what they accept as a payload. Random bytes contain this word with a probability of 2^-59.',
      ...directAsKey(Buffer.from(`1234567encoding${'x'.repeat(17)}`)),
      expect: 'malformed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses a data key that is longer than 32 bytes',
      why: 'It may be a direct message of another length.',
      ...directAsKey(fixed('33', 33).subarray(0, 32)),
      kms: directAsKey(fixed('33', 33)).kms,
      expect: 'malformed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses the format if the namespace does not read it',
      why: 'An unbound message could replace a bound message, so the default is to read only v2.',
      rule: { reads: ['envelope-v2'] },
      expect: 'format_not_allowed',
    }),
  ],
};
