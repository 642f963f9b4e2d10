import { json, serialized, toPayload } from './bytes.ts';
import { box, branchKey, derived, headerV2, key, namespaceTag } from './message.ts';
import type { Vector } from './schema.ts';

/* Computes the derived content of the vector files. */

const NAMESPACE = 'payments';
const secret = json({ card: '4242', cents: 1999 });

const bytes = (hex: string | undefined) => (hex === undefined ? undefined : Buffer.from(hex, 'hex'));

/** Returns the `data` of a `binary/envelope-kms-v2` message as `made` describes it. */
export function dataOf({ name, made = {}, expect }: Pick<Vector, 'name' | 'made' | 'expect'>): Buffer {
  const { header = {}, branchKey: given, changed } = made;
  const { namespace = NAMESPACE, cryptoKey = key(NAMESPACE) } = header;
  const branch = given
    ? { plaintext: Buffer.from(given.plaintext, 'hex'), wrapped: Buffer.from(given.wrapped, 'hex') }
    : branchKey(NAMESPACE);
  const [salt, commitment] = [bytes(header.salt), bytes(header.commitment)];
  const head = headerV2({ ...header, cryptoKey, namespace, branch, salt, commitment });
  const dataKey = bytes(made.dataKey) ?? derived(branch, namespaceTag(namespace), salt);
  const inner = 'payload' in expect ? toPayload(expect.payload) : secret;
  const data = Buffer.concat([head, box(dataKey, head, bytes(made.plaintext) ?? serialized(inner), name)]);
  if (changed === undefined) return data;
  const { at, removed, added } = changed;
  return Buffer.concat([data.subarray(0, at), Buffer.from(added, 'hex'), data.subarray(at + removed)]);
}
