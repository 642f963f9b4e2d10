import { changed, json, serialized } from '../../make/bytes.ts';
import { box, branchKey, derived, headerV2, namespaceTag } from '../../make/message.ts';
import { caseV2, KEY, NAMESPACE, secret } from '../../make/v2.ts';
import { at, OTHER } from './setting.ts';

const foreignHeader = headerV2({ cryptoKey: KEY, namespace: OTHER, branch: branchKey(OTHER) });

export const authenticated = [
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
