import { asVector, hex, json, payload, serialized, sha256 } from '../make/bytes.ts';
import { inLayer } from '../make/layers.ts';
import { branchKey, dataKey, key } from '../make/message.ts';
import { caseEnvelope, caseProxy } from '../make/older.ts';
import { type CaseV2, caseV2, KEY, NAMESPACE, secret } from '../make/v2.ts';
import type { Vector, VectorFile, VectorRule } from '../make/vector.ts';
import { frame, raw, zeros } from '../make/zstd.ts';

/* What the keys file denies, requires and leaves out. */

const inWorkflow = (workflowId: string) => ({ namespace: NAMESPACE, workflowId });
const hash = (wrapped: Uint8Array): string => hex(sha256(wrapped));
const branchHash = hash(branchKey(NAMESPACE).wrapped);
const dekHash = hash(dataKey('older').wrapped);

const denying = (vector: Vector, deny: readonly string[]): Vector => ({
  ...vector,
  keys: { ...vector.keys, deny: [...deny] },
});

const leaked =
  'An attacker who knows the key can forge messages under it for as long as Cloud KMS unwraps it.';
const inner = inLayer('envelope-v2', { payload: secret, kms: [] }, 'denied');
const outer = inLayer('proxy', inner, 'around denied');

const deny = [
  denying(
    caseV2({
      name: 'refuses a message under a branch key that the deny-list contains, without a call to Cloud KMS',
      why: leaked,
      code: 'key_not_allowed',
    }),
    [branchHash],
  ),
  denying(
    caseV2({
      name: 'decrypts a message under a branch key that the deny-list does not contain',
      why: 'The list names single keys, not the crypto key.',
    }),
    [hash(branchKey('another').wrapped), dekHash],
  ),
  denying(
    caseV2({
      name: 'refuses a denied branch key under any salt, in any workflow',
      why: 'An attacker who knows the branch key derives every data key.',
      header: { salt: sha256(Buffer.from('a salt of the attacker')).subarray(0, 16), workflowId: 'order-1' },
      context: inWorkflow('order-1'),
      code: 'key_not_allowed',
    }),
    [hash(branchKey('another').wrapped), branchHash],
  ),
  denying(
    caseV2({
      name: 'refuses a denied branch key of an accepted namespace',
      why: 'The list counts for the whole file.',
      header: { namespace: 'shipping', cryptoKey: key('shipping') },
      keys: {
        namespaces: {
          [NAMESPACE]: { encrypt: KEY, accepts: ['shipping'] },
          shipping: { encrypt: key('shipping') },
        },
      },
      code: 'key_not_allowed',
    }),
    [branchHash],
  ),
  denying(
    caseEnvelope({
      name: 'refuses an envelope whose data key the deny-list contains',
      why: leaked,
      expect: 'key_not_allowed',
    }),
    [dekHash],
  ),
  denying(
    caseEnvelope({ name: 'decrypts an envelope whose data key the deny-list does not contain', why: leaked }),
    [branchHash],
  ),
  denying(
    caseProxy({
      name: 'refuses a payload of the proxy whose data key the deny-list contains',
      why: 'The hash is that of the wrapped bytes, not of their base64.',
      expect: 'key_not_allowed',
    }),
    [dekHash],
  ),
  denying(
    {
      ...caseProxy({
        name: 'refuses a denied branch key inside a layer',
        why: leaked,
        expect: 'key_not_allowed',
      }),
      stored: asVector(outer.payload),
      kms: [...outer.kms],
      asked: [KEY],
    },
    [hash(branchKey('layer denied').wrapped)],
  ),
];

const requiring: VectorRule = { encrypt: KEY, workflowTag: 'require' };
const caseTag = (given: CaseV2): Vector =>
  caseV2({ keys: { namespaces: { [NAMESPACE]: requiring } }, ...given });

const workflowTag = [
  caseTag({
    name: 'decrypts a message with the tag of its workflow where a tag is required',
    why: 'workflowTag: require.',
    header: { workflowId: 'order-1' },
    context: inWorkflow('order-1'),
  }),
  caseTag({
    name: 'decrypts a message with a tag where a tag is required and no workflow is known',
    why: 'A codec server and the CLI know no workflow id.',
    header: { workflowId: 'order-1' },
  }),
  caseTag({
    name: 'refuses a message without a tag where a tag is required',
    why: 'An attacker who writes to the store could move it to any workflow of the namespace.',
    context: inWorkflow('order-1'),
    code: 'format_not_allowed',
  }),
  caseTag({
    name: 'refuses a message without a tag where a tag is required and no workflow is known',
    why: 'The tag must be present, although it cannot be compared.',
    code: 'format_not_allowed',
  }),
  caseTag({
    name: 'refuses a message of another workflow as such where a tag is required',
    why: 'workflow_mismatch is permanent: no setting makes the message one of this workflow.',
    header: { workflowId: 'order-2' },
    context: inWorkflow('order-1'),
    code: 'workflow_mismatch',
  }),
  caseTag({
    name: 'refuses a message of an accepted namespace without a tag where a tag is required',
    why: 'The rule of the namespace in which the message is read counts.',
    header: { namespace: 'payments-old' },
    keys: { namespaces: { [NAMESPACE]: { ...requiring, accepts: ['payments-old'] } } },
    code: 'format_not_allowed',
  }),
  caseTag({
    name: 'checks the namespace before it requires a tag',
    why: 'The order of the checks is fixed.',
    header: { namespace: 'shipping' },
    code: 'namespace_mismatch',
  }),
  caseTag({
    name: 'requires a tag by the default rule too',
    why: 'A namespace that is not named has the default rule.',
    keys: { default: requiring },
    code: 'format_not_allowed',
  }),
];

