import type { Digests } from './audit/chain.ts';

export interface PayloadDigest {
  /** JSON Pointer to the payload. */
  readonly pointer: string;
  readonly digest: string;
}

/** Yields the digests of all payloads (objects with `metadata` and `data`) in a JSON value. */
export function* payloadDigests(digests: Digests, value: unknown, pointer = ''): Generator<PayloadDigest> {
  if (typeof value !== 'object' || value === null) return;
  if ('metadata' in value && 'data' in value && typeof value.data === 'string') {
    yield { pointer, digest: digests.of(Buffer.from(value.data, 'base64')) };
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    const step = key.replaceAll('~', '~0').replaceAll('/', '~1');
    yield* payloadDigests(digests, inner, `${pointer}/${step}`);
  }
}
