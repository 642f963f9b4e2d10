import { changed, fixed } from '../make/bytes.ts';
import { key } from '../make/message.ts';
import {
  caseProxy,
  caseStatic,
  directAsKey,
  STATIC_ID,
  staticRule,
  staticSecret,
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
      name: 'decrypts the proxy’s layout',
      why: 'The metadata contains the data key as base64 and its key as a Go CDK address; there is no AAD.',
    }),
    caseProxy({
      name: 'passes a payload under a key of another cloud',
      why: 'Cloud KMS cannot use the key of another cloud, and another codec may decode after this codec.',
      stored: withMetadata({ 'encryption-key-id': 'awskms:///alias/payments?region=us-east-1' }),
      expect: 'unchanged',
    }),
    caseProxy({
      name: 'passes a payload under a Google key that is not listed, without a call to Cloud KMS',
      why: 'Many codecs write binary/encrypted; a payload under a key that is not configured belongs to another codec.',
      stored: withMetadata({ 'encryption-key-id': `gcpkms://${key('attacker')}` }),
      kms: [unwrapsUnder('attacker')],
      expect: 'unchanged',
    }),
    caseProxy({
      name: 'refuses a data key that is not base64',
      why: 'Lenient decoders would skip the other characters and send other bytes to Cloud KMS.',
      stored: withMetadata({ 'encryption-dek': 'not base64!' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses a data key in URL-safe base64',
      why: 'The proxy uses Go’s standard encoding.',
      stored: withMetadata({ 'encryption-dek': '_-_-' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses base64 without its padding',
      why: 'It was truncated; Cloud KMS would receive the rest.',
      stored: withMetadata({ 'encryption-dek': 'AAAAAAA' }),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses base64 with more padding than it needs',
      why: 'Some decoders accept it.',
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
      why: 'encryption-dek exists and is empty.',
      stored: withMetadata({ 'encryption-dek': '' }),
      expect: 'malformed',
    }),
    ...[1_025, 1_026].map((bytes) =>
      caseProxy({
        name: `refuses a wrapped data key of ${bytes} bytes`,
        why: 'The limit is 1,024 bytes. In base64, it has as many characters as 1,025 and 1,026 bytes.',
        stored: withMetadata({ 'encryption-dek': fixed('long', bytes).toString('base64') }),
        expect: 'malformed',
      }),
    ),
    caseProxy({
      name: 'refuses a data key that Cloud KMS does not unwrap',
      why: 'It is not the data key that was wrapped.',
      stored: withMetadata({ 'encryption-dek': fixed('another', 113).toString('base64') }),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses a direct message’s payload as a data key',
      why: 'An attacker who had a value of 32 bytes encrypted knows this data key, and could forge any message.',
      ...directAsKey(),
      rule: { reads: ['proxy', 'direct'], unsafe: ['direct-with-envelope'] },
      expect: 'malformed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses a data key that contains the word encoding',
      why: 'Parsers differ in what they accept as a payload. Random bytes contain this word with a probability of 2^-59.',
      ...directAsKey(Buffer.from(`1234567encoding${'x'.repeat(17)}`)),
      expect: 'malformed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses a data key that is longer than 32 bytes',
      why: 'It may be a direct message of another length.',
      ...directAsKey(fixed('33', 33).subarray(0, 32)),
      kms: directAsKey(fixed('33', 33)).kms,
      expect: 'malformed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses 27 bytes, one byte less than nonce and tag',
      why: 'No message is so short.',
      stored: withData((data) => data.subarray(0, 27)),
      expect: 'malformed',
    }),
    caseProxy({
      name: 'refuses a modified tag',
      why: 'AES-256-GCM.',
      stored: withData((data) => changed(data, data.length - 1)),
      expect: 'integrity_failed',
      asked: [KEY],
    }),
    caseProxy({
      name: 'refuses the format if the namespace does not read it',
      why: 'Its key is listed, so the message is for this codec, but it is not bound to a namespace.',
      rule: { reads: ['envelope-v2', 'static'] },
      expect: 'format_not_allowed',
    }),
  ],
};

export const fixedKeys: VectorFile = {
  about:
    'binary/encrypted with only encryption-key-id: the encryption samples of Temporal’s SDKs, with static keys.',
  vectors: [
    caseStatic({
      name: 'decrypts the samples’ layout under a configured static key',
      why: 'The samples of Go, Java, Python, TypeScript and .NET share it. It needs no call to Cloud KMS.',
      rule: staticRule,
    }),
    caseStatic({
      name: 'passes a payload with a key id that is not configured',
      why: 'Many codecs write binary/encrypted; a payload under a key that is not configured belongs to another codec.',
      rule: staticRule,
      stored: withMetadata({ 'encryption-key-id': 'another-id' }),
      expect: 'unchanged',
    }),
    caseStatic({
      name: 'passes a payload with a key id that is not UTF-8',
      why: 'Decoders replace the bytes with U+FFFD, which may be a configured id.',
      rule: { static: { '\ufffd': staticSecret.toString('hex') } },
      stored: withMetadata({ 'encryption-key-id': Buffer.of(0xff) }),
      expect: 'unchanged',
    }),
    caseStatic({
      name: 'refuses a message under another key with the same id',
      why: 'A wrong static key has the same code as a modified message.',
      rule: { static: { [STATIC_ID]: fixed('another static key', 32).toString('hex') } },
      expect: 'integrity_failed',
    }),
    caseStatic({
      name: 'refuses 27 bytes, one byte less than nonce and tag',
      why: 'No message is so short.',
      rule: staticRule,
      stored: withData((data) => data.subarray(0, 27)),
      expect: 'malformed',
    }),
    caseStatic({
      name: 'refuses a modified ciphertext',
      why: 'AES-256-GCM.',
      rule: staticRule,
      stored: withData((data) => changed(data, 20)),
      expect: 'integrity_failed',
    }),
    caseStatic({
      name: 'refuses the format if the namespace does not read it',
      why: 'An attacker with a leaked static key must not be able to replace bound messages.',
      rule: { ...staticRule, reads: ['envelope-v2'] },
      expect: 'format_not_allowed',
    }),
  ],
};
