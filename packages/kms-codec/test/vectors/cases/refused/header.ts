import { branchKey } from '../../make/message.ts';
import { caseV2 } from '../../make/v2.ts';
import { at, cut, OTHER } from './setting.ts';

export const length = [
  ...[
    { bytes: 0, what: 'no bytes' },
    { bytes: 1, what: 'only a version' },
    { bytes: 2, what: 'only version and flags' },
    { bytes: at.namespaceTag + 8, what: 'half a namespace tag' },
    { bytes: at.salt + 8, what: 'half a salt' },
    { bytes: at.commitment + 8, what: 'half a commitment' },
    { bytes: at.n + 1, what: 'half of n' },
    { bytes: at.nonce - 1, what: 'a wrapped branch key without its last byte' },
    { bytes: at.nonce, what: 'only a header' },
    { bytes: at.nonce + 27, what: 'a nonce and 15 bytes, one byte less than a tag' },
  ].map(({ bytes, what }) =>
    caseV2({
      name: `refuses ${what} (${bytes} bytes)`,
      why: 'A truncated message is malformed. The reader uses nothing in it and does not call Cloud KMS.',
      tamper: cut(bytes),
      code: 'malformed',
      asked: [],
    }),
  ),
  caseV2({
    name: 'refuses half a workflow tag',
    why: 'If bit 0 is set, the header is 16 bytes longer.',
    header: { workflowId: 'order-1' },
    tamper: cut(at.salt + 8),
    code: 'malformed',
    asked: [],
  }),
  caseV2({
    name: 'refuses a wrapped branch key of no bytes',
    why: 'n is 1 to 1,024.',
    branchKey: branchKey('empty', 0),
    code: 'malformed',
    asked: [],
  }),
  caseV2({
    name: 'refuses a wrapped branch key of 1,025 bytes',
    why: 'n is 1 to 1,024. Cloud KMS never makes a longer ciphertext of 39 bytes.',
    branchKey: branchKey('too long', 1025),
    code: 'malformed',
    asked: [],
  }),
  caseV2({
    name: 'refuses an n that exceeds the message',
    why: 'The reader compares the length with the bytes that exist.',
    header: { n: 1000 },
    code: 'malformed',
    asked: [],
  }),
  caseV2({
    name: 'refuses key version 0',
    why: 'Cloud KMS counts versions from 1.',
    header: { keyVersion: 0 },
    code: 'malformed',
    asked: [],
  }),
];

export const version = [
  ...[0, 1, 3, 255].map((number) =>
    caseV2({
      name: `refuses version ${number}`,
      why: 'This reader does not know other versions.',
      header: { version: number },
      code: 'unsupported_version',
    }),
  ),
  caseV2({
    name: 'reports another version rather than a truncated message',
    why: 'The length of its header is unknown. Two bytes suffice to know that the message needs a newer reader.',
    header: { version: 3 },
    tamper: cut(2),
    code: 'unsupported_version',
  }),
  ...[2, 3, 4, 5, 6, 7].map((bit) =>
    caseV2({
      name: `refuses flag bit ${bit}`,
      why: 'An unknown flag may change the header or the meaning of the plaintext.',
      header: { flags: 1 << bit },
      code: 'unsupported_version',
    }),
  ),
  caseV2({
    name: 'reports an unknown flag rather than another namespace',
    why: 'Flags come before the namespace tag.',
    header: { flags: 0x80, namespace: OTHER },
    code: 'unsupported_version',
  }),
];
