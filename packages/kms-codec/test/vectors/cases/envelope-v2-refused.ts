import { changed, fixed, json, serialized, utf8 } from '../make/bytes.ts';
import {
  box,
  branchKey,
  branchKeyAad,
  derived,
  headerV2,
  key,
  namespaceTag,
  unwraps,
} from '../make/message.ts';
import { caseV2, KEY, NAMESPACE, secret } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';

/* The reader's checks of docs/wire-formats.md, in their order, and which of two mistakes is reported first. */

const OTHER = 'shipping';
const inWorkflow = (workflowId: string) => ({ namespace: NAMESPACE, workflowId });
const cut = (bytes: number) => (data: Buffer) => data.subarray(0, bytes);
/** The offsets of the fields in a header without a workflow tag. */
const at = { flags: 1, keyId: 2, keyVersion: 10, namespaceTag: 14, salt: 30, n: 46, wrapped: 48 } as const;

const length = [
  ...[
    { bytes: 0, what: 'nothing at all' },
    { bytes: 1, what: 'a version alone' },
    { bytes: 2, what: 'version and flags alone' },
    { bytes: at.namespaceTag + 8, what: 'half a namespace tag' },
    { bytes: at.salt + 8, what: 'half a salt' },
    { bytes: at.n + 1, what: 'half of n' },
    { bytes: at.wrapped + 112, what: 'a wrapped branch key that lacks its last byte' },
    { bytes: at.wrapped + 113, what: 'a header and no box' },
    { bytes: at.wrapped + 113 + 27, what: 'a nonce and 15 bytes, one less than a tag' },
  ].map(({ bytes, what }) =>
    caseV2({
      name: `refuses ${what} (${bytes} bytes)`,
      why: 'A message that is cut off is malformed before anything in it is believed; Cloud KMS isn’t asked.',
      tamper: cut(bytes),
      code: 'malformed',
      asked: [],
    }),
  ),
  caseV2({
    name: 'refuses half a workflow tag',
    why: 'With bit 0 set the header is 16 bytes longer.',
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
    why: 'n is 1 to 1,024; a longer one is nothing that Cloud KMS made of 32 bytes.',
    branchKey: branchKey('too long', 1025),
    code: 'malformed',
    asked: [],
  }),
  caseV2({
    name: 'refuses an n that reaches behind the end',
    why: 'A length is believed only as far as there are bytes.',
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

const version = [
  ...[0, 1, 3, 255].map((number) =>
    caseV2({
      name: `refuses version ${number}`,
      why: 'What another version means is unknown to this reader.',
      header: { version: number },
      code: 'unsupported_version',
    }),
  ),
  caseV2({
    name: 'another version is told before any cut: the length of its header is unknown',
    why: 'Two bytes are enough to say that a newer reader is wanted.',
    header: { version: 3 },
    tamper: cut(2),
    code: 'unsupported_version',
  }),
  ...[2, 3, 4, 5, 6, 7].map((bit) =>
    caseV2({
      name: `refuses flag bit ${bit}`,
      why: 'An unknown flag may change what follows or what the plaintext is.',
      header: { flags: 1 << bit },
      code: 'unsupported_version',
    }),
  ),
  caseV2({
    name: 'an unknown flag is told before a foreign namespace',
    why: 'Flags come before the namespace tag.',
    header: { flags: 0x80, namespace: OTHER },
    code: 'unsupported_version',
  }),
];

const bound = [
  caseV2({
    name: 'refuses a message of another namespace, even under the same crypto key',
    why: 'Whoever can write to Temporal’s store can move a message; its namespace tag doesn’t fit.',
    header: { namespace: OTHER },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'a cut is told before a foreign namespace',
    why: 'Length comes first, the box’s as well.',
    header: { namespace: OTHER },
    tamper: cut(at.wrapped + 113 + 20),
    code: 'malformed',
    asked: [],
  }),
  caseV2({
    name: 'acceptance goes one way',
    why: 'shipping accepts payments; payments doesn’t therefore accept shipping.',
    header: { namespace: OTHER },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY }, [OTHER]: { encrypt: KEY, accepts: [NAMESPACE] } } },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'a default rule makes no namespace acceptable but the one that reads',
    why: 'The default gives keys, not trust.',
    header: { namespace: OTHER },
    keys: { default: { encrypt: KEY } },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'refuses a message of another workflow',
    why: 'Bound to order-1, read in order-2.',
    header: { workflowId: 'order-1' },
    context: inWorkflow('order-2'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses another schedule’s message in a scheduled run',
    why: 'The suffix is dropped from the context’s id, not from the comparison.',
    header: { workflowId: 'weekly' },
    context: inWorkflow('nightly-2026-11-24T02:00:00Z'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'a foreign namespace is told before a foreign workflow',
    why: 'The namespace tag comes first.',
    header: { namespace: OTHER, workflowId: 'order-1' },
    context: inWorkflow('order-2'),
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'a foreign workflow is told before an unlisted key',
    why: 'The workflow tag comes before the key id.',
    header: { workflowId: 'order-1', cryptoKey: key('attacker') },
    context: inWorkflow('order-2'),
    code: 'workflow_mismatch',
  }),
];

const allowed = [
  caseV2({
    name: 'refuses a key that isn’t listed, and doesn’t ask Cloud KMS',
    why: 'Else whoever writes to the store chooses the key, and the caller’s identity is asked about it.',
    header: { cryptoKey: key('attacker') },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses a key that is listed for another namespace only',
    why: 'Keys are listed per namespace.',
    header: { cryptoKey: key('shipping') },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY }, [OTHER]: { encrypt: key('shipping') } } },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses the key’s name with a version behind it',
    why: 'The key id is over the crypto key’s name, never over a version’s.',
    header: { cryptoKey: `${KEY}/cryptoKeyVersions/1` },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses a namespace for which nothing is configured',
    why: 'Without a default an unlisted namespace has no keys.',
    context: { namespace: 'billing' },
    code: 'namespace_not_configured',
  }),
  caseV2({
    name: 'refuses the format where the namespace doesn’t read it',
    why: '`reads` may leave v2 out, for a namespace that only an older codec wrote.',
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, reads: ['envelope'] } } },
    code: 'format_not_allowed',
  }),
];

