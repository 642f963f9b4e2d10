import { changed, fixed, json, serialized, utf8 } from '../make/bytes.ts';
import {
  box,
  branchKey,
  branchKeyAad,
  branchKeyPlaintext,
  commitmentTo,
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
const at = {
  flags: 1,
  keyId: 2,
  keyVersion: 10,
  namespaceTag: 14,
  salt: 30,
  commitment: 46,
  n: 62,
  wrapped: 64,
  nonce: 184,
} as const;

const length = [
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

const version = [
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

const bound = [
  caseV2({
    name: 'refuses a message of another namespace, even under the same crypto key',
    why: 'An attacker who can write to Temporal’s store can move a message, but its namespace tag differs.',
    header: { namespace: OTHER },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'reports a truncated message rather than another namespace',
    why: 'The reader checks the whole length first.',
    header: { namespace: OTHER },
    tamper: cut(at.nonce + 20),
    code: 'malformed',
    asked: [],
  }),
  caseV2({
    name: 'does not accept a namespace because that namespace accepts this one',
    why: 'shipping accepts payments, but payments does not accept shipping.',
    header: { namespace: OTHER },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY }, [OTHER]: { encrypt: KEY, accepts: [NAMESPACE] } } },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'refuses a message of another namespace under the default rule',
    why: 'The default rule provides keys, and accepts no other namespace.',
    header: { namespace: OTHER },
    keys: { default: { encrypt: KEY } },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'refuses a message of another workflow',
    why: 'It is bound to order-1, and read in order-2.',
    header: { workflowId: 'order-1' },
    context: inWorkflow('order-2'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses the message of another schedule in a scheduled run',
    why: 'The tag is neither that of the run nor that of the id without its suffix.',
    header: { workflowId: 'weekly' },
    context: inWorkflow('nightly-2026-11-24T02:00:00Z'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message of another run of the same schedule',
    why: 'Each run is a workflow. Only what the schedule names, and what a run hands to the next, is bound to the schedule.',
    header: { workflowId: 'nightly-2026-11-23T02:00:00Z' },
    context: inWorkflow('nightly-2026-11-24T02:00:00Z'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message of a run for the workflow id that its schedule names',
    why: 'The reader removes a suffix from the id of its context. It cannot remove one from a hash.',
    header: { workflowId: 'nightly-2026-11-23T02:00:00Z' },
    context: inWorkflow('nightly'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message for an empty workflow id where the id consists of a time only',
    why: 'The id is never shortened to an empty one, which every such id would share.',
    header: { workflowId: '' },
    context: inWorkflow('-2026-11-24T02:00:00Z'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message whose workflow tag was hashed with the reader’s namespace, not its own',
    why: 'Under `accepts`, the tag contains the namespace for which the message was encrypted.',
    header: { namespace: OTHER, workflowId: 'order-1', workflowNamespace: NAMESPACE },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, accepts: [OTHER] } } },
    context: inWorkflow('order-1'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'reports another namespace rather than another workflow',
    why: 'The reader checks the namespace tag first.',
    header: { namespace: OTHER, workflowId: 'order-1' },
    context: inWorkflow('order-2'),
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'reports another workflow rather than a key that is not listed',
    why: 'The reader checks the workflow tag before the key id.',
    header: { workflowId: 'order-1', cryptoKey: key('attacker') },
    context: inWorkflow('order-2'),
    code: 'workflow_mismatch',
  }),
];

const allowed = [
  caseV2({
    name: 'refuses a key that is not listed, without a call to Cloud KMS',
    why: 'Otherwise an attacker who can write to the store could choose the key of the calls to Cloud KMS.',
    header: { cryptoKey: key('attacker') },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses a key that is listed for another namespace only',
    why: 'Each namespace has its list of keys.',
    header: { cryptoKey: key('shipping') },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY }, [OTHER]: { encrypt: key('shipping') } } },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses the name of a key version',
    why: 'The key id is a hash of the name of the crypto key, never of a version.',
    header: { cryptoKey: `${KEY}/cryptoKeyVersions/1` },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses a namespace for which nothing is configured',
    why: 'Without a default rule, a namespace that is not named has no keys.',
    context: { namespace: 'billing' },
    code: 'namespace_not_configured',
  }),
  caseV2({
    name: 'refuses the format if the namespace does not read it',
    why: '`reads` may omit v2, for a namespace with messages of an older codec only.',
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, reads: ['envelope'] } } },
    code: 'format_not_allowed',
  }),
];

const foreignHeader = headerV2({ cryptoKey: KEY, namespace: OTHER, branch: branchKey(OTHER) });
const unwrapped = [
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

const otherSalt = fixed('another salt', 16);
const underived = [
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

const committed = [
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

const authenticated = [
  ...[
    {
      what: 'a modified flag: bit 1 set although the plaintext is not compressed',
      byte: at.flags,
      flip: 0x02,
    },
    { what: 'a modified key version', byte: at.keyVersion + 3, flip: 0x02 },
    { what: 'a modified salt', byte: at.salt },
    { what: 'a salt whose last byte was modified', byte: at.commitment - 1 },
    { what: 'a modified nonce', byte: at.nonce },
    { what: 'a modified ciphertext', byte: at.nonce + 12 },
  ].map(({ what, byte, flip }) =>
    caseV2({
      name: `refuses ${what}`,
      why: 'Header, nonce, ciphertext and tag are authenticated. One code for all does not show which differs.',
      tamper: (data) => changed(data, byte, flip),
      code: 'integrity_failed',
    }),
  ),
  caseV2({
    name: 'refuses a modified tag',
    why: 'The tag is at the end of the message.',
    tamper: (data) => changed(data, data.length - 1),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a message without its last byte',
    why: 'The last 16 bytes are not the tag.',
    tamper: (data) => data.subarray(0, -1),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a byte after the tag',
    why: 'The reader takes the last 16 bytes as the tag.',
    tamper: (data) => Buffer.concat([data, Buffer.of(0)]),
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses the ciphertext of another message under the same data key and another header',
    why: 'The header is that of a message bound to a workflow, and the tag authenticates another header.',
    header: { workflowId: 'order-1' },
    tamper: (data, headerLength) => {
      const branch = branchKey(NAMESPACE);
      const unbound = headerV2({ cryptoKey: KEY, namespace: NAMESPACE, branch });
      return Buffer.concat([
        data.subarray(0, headerLength),
        box(derived(branch, namespaceTag(NAMESPACE)), unbound, serialized(secret), 'spliced'),
      ]);
    },
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses the ciphertext of another namespace after a header of this namespace',
    why: 'It was encrypted under another data key.',
    tamper: (data, headerLength) => {
      const secretKey = derived(branchKey(OTHER), namespaceTag(OTHER));
      const foreign = box(secretKey, foreignHeader, serialized(json('foreign')), 'foreign');
      return Buffer.concat([data.subarray(0, headerLength), foreign]);
    },
    code: 'integrity_failed',
  }),
  caseV2({
    name: 'refuses a plaintext that is not a payload',
    why: 'Field 1 is a length-delimited value that is longer than the message.',
    plaintext: Buffer.from('0aff01', 'hex'),
    code: 'malformed',
  }),
];

export const envelopeV2Refused: VectorFile = {
  about: 'binary/envelope-kms-v2: messages that the reader refuses, in the order of its checks.',
  vectors: [
    ...length,
    ...version,
    ...bound,
    ...allowed,
    ...unwrapped,
    ...underived,
    ...committed,
    ...authenticated,
  ],
};
