import { fixed, json, payload, serialized, utf8, withExternal } from '../make/bytes.ts';
import { branchKey, branchKeyPlaintext, key } from '../make/message.ts';
import { caseV2, KEY, NAMESPACE } from '../make/v2.ts';
import type { Vector, VectorFile } from '../make/vector.ts';
import { frame, raw } from '../make/zstd.ts';

const inWorkflow = (workflowId: string) => ({ namespace: NAMESPACE, workflowId });
const time = '-2026-11-24T02:00:00Z';
const due = `nightly${time}`;

const plain = [
  caseV2({
    name: 'decrypts a message bound to its namespace',
    why: 'The common case: the context names the namespace for which the message was encrypted.',
  }),
  caseV2({
    name: 'returns a payload with several metadata entries unchanged',
    why: 'The message contains the whole inner payload, including its metadata.',
    inner: payload(
      { encoding: 'json/protobuf', messageType: 'acme.Order', trace: fixed('trace', 16) },
      '{"id":1}',
    ),
  }),
  caseV2({
    name: 'decrypts a payload without data',
    why: 'binary/null has no data, and proto3 omits the empty field.',
    inner: payload({ encoding: 'binary/null' }, ''),
  }),
  caseV2({
    name: 'decrypts a message whose plaintext is empty',
    why: 'An empty Payload serializes to no bytes: only a nonce and a tag follow the header.',
    inner: {},
  }),
  caseV2({
    name: 'decrypts a payload that refers to externally stored payloads',
    why: 'external_payloads is a field of Payload like any other.',
    inner: withExternal(json('big'), 70_000),
  }),
  caseV2({
    name: 'ignores further metadata of the stored payload',
    why: 'The reader reads only encoding. It neither trusts nor rejects other entries, which a tool may add.',
    metadata: { 'kms-key': key('attacker') },
  }),
  withExternalOutside(
    caseV2({
      name: 'ignores external payloads of the stored payload',
      why: 'Nothing authenticates them. Those of the original payload are in the message.',
    }),
  ),
  caseV2({
    name: 'does not use the key version to decrypt',
    why: 'Cloud KMS finds the version in its ciphertext. The version in the header is for people and inventories.',
    header: { keyVersion: 4_294_967_295 },
  }),
  caseV2({
    name: 'decrypts a message under a key that only decrypts',
    why: 'A namespace that moved to another key still lists the old key.',
    keys: { namespaces: { [NAMESPACE]: { encrypt: key('payments-2027'), decrypt: [KEY] } } },
  }),
  caseV2({
    name: 'decrypts if no key encrypts',
    why: 'A codec server that only decrypts has no key that encrypts.',
    keys: { namespaces: { [NAMESPACE]: { decrypt: [KEY] } } },
  }),
  caseV2({
    name: 'decrypts a message with a wrapped branch key of one byte, the minimum',
    why: 'The ciphertext of Cloud KMS is opaque and may have 1 to 1,024 bytes.',
    branchKey: branchKey('short', 1),
  }),
  caseV2({
    name: 'decrypts a message with a wrapped branch key of 1,024 bytes, the maximum',
    why: 'n has two bytes, big-endian (0x0400).',
    branchKey: branchKey('long', 1024),
  }),
  ...[0, 2 ** 48 - 1].map((created) =>
    caseV2({
      name: `decrypts a message whose branch key has the date ${created}`,
      why: 'A reader of messages does not use the date, which is any 6 bytes.',
      branchKey: {
        ...branchKey('dated'),
        plaintext: branchKeyPlaintext(branchKey('dated').plaintext.subarray(7), 1, created),
      },
    }),
  ),
  caseV2({
    name: 'decrypts a message whose branch key contains the word encoding',
    why: 'Unlike the data keys of binary/envelope-kms, a branch key cannot be the payload of a direct message.',
    branchKey: {
      ...branchKey('word'),
      plaintext: branchKeyPlaintext(utf8(`1234567encoding${'x'.repeat(17)}`)),
    },
  }),
  caseV2({
    name: 'hashes the UTF-8 form of names for tags',
    why: 'Workflow ids may contain any character. A hash of UTF-16 or latin1 would give other tags.',
    header: { workflowId: 'Überweisung/№ 7 🧾' },
    context: inWorkflow('Überweisung/№ 7 🧾'),
  }),
];

const another = fixed('another salt', 16);
const long = json({ note: 'a'.repeat(200) });
const longContent = serialized(long);
const salts = [
  caseV2({
    name: 'decrypts a message under another salt of the same branch key',
    why: 'Each process, and each process again after a while, derives another data key from the same branch key.',
    header: { salt: another },
  }),
  caseV2({
    name: 'decrypts a message bound to its workflow under another salt of the same branch key',
    why: 'The salt and the commitment follow the workflow tag.',
    header: { salt: another, workflowId: 'order-1' },
    context: inWorkflow('order-1'),
  }),
  caseV2({
    name: 'decrypts a compressed message under another salt of the same branch key',
    why: 'Bit 1 of the flags changes the plaintext, not the header.',
    header: { salt: another, compressed: true },
    inner: long,
    plaintext: frame({ declared: longContent.length, blocks: raw(longContent) }),
  }),
  caseV2({
    name: 'decrypts a compressed message bound to its workflow under another salt of the same branch key',
    why: 'Both bits of the flags.',
    header: { salt: another, compressed: true, workflowId: 'order-1' },
    context: inWorkflow('order-1'),
    inner: long,
    plaintext: frame({ declared: longContent.length, blocks: raw(longContent) }),
  }),
  ...[0x00, 0xff].map((byte) =>
    caseV2({
      name: `decrypts a message whose salt is 16 times ${byte}`,
      why: 'A salt is any 16 bytes.',
      header: { salt: Buffer.alloc(16, byte) },
    }),
  ),
];