const foreignHeader = headerV2({ cryptoKey: KEY, namespace: OTHER, wrapped: branchKey(OTHER).wrapped });
const unwrapped = [
  caseV2({
    name: 'a message moved here with its namespace tag rewritten: Cloud KMS doesn’t unwrap its branch key',
    why: 'The branch key was wrapped with the other namespace’s tag as additional authenticated data.',
    branchKey: branchKey(OTHER),
    tamper: (data) =>
      Buffer.concat([data.subarray(0, at.namespaceTag), namespaceTag(NAMESPACE), data.subarray(at.salt)]),
    header: { namespace: OTHER },
    code: 'integrity_failed',
    asked: [KEY],
  }),
  caseV2({
    name: 'a changed wrapped branch key isn’t unwrapped',
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
    why: 'The data keys of binary/envelope-kms and of the proxy are wrapped so.',
    kms: [unwraps(KEY, Buffer.alloc(0), branchKey(NAMESPACE))],
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a branch key that contains the word encoding',
    why: 'As for data keys: an author of a payload may know it.',
    kms: [
      unwraps(KEY, branchKeyAad(namespaceTag(NAMESPACE)), {
        ...branchKey(NAMESPACE),
        plaintext: Buffer.from(`1234567encoding${'x'.repeat(17)}`),
      }),
    ],
    code: 'malformed',
  }),
  ...[16, 31, 33].map((bytes) =>
    caseV2({
      name: `refuses a branch key of ${bytes} bytes`,
      why: 'Cloud KMS unwraps whatever was wrapped; a branch key is 32 bytes.',
      kms: [
        unwraps(KEY, branchKeyAad(namespaceTag(NAMESPACE)), {
          ...branchKey(NAMESPACE),
          plaintext: fixed('odd', bytes),
        }),
      ],
      code: 'malformed',
    }),
  ),
];

const otherSalt = fixed('another salt', 16);
const underived = [
  caseV2({
    name: 'refuses a message under the branch key itself',
    why: 'A branch key encrypts nothing.',
    dataKey: branchKey(NAMESPACE).plaintext,
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
    tamper: (data) => Buffer.concat([data.subarray(0, at.salt), otherSalt, data.subarray(at.n)]),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a changed salt in a message bound to its workflow',
    why: 'The salt follows the workflow tag.',
    header: { workflowId: 'order-1' },
    context: inWorkflow('order-1'),
    tamper: (data) => changed(data, at.salt + 16),
    code: 'integrity_failed',
  }),
];

const opened = [
  ...[
    { what: 'a changed flag: bit 1 set on what isn’t compressed', byte: at.flags, flip: 0x02 },
    { what: 'a changed key version', byte: at.keyVersion + 3, flip: 0x02 },
    { what: 'a changed salt', byte: at.salt },
    { what: 'the last byte of the salt changed', byte: at.n - 1 },
    { what: 'a changed nonce', byte: at.wrapped + 113 },
    { what: 'a changed ciphertext', byte: at.wrapped + 113 + 12 },
  ].map(({ what, byte, flip }) =>
    caseV2({
      name: `refuses ${what}`,
      why: 'Header, nonce, ciphertext and tag are authenticated: one code for all, so that nobody learns which.',
      tamper: (data) => changed(data, byte, flip),
      code: 'integrity_failed',
    }),
  ),
  caseV2({
    name: 'refuses a changed tag',
    why: 'The last byte of the message.',
    tamper: (data) => changed(data, data.length - 1),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a ciphertext cut by one byte',
    why: 'What is taken for the tag isn’t one.',
    tamper: (data) => data.subarray(0, -1),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a byte behind the tag',
    why: 'The tag is the last 16 bytes, whatever they are.',
    tamper: (data) => Buffer.concat([data, Buffer.of(0)]),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses the box of another message under the same data key and another header',
    why: 'A workflow-bound header in front of an unbound message’s box: the header is authenticated with its own box.',
    header: { workflowId: 'order-1' },
    tamper: (data, headerLength) => {
      const branch = branchKey(NAMESPACE);
      const unbound = headerV2({ cryptoKey: KEY, namespace: NAMESPACE, wrapped: branch.wrapped });
      return Buffer.concat([
        data.subarray(0, headerLength),
        box(derived(branch, namespaceTag(NAMESPACE)), unbound, serialized(secret), 'spliced'),
      ]);
    },
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses the box of another namespace behind a header of this one',
    why: 'Another data key sealed it.',
    tamper: (data, headerLength) => {
      const secretKey = derived(branchKey(OTHER), namespaceTag(OTHER));
      const foreign = box(secretKey, foreignHeader, serialized(json('foreign')), 'foreign');
      return Buffer.concat([data.subarray(0, headerLength), foreign]);
    },
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses what opens and isn’t a payload',
    why: 'Field 1 as a length-delimited value that is longer than the message.',
    plaintext: Buffer.from('0aff01', 'hex'),
    code: 'malformed',
  }),
];

export const envelopeV2Refused: VectorFile = {
  about: 'binary/envelope-kms-v2: what is refused, in the order of the reader’s list, each with its code.',
  vectors: [...length, ...version, ...bound, ...allowed, ...unwrapped, ...underived, ...opened],
};
