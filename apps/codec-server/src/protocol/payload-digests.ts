import type { Digests } from '@temporal-kms/audit';
import type { Payload } from '@temporal-kms/histories/payloads';
import type { PayloadInfo } from '@temporal-kms/kms-codec';
import { SLICE_BYTES, type Steps } from '../turns/slices.ts';

/**
 * Returns digests of the ciphertexts, by the namespace that the message names. A message that names no
 * namespace counts for the request's namespace.
 */
export function* digestsOf(
  digests: Digests,
  payloads: readonly Payload[],
  infos: readonly { readonly format: PayloadInfo['format']; readonly namespace?: string | undefined }[],
  namespace: string,
): Steps<ReadonlyMap<string, readonly string[]>> {
  const byNamespace = new Map<string, string[]>();
  for (const [n, { data }] of payloads.entries()) {
    const info = infos[n];
    if (!data || info === undefined || info.format === 'plain') continue;
    const named = info.namespace ?? namespace;
    const digest = digests.begin();
    for (let at = 0; at < data.length; at += SLICE_BYTES) {
      const slice = data.subarray(at, at + SLICE_BYTES);
      digest.add(slice);
      yield slice.length + DIGEST_COST;
    }
    const known = byNamespace.get(named);
    if (known === undefined) byNamespace.set(named, [digest.end()]);
    else known.push(digest.end());
  }
  return byNamespace;
}

/** Fixed work for a digest, in bytes, in addition to the ciphertext's own bytes. */
const DIGEST_COST = 4 * 1024;
