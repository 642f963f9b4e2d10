import { zstdCompressSync } from 'node:zlib';
import type { Payload } from '../../src/formats/payload.ts';
import { fixed, hex, json, payload, serialized } from '@temporal-kms/vectors/bytes';
import {
  box,
  branchKey,
  branchKeyAad,
  dataKey,
  derived,
  headerV2,
  type HeaderV2,
  key,
  namespaceTag,
  storedV2,
  unwraps,
} from '@temporal-kms/vectors/message';
import type { VectorKmsAnswer, VectorRule } from '@temporal-kms/vectors/schema';

/*
 * The v2 messages of two namespaces share one crypto key, so only the binding to the namespace separates
 * them. Messages in older formats are not bound to a namespace, and use separate keys. `payments` is the
 * reader's namespace; the attacker takes messages from `shipping`.
 */

export const READER = 'payments';
const OTHER = 'shipping';
export const WORKFLOW = 'order-1';
const SHARED = key('shared');
const ownKey = (namespace: string) => key(namespace);
export const attackerKey = key('attacker');
export const STATIC_ID = { [READER]: 'id-payments', [OTHER]: 'id-shipping' } as const;
type Namespace = typeof READER | typeof OTHER;

const lenient: VectorRule = {
  encrypt: SHARED,
  decrypt: [key('payments-2025'), ownKey(READER)],
  reads: ['envelope-v2', 'envelope', 'direct', 'proxy', 'static'],
  plaintext: 'report',
  unsafe: ['direct-with-envelope'],
  static: { [STATIC_ID[READER]]: hex(fixed(`static ${READER}`, 32)) },
};
/** A rule that rejects older formats and plaintext, with the same keys as `lenient`. */
const strict: VectorRule = { ...lenient, reads: ['envelope-v2'], plaintext: 'refuse' };
export const rules = { strict, lenient } as const;
export type Strictness = keyof typeof rules;
export const listedKeys: ReadonlySet<string> = new Set([SHARED, key('payments-2025'), ownKey(READER)]);

export interface Message {
  readonly stored: Payload;
  readonly inner: Payload;
  /** The readers that may decrypt the message. */
  readonly entitled: readonly Strictness[];
}

const none = new Uint8Array();

export interface Corpus {
  readonly messages: readonly Message[];
  /** The ciphertexts that Cloud KMS unwraps. */
  readonly kms: readonly VectorKmsAnswer[];
  /**
   * Encrypts any plaintext as a v2 message in the reader's namespace. A holder of a data key can do the same.
   */
  encrypt(plaintext: Uint8Array, compressed: boolean, label: string): Payload;
}

export function buildCorpus(): Corpus {
  const kms = new Map<string, VectorKmsAnswer>();
  const messages: Message[] = [];
  const v2 = (
    namespace: Namespace,
    plaintext: Uint8Array,
    label: string,
    more: Partial<HeaderV2>,
    branch: string,
  ) => {
    const name = `v2 ${namespace} ${branch}`;
    const secret = branchKey(name);
    const tag = namespaceTag(namespace);
    kms.set(name, unwraps(SHARED, branchKeyAad(tag), secret));
    const header = headerV2({ cryptoKey: SHARED, namespace, branch: secret, ...more });
    const boxKey = derived(secret, tag, more.salt);
    return storedV2(Buffer.concat([header, box(boxKey, header, plaintext, label)]));
  };
  const add = (entitled: readonly Strictness[], inner: Payload, stored: Payload) =>
    messages.push({ stored, inner, entitled });

  for (const namespace of [READER, OTHER] as const) {
    const mine = (entitled: readonly Strictness[]) => (namespace === READER ? entitled : []);
    const text = (what: string) => json({ secret: `${namespace}: ${what}` });
    for (const branch of ['first', 'second']) {
      const both = mine(['strict', 'lenient']);
      const unbound = text(`unbound ${branch}`);
      add(both, unbound, v2(namespace, serialized(unbound), `unbound ${branch}`, {}, branch));
      for (const workflowId of [WORKFLOW, 'order-2']) {
        const bound = text(`${workflowId} ${branch}`);
        // Each workflow's message has a different salt, so the corpus has several data keys for each branch
        // key.
        const header = { workflowId, salt: fixed(`salt ${workflowId}`, 16) };
        const message = v2(namespace, serialized(bound), `${workflowId} ${branch}`, header, branch);
        add(workflowId === WORKFLOW ? both : [], bound, message);
      }
      const long = text(`long ${branch} ${'x'.repeat(600)}`);
      add(
        both,
        long,
        v2(namespace, zstdCompressSync(serialized(long)), `long ${branch}`, { compressed: true }, branch),
      );
    }
    const cryptoKey = ownKey(namespace);
    const secret = dataKey(`own ${namespace}`);
    kms.set(`own ${namespace}`, unwraps(cryptoKey, none, secret));
    const boxed = (inner: Payload, label: string) => box(secret.plaintext, none, serialized(inner), label);
    const old = mine(['lenient']);

    const named = text('envelope, named');
    const envelope = { encoding: 'binary/envelope-kms', 'encrypted-dek': secret.wrapped };
    add(old, named, payload({ ...envelope, 'kms-key': cryptoKey }, boxed(named, 'named')));
    const nameless = text('envelope, nameless');
    add(old, nameless, payload(envelope, boxed(nameless, 'nameless')));

    const direct = text('direct');
    const ciphertext = fixed(`direct ${namespace}`, 120);
    const answer = { wrapped: ciphertext, plaintext: serialized(direct) };
    kms.set(`direct ${namespace}`, unwraps(cryptoKey, none, answer));
    add(old, direct, payload({ encoding: 'binary/gcp-kms', 'kms-key': cryptoKey }, ciphertext));

    const proxied = text('proxy');
    const dek = secret.wrapped.toString('base64');
    const proxy = {
      encoding: 'binary/encrypted',
      'encryption-key-id': `gcpkms://${cryptoKey}`,
      'encryption-dek': dek,
    };
    add(old, proxied, payload(proxy, boxed(proxied, 'proxy')));

    const sample = text('static');
    const staticKey = fixed(`static ${namespace}`, 32);
    const stored = { encoding: 'binary/encrypted', 'encryption-key-id': STATIC_ID[namespace] };
    add(old, sample, payload(stored, box(staticKey, none, serialized(sample), 'static')));
  }
  return {
    messages,
    kms: [...kms.values()],
    encrypt: (plaintext, compressed, label) => v2(READER, plaintext, label, { compressed }, 'first'),
  };
}