const [shared, other] = [{ encrypt: KEY }, 'shipping'] as const;
const byContext = { namespace: other };

const configured: Vector[] = [
  caseV2({
    name: 'refuses a message of the namespace of the context if the codec is configured with another',
    why: 'A context alone does not make a codec read another namespace. The default rule names no namespace.',
    header: { namespace: other },
    keys: { default: shared },
    codec: { namespace: NAMESPACE },
    context: byContext,
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'decrypts a message of the namespace of the context if the keys file names that namespace',
    why: 'The keys file configures both namespaces.',
    header: { namespace: other },
    keys: { namespaces: { [other]: shared }, default: shared },
    codec: { namespace: NAMESPACE },
    context: byContext,
  }),
  caseV2({
    name: 'decrypts a message of the namespace of the context if the codec’s namespace accepts it',
    why: 'accepts names a namespace too.',
    header: { namespace: other },
    keys: { namespaces: { [NAMESPACE]: { ...shared, accepts: [other] } }, default: shared },
    codec: { namespace: NAMESPACE },
    context: byContext,
  }),
  caseV2({
    name: 'decrypts a message of the codec’s namespace in a context that names a namespace without a rule of its own',
    why: 'Temporal’s replayers name no real namespace.',
    keys: { default: shared },
    codec: { namespace: NAMESPACE },
    context: byContext,
  }),
  caseV2({
    name: 'uses no key of the default rule for a context that names another namespace than that of the codec',
    why: 'The rule of the codec’s namespace counts, with its keys.',
    header: { cryptoKey: key('every other') },
    keys: { namespaces: { [NAMESPACE]: shared }, default: { encrypt: key('every other') } },
    codec: { namespace: NAMESPACE },
    context: byContext,
    code: 'key_not_allowed',
  }),
  {
    ...caseEnvelope({
      name: 'reads no format of the default rule for a context that names another namespace than that of the codec',
      why: 'The message names no namespace, so the context alone would decide.',
      expect: 'format_not_allowed',
    }),
    keys: { namespaces: { [NAMESPACE]: shared }, default: { ...shared, reads: ['envelope'] } },
    codec: { namespace: NAMESPACE },
    context: byContext,
  },
  {
    ...caseEnvelope({
      name: 'refuses plaintext in a context of another namespace if the codec’s namespace refuses it',
      why: 'The default rule would let it pass.',
      expect: 'format_not_allowed',
    }),
    stored: asVector(json('forged')),
    format: 'plain',
    keys: { namespaces: { [NAMESPACE]: { ...shared, plaintext: 'refuse' } }, default: shared },
    codec: { namespace: NAMESPACE },
    context: byContext,
  },
];

const retired: VectorRule = { ...shared, accepts: ['retired'] };
configured.push(
  caseV2({
    name: 'decrypts a message of the codec’s namespace under its key if the rule of the context accepts that namespace',
    why: 'The keys of the codec’s namespace are those of its rule, even if another rule accepts it. It has the default rule.',
    keys: { namespaces: { [other]: { encrypt: key(other), accepts: [NAMESPACE] } }, default: shared },
    codec: { namespace: NAMESPACE },
    context: byContext,
  }),
  ...[KEY, key(other)].map((cryptoKey) =>
    caseV2({
      name: `decrypts a message of a namespace that both rules accept, under the key of either rule (${cryptoKey})`,
      why: 'The keys of both namespaces that accept it are listed for it.',
      header: { namespace: 'retired', cryptoKey },
      keys: { namespaces: { [NAMESPACE]: retired, [other]: { ...retired, encrypt: key(other) } } },
      codec: { namespace: NAMESPACE },
      context: byContext,
    }),
  ),
);

const MAX_CIPHERTEXT = 65_536 + 1_024;
const DIRECT = key('direct');

/** A direct message of zeros inside a compressed message, which keeps the vector short. */
const ofZeros = (
  given: Pick<CaseV2, 'name' | 'why' | 'code' | 'asked'>,
  bytes: number,
  cryptoKey = DIRECT,
) => {
  const message = payload({ encoding: 'binary/gcp-kms', 'kms-key': cryptoKey }, Buffer.alloc(bytes));
  const content = serialized(message);
  const blocks = Buffer.concat([raw(content.subarray(0, -bytes), false), zeros(bytes)]);
  return caseV2({
    ...given,
    header: { compressed: true },
    plaintext: frame({ declared: content.length, blocks }),
    keys: {
      namespaces: { [NAMESPACE]: { encrypt: KEY, decrypt: [DIRECT], reads: ['envelope-v2', 'direct'] } },
    },
  });
};

const direct = [
  ofZeros(
    {
      name: 'refuses a direct ciphertext of 66,561 bytes without a call to Cloud KMS',
      why: 'Cloud KMS encrypts at most 64 KiB and adds less than 1 KiB.',
      code: 'too_large',
    },
    MAX_CIPHERTEXT + 1,
  ),
  ofZeros(
    {
      name: 'sends a direct ciphertext of 66,560 bytes to Cloud KMS',
      why: 'The largest ciphertext that is possible. Cloud KMS rejects this one.',
      code: 'integrity_failed',
      asked: [KEY, DIRECT],
    },
    MAX_CIPHERTEXT,
  ),
  ofZeros(
    {
      name: 'checks the size of a direct ciphertext before its key',
      why: 'The order of the checks is fixed.',
      code: 'too_large',
    },
    MAX_CIPHERTEXT + 1,
    key('attacker'),
  ),
];

export const rules: VectorFile = {
  about:
    'Rules of the keys file: denied keys, required workflow tags, the namespace of the codec, and the size of direct messages.',
  vectors: [...deny, ...workflowTag, ...configured, ...direct],
};
