import { changed, fixed, utf8 } from '../../make/bytes.ts';
import {
  branchKey,
  branchKeyAad,
  branchKeyPlaintext,
  commitmentTo,
  derived,
  namespaceTag,
  unwraps,
} from '../../make/message.ts';
import { caseV2, KEY, NAMESPACE } from '../../make/v2.ts';
import { at, inWorkflow, OTHER, otherSalt } from './setting.ts';

export const unwrapped = [
  caseV2({
    name: 'refuses a message of another namespace whose namespace tag was replaced',
    why: 'Cloud KMS does not unwrap its branch key: the tag of the other namespace is additional authenticated data.',
    branchKey: branchKey(OTHER),
    tamper: (data) =>
      Buffer.concat([data.subarray(0, at.namespaceTag), namespaceTag(NAMESPACE), data.subarray(at.salt)]),
    header: { namespace: OTHER },
    code: 'integrity_failed',
    asked: [KEY],
  }),
  caseV2({
    name: 'refuses a modified wrapped branch key',
    why: 'Cloud KMS answers INVALID_ARGUMENT.',
    tamper: (data) => changed(data, at.wrapped + 50),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a key that was wrapped with the additional authenticated data of earlier commits',
    why: 'temporal-kms/v2/dek marks a data key that encrypts directly; it must not be used as a branch key.',
    kms: [
      unwraps(
        KEY,
        Buffer.concat([utf8('temporal-kms/v2/dek\0'), namespaceTag(NAMESPACE)]),
        branchKey(NAMESPACE),
      ),
    ],
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a key that was wrapped without additional authenticated data',
    why: 'The data keys of binary/envelope-kms and of the proxy are wrapped in this way.',
    kms: [unwraps(KEY, Buffer.alloc(0), branchKey(NAMESPACE))],
    code: 'integrity_failed',
  }),
  ...[
    { what: '16 bytes of key', plaintext: branchKeyPlaintext(fixed('odd', 16)) },
    { what: '31 bytes of key', plaintext: branchKeyPlaintext(fixed('odd', 31)) },
    { what: '33 bytes of key', plaintext: branchKeyPlaintext(fixed('odd', 33)) },
    { what: 'no bytes', plaintext: Buffer.alloc(0) },
    { what: '39 bytes whose first is 0', plaintext: branchKeyPlaintext(fixed('odd', 32), 0) },
    { what: '39 bytes whose first is 2', plaintext: branchKeyPlaintext(fixed('odd', 32), 2) },
    { what: '32 bytes without a date', plaintext: fixed('undated', 32) },
    { what: '32 bytes whose first is 1', plaintext: Buffer.concat([Buffer.of(1), fixed('undated', 31)]) },
  ].map(({ what, plaintext }) =>
    caseV2({
      name: `refuses a branch key of ${what}`,
      why: 'Cloud KMS unwraps any bytes that were wrapped. A branch key is 01, a date of 6 bytes and a key of 32 bytes.',
      kms: [unwraps(KEY, branchKeyAad(namespaceTag(NAMESPACE)), { ...branchKey(NAMESPACE), plaintext })],
      code: 'malformed',
    }),
  ),
];

export const underived = [
  caseV2({
    name: 'refuses a message under the branch key itself',
    why: 'A branch key encrypts nothing.',
    dataKey: branchKey(NAMESPACE).plaintext.subarray(7),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a message under a data key that was derived for another namespace',
    why: 'The namespace tag is part of the info of the derivation.',
    dataKey: derived(branchKey(NAMESPACE), namespaceTag(OTHER)),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a message under the data key of another salt of the same branch key',
    why: 'The salt in the header selects the data key.',
    dataKey: derived(branchKey(NAMESPACE), namespaceTag(NAMESPACE), otherSalt),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a message whose salt was replaced by another salt of the same branch key',
    why: 'Both salts are genuine, but the header is authenticated.',
    tamper: (data) => Buffer.concat([data.subarray(0, at.salt), otherSalt, data.subarray(at.commitment)]),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a modified salt in a message bound to its workflow',
    why: 'The salt follows the workflow tag.',
    header: { workflowId: 'order-1' },
    context: inWorkflow('order-1'),
    tamper: (data) => changed(data, at.salt + 16),
    code: 'integrity_failed',
  }),
];

export const committed = [
  caseV2({
    name: 'refuses a message that is committed to the data key of another branch key',
    why: 'It authenticates under this data key. AES-GCM alone lets one ciphertext authenticate under two keys.',
    header: { commitment: commitmentTo(branchKey('another'), namespaceTag(NAMESPACE)) },
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a message that is committed to the data key of another salt',
    why: 'Each salt has its commitment.',
    header: { commitment: commitmentTo(branchKey(NAMESPACE), namespaceTag(NAMESPACE), otherSalt) },
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a message that is committed to the data key of another namespace',
    why: 'The namespace tag is part of the info of the derivation.',
    header: { commitment: commitmentTo(branchKey(NAMESPACE), namespaceTag(OTHER)) },
    code: 'integrity_failed',
  }),
  ...[0, 15].map((byte) =>
    caseV2({
      name: `refuses a message whose commitment differs in byte ${byte}`,
      why: 'The reader compares all 16 bytes.',
      header: {
        commitment: changed(commitmentTo(branchKey(NAMESPACE), namespaceTag(NAMESPACE)), byte),
        workflowId: 'order-1',
      },
      context: inWorkflow('order-1'),
      code: 'integrity_failed',
    }),
  ),
  caseV2({
    name: 'refuses a message without a commitment',
    why: 'The layout of earlier commits: the reader finds its n inside the wrapped branch key.',
    tamper: (data) => Buffer.concat([data.subarray(0, at.commitment), data.subarray(at.n)]),
    code: 'malformed',
    asked: [],
  }),
];
