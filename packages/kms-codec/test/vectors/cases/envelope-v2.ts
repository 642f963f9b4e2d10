import { fixed, json, payload, serialized, withExternal } from '../make/bytes.ts';
import { branchKey, key } from '../make/message.ts';
import { caseV2, KEY, NAMESPACE, secret } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';
import { frame, raw } from '../make/zstd.ts';

const inWorkflow = (workflowId: string) => ({ namespace: NAMESPACE, workflowId });
const due = 'nightly-2026-11-24T02:00:00Z';

const plain = [
  caseV2({
    name: 'opens a message bound to its namespace',
    why: 'The common case: the context names the namespace for which the message was sealed.',
  }),
  caseV2({
    name: 'a payload of several metadata entries comes back whole',
    why: 'The whole inner payload is sealed, so its own metadata is inside.',
    inner: payload(
      { encoding: 'json/protobuf', messageType: 'acme.Order', trace: fixed('trace', 16) },
      '{"id":1}',
    ),
  }),
  caseV2({
    name: 'opens a payload without data',
    why: 'binary/null has no data; proto3 leaves the empty field away.',
    inner: payload({ encoding: 'binary/null' }, ''),
  }),
  caseV2({
    name: 'opens a message whose plaintext is empty',
    why: 'An empty Payload serializes to no bytes: the box is a nonce and a tag.',
    inner: {},
  }),
  caseV2({
    name: 'opens a payload that refers to externally stored payloads',
    why: 'external_payloads is a field of Payload like the others.',
    inner: withExternal(json('big'), 70_000),
  }),
  caseV2({
    name: 'further metadata on the outside is ignored',
    why: 'encoding alone is read; whatever a tool adds beside it is neither trusted nor in the way.',
    metadata: { 'kms-key': key('attacker') },
  }),
  caseV2({
    name: 'a newer field inside does no harm',
    why: 'Unknown fields of protobuf are skipped (field 15, varint 1, after the known ones).',
    plaintext: Buffer.concat([serialized(secret), Buffer.of(0x78, 0x01)]),
  }),
  caseV2({
    name: 'the key version is a claim that nothing is looked up by',
    why: 'Cloud KMS finds the version in its own ciphertext; the header’s is for people and inventories.',
    header: { keyVersion: 4_294_967_295 },
  }),
  caseV2({
    name: 'opens a message under a key that may only decrypt',
    why: 'A namespace that moved to another key still lists the old one.',
    keys: { namespaces: { [NAMESPACE]: { encrypt: key('payments-2027'), decrypt: [KEY] } } },
  }),
  caseV2({
    name: 'opens where no key may encrypt',
    why: 'A codec server that only decrypts has no encrypting key.',
    keys: { namespaces: { [NAMESPACE]: { decrypt: [KEY] } } },
  }),
  caseV2({
    name: 'a wrapped branch key of one byte, the shortest that the header takes',
    why: 'Cloud KMS’s ciphertext is opaque: its length says nothing, 1 to 1,024 bytes fit.',
    branchKey: branchKey('short', 1),
  }),
  caseV2({
    name: 'a wrapped branch key of 1,024 bytes, the longest that the header takes',
    why: 'The other end of the range; n is two bytes, big-endian (0x0400).',
    branchKey: branchKey('long', 1024),
  }),
  caseV2({
    name: 'tags are hashed over UTF-8',
    why: 'Workflow ids may hold any character; a hash over UTF-16 or latin1 gives other tags.',
    header: { workflowId: 'Überweisung/№ 7 🧾' },
    context: inWorkflow('Überweisung/№ 7 🧾'),
  }),
];

const another = fixed('another salt', 16);
const long = json({ note: 'a'.repeat(200) });
const longContent = serialized(long);
const salts = [
  caseV2({
    name: 'opens a message under another salt of the same branch key',
    why: 'Each process, and each process again after a while, derives another data key from the same branch key.',
    header: { salt: another },
  }),
  caseV2({
    name: 'opens a message bound to its workflow under another salt of the same branch key',
    why: 'The salt follows the workflow tag.',
    header: { salt: another, workflowId: 'order-1' },
    context: inWorkflow('order-1'),
  }),
  caseV2({
    name: 'opens a compressed message under another salt of the same branch key',
    why: 'Bit 1 of the flags changes the plaintext, not the header.',
    header: { salt: another, compressed: true },
    inner: long,
    plaintext: frame({ declared: longContent.length, blocks: raw(longContent) }),
  }),
  caseV2({
    name: 'opens a compressed message bound to its workflow under another salt of the same branch key',
    why: 'Both bits of the flags.',
    header: { salt: another, compressed: true, workflowId: 'order-1' },
    context: inWorkflow('order-1'),
    inner: long,
    plaintext: frame({ declared: longContent.length, blocks: raw(longContent) }),
  }),
  ...[0x00, 0xff].map((byte) =>
    caseV2({
      name: `opens a message whose salt is 16 times ${byte}`,
      why: 'A salt is any 16 bytes.',
      header: { salt: Buffer.alloc(16, byte) },
    }),
  ),
];