const workflow = [
  caseV2({
    name: 'decrypts a message bound to its workflow in that workflow',
    why: 'The reader compares the tag with the workflow id of the context.',
    header: { workflowId: 'order-1' },
    context: inWorkflow('order-1'),
  }),
  caseV2({
    name: 'decrypts a message bound to a workflow if no workflow is known',
    why: 'A codec server, the CLI and completion by token know a namespace and no workflow id.',
    header: { workflowId: 'order-1' },
  }),
  caseV2({
    name: 'decrypts a message without a workflow tag in any workflow',
    why: 'Completion by token and Nexus handlers encrypt without a workflow id.',
    context: inWorkflow('order-1'),
  }),
  caseV2({
    name: 'decrypts in a scheduled run a message for the workflow id that the schedule names',
    why: 'Temporal appends -YYYY-MM-DDTHH:MM:SSZ to the id of a scheduled run, after the schedule’s creator has encrypted.',
    header: { workflowId: 'nightly' },
    context: inWorkflow(due),
  }),
  caseV2({
    name: 'decrypts in a scheduled run a message for the id of that run',
    why: 'Writers bind the payloads of activities to the run.',
    header: { workflowId: due },
    context: inWorkflow(due),
  }),
  caseV2({
    name: 'decrypts in a scheduled run a message for an id that ends with another time',
    why: 'A schedule may name the id of a scheduled run. The reader removes one suffix, not two.',
    header: { workflowId: due },
    context: inWorkflow(`${due}-2026-11-25T02:00:00Z`),
  }),
  caseV2({
    name: 'keeps an id that consists of a time only',
    why: 'An id without it would be empty, which is no workflow id.',
    header: { workflowId: time },
    context: inWorkflow(time),
  }),
  caseV2({
    name: 'takes an empty workflow id for none',
    why: 'Temporal has no such workflow. In protobuf, an id that is not known is empty.',
    header: { workflowId: 'order-1' },
    context: inWorkflow(''),
  }),
  caseV2({
    name: 'keeps a time that is not at the end',
    why: 'Temporal appends the time of a schedule at the end.',
    header: { workflowId: `${due}-retry` },
    context: inWorkflow(`${due}-retry`),
  }),
  caseV2({
    name: 'keeps a time before a final line feed',
    why: 'In some languages `$` also matches before a trailing line feed, which is not the end of the id.',
    header: { workflowId: `${due}\n` },
    context: inWorkflow(`${due}\n`),
  }),
  caseV2({
    name: 'keeps a time with fractions of a second',
    why: 'Temporal writes whole seconds.',
    header: { workflowId: 'nightly-2026-11-24T02:00:00.5Z' },
    context: inWorkflow('nightly-2026-11-24T02:00:00.5Z'),
  }),
  caseV2({
    name: 'accepts only ASCII digits in a time',
    why: 'In some languages `\\d` matches the digits of every script.',
    header: { workflowId: 'nightly-٢٠٢٦-11-24T02:00:00Z' },
    context: inWorkflow('nightly-٢٠٢٦-11-24T02:00:00Z'),
  }),
];

const namespaces = [
  caseV2({
    name: 'uses the namespace of the codec if there is no context',
    why: 'Many calls have no context, and the codec is configured for one namespace.',
    codec: { namespace: NAMESPACE },
    context: 'none',
  }),
  caseV2({
    name: 'decrypts a message of the codec’s namespace in the context of another namespace',
    why: 'The result of a child workflow in another namespace, or a signal to it, has the context of the target.',
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY }, shipping: { encrypt: key('shipping') } } },
    codec: { namespace: NAMESPACE },
    context: { namespace: 'shipping' },
  }),
  caseV2({
    name: 'decrypts a message of an accepted namespace under the reader’s key',
    why: '`accepts` names a former name of this namespace, whose messages are under the same key.',
    header: { namespace: 'payments-old' },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, accepts: ['payments-old'] } } },
  }),
  caseV2({
    name: 'decrypts a message of an accepted namespace under the key of that namespace',
    why: 'A Nexus handler reads the messages of its caller, which are under the caller’s key.',
    header: { namespace: 'shipping', cryptoKey: key('shipping') },
    keys: {
      namespaces: {
        [NAMESPACE]: { encrypt: KEY, accepts: ['shipping'] },
        shipping: { encrypt: key('shipping') },
      },
    },
  }),
  caseV2({
    name: 'hashes a workflow tag with the accepted namespace',
    why: 'The tag contains the namespace for which the message was encrypted, not the reader’s.',
    header: { namespace: 'payments-old', workflowId: 'order-1' },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, accepts: ['payments-old'] } } },
    context: inWorkflow('order-1'),
  }),
  caseV2({
    name: 'applies the default rule to a namespace that is not named',
    why: 'One key for all namespaces is the simple case. Messages are still bound to their namespace.',
    keys: { default: { encrypt: KEY } },
  }),
];

function withExternalOutside(vector: Vector): Vector {
  return { ...vector, stored: { ...vector.stored, externalPayloads: [{ sizeBytes: '70000' }] } };
}

export const envelopeV2: VectorFile = {
  about: 'binary/envelope-kms-v2: messages that the reader decrypts.',
  vectors: [...plain, ...salts, ...workflow, ...namespaces],
};
