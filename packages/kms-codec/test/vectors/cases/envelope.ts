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
  about: 'binary/envelope-kms, the envelope of the guide: nothing is bound, the key may be named.',
  vectors: [
    caseEnvelope({
      name: 'opens the guide’s envelope, which names no key',
      why: 'The guide’s class writes encrypted-dek alone; the reader has one key.',
    }),
    caseEnvelope({
      name: 'opens an envelope that names its key',
      why: 'kms-key is our writer’s addition; the guide’s readers ignore it.',
      stored: withMetadata({ 'kms-key': KEY }),
    }),
    caseEnvelope({
      name: 'tries the listed keys in order, the encrypting one first',
      why: 'Without kms-key nobody knows which key it was: Cloud KMS says no to the first and yes to the third.',
      rule: { encrypt: key('payments-2027'), decrypt: [key('payments-2026'), KEY] },
      asked: [key('payments-2027'), key('payments-2026'), KEY],
    }),
    caseEnvelope({
      name: 'asks for the named key alone',
      why: 'A name spares the others a call.',
      rule: { encrypt: key('payments-2027'), decrypt: [KEY] },
      stored: withMetadata({ 'kms-key': KEY }),
    }),
    caseEnvelope({
      name: 'refuses a named key that isn’t listed, and doesn’t ask Cloud KMS',
      why: 'Whoever writes to the store must not choose the key.',
      stored: withMetadata({ 'kms-key': key('attacker') }),
      kms: [unwrapsUnder('attacker')],
      expect: 'key_not_allowed',
    }),
    caseEnvelope({
      name: 'refuses a named key version',
      why: 'kms-key is a crypto key’s name; Decrypt takes no version.',
      stored: withMetadata({ 'kms-key': `${KEY}/cryptoKeyVersions/1` }),
      expect: 'key_not_allowed',
    }),
    caseEnvelope({
      name: 'refuses it where no listed key unwraps it',
      why: 'Sealed under a key that this namespace doesn’t list.',
      kms: [unwrapsUnder('shipping')],
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'goes on behind a key that it may not use',
      why: 'Not being allowed to use the second key says nothing about the third, which opens it.',
      rule: { encrypt: key('payments-2027'), decrypt: [key('payments-2026'), KEY] },
      kms: [refusesUnder('payments-2026'), unwrapsUnder('payments')],
      asked: [key('payments-2027'), key('payments-2026'), KEY],
    }),
    caseEnvelope({
      name: 'tells of the key that it may not use where no other opens it',
      why: 'That key may be the right one: to call the message changed would be wrong.',
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
      why: 'encrypted-dek is there and empty.',
      stored: withMetadata({ 'encrypted-dek': '' }),
      expect: 'malformed',
    }),
    caseEnvelope({
      name: 'refuses 27 bytes, one less than nonce and tag',
      why: 'Too short for any message.',
      stored: withData((data) => data.subarray(0, 27)),
      expect: 'malformed',
    }),
    caseEnvelope({
      name: 'refuses a changed ciphertext',
      why: 'AES-256-GCM without additional authenticated data.',
      stored: withData((data) => changed(data, 12)),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'asks about no further key once one has unwrapped the data key of a changed message',
      why: 'Only the right key unwraps it; the message is damaged, and more calls would say the same.',
      rule: { encrypt: KEY, decrypt: [key('payments-2026'), key('payments-2025')] },
      stored: withData((data) => changed(data, 12)),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses what opens and isn’t a payload',
      why: 'Whoever has the key may seal anything.',
      plaintext: notAPayload,
      expect: 'malformed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses a direct message’s payload as a data key',
      why: 'Whoever had a value of 32 bytes encrypted knows this data key, and could forge any message.',
      ...directAsKey(),
      rule: { reads: ['envelope', 'direct'], unsafe: ['direct-with-envelope'] },
      expect: 'malformed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses a data key that contains the word encoding anywhere',
      why: 'Parsers differ in what they take for a payload; random bytes contain this word with a probability of 2^-59.',
      ...directAsKey(Buffer.from(`1234567encoding${'x'.repeat(17)}`)),
      expect: 'malformed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses a data key that is longer than 32 bytes',
      why: 'A direct message of another length in its place.',
      ...directAsKey(fixed('33', 33).subarray(0, 32)),
      kms: directAsKey(fixed('33', 33)).kms,
      expect: 'malformed',
      asked: [KEY],
    }),
    caseEnvelope({
      name: 'refuses the format where the namespace doesn’t read it',
      why: 'An unbound message in place of a bound one: the default reads v2 alone.',
      rule: { reads: ['envelope-v2'] },
      expect: 'format_not_allowed',
    }),
  ],
};