const workflow = [
  caseV2({
    name: 'opens a message bound to its workflow in that workflow',
    why: 'The tag is compared with the context’s workflow id.',
    header: { workflowId: 'order-1' },
    context: inWorkflow('order-1'),
  }),
  caseV2({
    name: 'opens a message bound to a workflow where no workflow is known',
    why: 'A codec server, the CLI and completion by token have a namespace and no workflow id.',
    header: { workflowId: 'order-1' },
  }),
  caseV2({
    name: 'opens a message without a workflow tag in any workflow',
    why: 'Completion by token and Nexus handlers seal without a workflow id.',
    context: inWorkflow('order-1'),
  }),
  caseV2({
    name: 'a scheduled run opens what was sealed under the id that the schedule names',
    why: 'Temporal appends -YYYY-MM-DDTHH:MM:SSZ to a scheduled run’s id; the reader drops it before it hashes.',
    header: { workflowId: 'nightly' },
    context: inWorkflow(due),
  }),
  caseV2({
    name: 'whoever reads a scheduled run by the id that the schedule names opens it',
    why: 'The writer dropped the suffix as well, so both spellings give one tag.',
    header: { workflowId: 'nightly' },
    context: inWorkflow('nightly'),
  }),
  caseV2({
    name: 'one suffix is dropped, not two',
    why: 'A workflow started under a scheduled run’s id may get a second suffix; its canonical id keeps the first.',
    header: { workflowId: due },
    context: inWorkflow(`${due}-2026-11-25T02:00:00Z`),
  }),
  caseV2({
    name: 'a time that isn’t at the end stays',
    why: 'Only a trailing suffix is a schedule’s.',
    header: { workflowId: `${due}-retry` },
    context: inWorkflow(`${due}-retry`),
  }),
  caseV2({
    name: 'a time before a final line feed stays',
    why: 'In some languages `$` matches before a trailing line feed; the end of the id is meant.',
    header: { workflowId: `${due}\n` },
    context: inWorkflow(`${due}\n`),
  }),
  caseV2({
    name: 'a time with fractions of a second stays',
    why: 'Temporal writes whole seconds.',
    header: { workflowId: 'nightly-2026-11-24T02:00:00.5Z' },
    context: inWorkflow('nightly-2026-11-24T02:00:00.5Z'),
  }),
  caseV2({
    name: 'digits are ASCII digits',
    why: 'In some languages `\\d` matches the digits of every script.',
    header: { workflowId: 'nightly-٢٠٢٦-11-24T02:00:00Z' },
    context: inWorkflow('nightly-٢٠٢٦-11-24T02:00:00Z'),
  }),
];

const namespaces = [
  caseV2({
    name: 'without a context the codec’s own namespace counts',
    why: 'Contexts are missing in many places; the codec is configured for one namespace.',
    codec: { namespace: NAMESPACE },
    context: 'none',
  }),
  caseV2({
    name: 'a worker reads its own namespace’s message in another namespace’s context',
    why: 'A child’s result in another namespace, or a signal to it, has the target’s context.',
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY }, shipping: { encrypt: key('shipping') } } },
    codec: { namespace: NAMESPACE },
    context: { namespace: 'shipping' },
  }),
  caseV2({
    name: 'an accepted namespace’s message opens under the reader’s own key',
    why: '`accepts` names a former name of this namespace, whose messages are under the same key.',
    header: { namespace: 'payments-old' },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, accepts: ['payments-old'] } } },
  }),
  caseV2({
    name: 'an accepted namespace’s message opens under that namespace’s key',
    why: 'A Nexus handler reads its caller’s messages, which are under the caller’s key.',
    header: { namespace: 'shipping', cryptoKey: key('shipping') },
    keys: {
      namespaces: {
        [NAMESPACE]: { encrypt: KEY, accepts: ['shipping'] },
        shipping: { encrypt: key('shipping') },
      },
    },
  }),
  caseV2({
    name: 'an accepted namespace’s workflow tag is the one of that namespace',
    why: 'The tag is hashed with the namespace for which the message was sealed, not the reader’s.',
    header: { namespace: 'payments-old', workflowId: 'order-1' },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, accepts: ['payments-old'] } } },
    context: inWorkflow('order-1'),
  }),
  caseV2({
    name: 'a default rule serves a namespace that isn’t named',
    why: 'One key for everything is the simple case; the binding is still to the namespace’s own name.',
    keys: { default: { encrypt: KEY } },
  }),
];

export const envelopeV2: VectorFile = {
  about: 'binary/envelope-kms-v2: what opens.',
  vectors: [...plain, ...salts, ...workflow, ...namespaces],
};
