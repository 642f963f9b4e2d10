import { createSecretKey, webcrypto } from 'node:crypto';
import { CipherCodec, SampleCodec } from '@temporal-kms/testing/rivals';
import type { PayloadCodec } from '@temporalio/common';
import type { FleetCodec } from './settings.ts';

/** All processes of a benchmark use this key, which protects nothing. */
const key = Buffer.alloc(32, 7);

/** Returns the codecs of a fleet that does not use our codec, or no codec for the kind `none`. */
export async function otherCodecs(kind: FleetCodec): Promise<PayloadCodec[]> {
  if (kind === 'sample') {
    const imported = await webcrypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']);
    return [new SampleCodec(imported)];
  }
  return kind === 'cipher' ? [new CipherCodec(createSecretKey(key))] : [];
}
