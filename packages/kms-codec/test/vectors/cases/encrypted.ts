import { changed, fixed } from '../make/bytes.ts';
import { key } from '../make/message.ts';
import {
  caseProxy,
  caseStatic,
  directAsKey,
  STATIC_ID,
  staticRule,
  unwrapsUnder,
  withData,
  withMetadata,
} from '../make/older.ts';
import { KEY } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';

export const proxy: VectorFile = {
  about: 'binary/encrypted with encryption-dek: the layout of temporalio/temporal-proxy with Google keys.',
  vectors: [
    caseProxy({
      name: 'opens the proxy’s layout',
      why: 'The data key is base64 in the metadata, its key a Go CDK address; no additional authenticated data.',
    }),
    caseProxy({
      name: 'an address that isn’t Google’s passes through',
      why: 'Another cloud’s key can’t be asked; somebody else’s codec may come after this one.',
      stored: withMetadata({ 'encryption-key-id': 'awskms:///alias/payments?region=us-east-1' }),
      expect: 'unchanged',
    }),
    caseProxy({
      name: 'a Google key that isn’t listed passes through, and Cloud KMS isn’t asked',
      why: 'binary/encrypted is shared by many codecs: what isn’t configured here isn’t ours.',
      stored: withMetadata({ 'encryption-key-id': `gcpkms://${key('attacker')}` }),
      kms: [unwrapsUnder('attacker')],
      expect: 'unchanged',
    }),
    caseProxy({
      name: 'refuses a data key that isn’t base64',
      why: 'Lenient decoders would skip the foreign characters and ask Cloud KMS for something else.',
      stored: withMetadata({ 'encryption-dek': 'not base64!' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses a data key in URL-safe base64',
      why: 'Go’s standard encoding is meant.',
      stored: withMetadata({ 'encryption-dek': '_-_-' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses base64 that lacks its padding',
      why: 'It was cut: what is left of it would be asked about.',
      stored: withMetadata({ 'encryption-dek': 'AAAAAAA' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses base64 with more padding than it needs',
      why: 'Some decoders forgive it.',
      stored: withMetadata({ 'encryption-dek': 'AAA==' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses base64 with padding inside',
      why: 'Some decoders stop there.',
      stored: withMetadata({ 'encryption-dek': 'AA==AAAA' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses an empty data key',
      why: 'encryption-dek is there and empty.',
      stored: withMetadata({ 'encryption-dek': '' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses a data key that Cloud KMS doesn’t unwrap',
      why: 'Another one than was wrapped.',
      stored: withMetadata({ 'encryption-dek': fixed('another', 113).toString('base64') }),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses a direct message’s payload as a data key',
      why: 'Whoever had a value of 32 bytes encrypted knows this data key, and could forge any message.',
      ...directAsKey(),
      rule: { reads: ['proxy', 'direct'], unsafe: ['direct-with-envelope'] },
      expect: 'malformed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses a data key that contains the word encoding anywhere',
      why: 'Parsers differ in what they take for a payload; random bytes contain this word with a probability of 2^-59.',
      ...directAsKey(Buffer.from(`1234567encoding${'x'.repeat(17)}`)),
      expect: 'malformed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses a data key that is longer than 32 bytes',
      why: 'A direct message of another length in its place.',
      ...directAsKey(fixed('33', 33).subarray(0, 32)),
      kms: directAsKey(fixed('33', 33)).kms,
      expect: 'malformed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses 27 bytes, one less than nonce and tag',
      why: 'Too short for any message.',
      stored: withData((data) => data.subarray(0, 27)),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses a changed tag',
      why: 'AES-256-GCM.',
      stored: withData((data) => changed(data, data.length - 1)),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses the format where the namespace doesn’t read it',
      why: 'Its key is listed, so it is meant for this codec, but it is unbound.',
      rule: { reads: ['envelope-v2', 'static'] },
      expect: 'format_not_allowed',
    }),
  ],
};

export const fixedKeys: VectorFile = {
  about:
    'binary/encrypted with encryption-key-id alone: the encryption samples of Temporal’s SDKs, static keys.',
  vectors: [
    caseStatic({
      name: 'opens the samples’ layout under a configured static key',
      why: 'The samples of Go, Java, Python, TypeScript and .NET share it; no Cloud KMS is asked.',
      rule: staticRule,
    }),
    caseStatic({
      name: 'a key id that isn’t configured passes through',
      why: 'binary/encrypted is shared by many codecs: what isn’t configured here isn’t ours.',
      rule: staticRule,
      stored: withMetadata({ 'encryption-key-id': 'another-id' }),
      expect: 'unchanged',
    }),
    caseStatic({
      name: 'refuses a message under another key of that id',
      why: 'A wrong static key is told like a changed message.',
      rule: { static: { [STATIC_ID]: fixed('another static key', 32).toString('hex') } },
      expect: 'integrity_failed',
    }),
    caseStatic({
      name: 'refuses 27 bytes, one less than nonce and tag',
      why: 'Too short for any message.',
      rule: staticRule,
      stored: withData((data) => data.subarray(0, 27)),
      expect: 'malformed',
    }),
    caseStatic({
      name: 'refuses a changed ciphertext',
      why: 'AES-256-GCM.',
      rule: staticRule,
      stored: withData((data) => changed(data, 20)),
      expect: 'integrity_failed',
    }),
    caseStatic({
      name: 'refuses the format where the namespace doesn’t read it',
      why: 'A static key that leaked must not let anybody replace bound messages.',
      rule: { ...staticRule, reads: ['envelope-v2'] },
      expect: 'format_not_allowed',
    }),
  ],
};
