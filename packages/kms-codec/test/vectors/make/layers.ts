import type { EncryptedFormat } from '../../../src/keys/key-rules.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { fixed, payload, serialized } from './bytes.ts';
import {
  box,
  branchKey,
  branchKeyAad,
  dataKey,
  derived,
  headerV2,
  type HeaderV2,
  namespaceTag,
  storedV2,
  unwraps,
} from './message.ts';
import { STATIC_ID, staticSecret } from './older.ts';
import { KEY, NAMESPACE } from './v2.ts';
import type { VectorKmsAnswer } from './vector.ts';

const none = Buffer.alloc(0);

/** A payload and the answers of Cloud KMS that its decryption needs. */
export interface Layered {
  readonly payload: Payload;
  readonly kms: readonly VectorKmsAnswer[];
}

/** @param label separates the keys and nonces of the layers */
export function inLayer(
  format: EncryptedFormat,
  inner: Layered,
  label: string,
  header: Partial<HeaderV2> = {},
): Layered {
  const plaintext = serialized(inner.payload);
  const dek = dataKey(`layer ${label}`);
  const encrypted = () => box(dek.plaintext, none, plaintext, label);
  switch (format) {
    case 'envelope-v2': {
      const { namespace = NAMESPACE, cryptoKey = KEY } = header;
      const branch = branchKey(`layer ${label}`);
      const tag = namespaceTag(namespace);
      const head = headerV2({ ...header, cryptoKey, namespace, branch });
      const boxed = box(derived(branch, tag, header.salt), head, plaintext, label);
      const answer = unwraps(cryptoKey, branchKeyAad(tag), branch);
      return { payload: storedV2(Buffer.concat([head, boxed])), kms: [...inner.kms, answer] };
    }
    case 'envelope': {
      const metadata = { encoding: 'binary/envelope-kms', 'encrypted-dek': dek.wrapped, 'kms-key': KEY };
      return { payload: payload(metadata, encrypted()), kms: [...inner.kms, unwraps(KEY, none, dek)] };
    }
    case 'direct': {
      const wrapped = fixed(`direct layer ${label}`, 180);
      const answer = unwraps(KEY, none, { wrapped, plaintext });
      return {
        payload: payload({ encoding: 'binary/gcp-kms', 'kms-key': KEY }, wrapped),
        kms: [...inner.kms, answer],
      };
    }
    case 'proxy': {
      const metadata = {
        encoding: 'binary/encrypted',
        'encryption-key-id': `gcpkms://${KEY}`,
        'encryption-dek': dek.wrapped.toString('base64'),
      };
      return { payload: payload(metadata, encrypted()), kms: [...inner.kms, unwraps(KEY, none, dek)] };
    }
    case 'static': {
      const metadata = { encoding: 'binary/encrypted', 'encryption-key-id': STATIC_ID };
      return { payload: payload(metadata, box(staticSecret, none, plaintext, label)), kms: inner.kms };
    }
  }
}

/** Payloads that temporal-proxy marks as compressed: as its design says, and as a draft of it said. */
export const compressedByProxy: readonly (readonly [string, Payload])[] = [
  [
    'binary/compressed with an algorithm',
    payload({ encoding: 'binary/compressed', 'compression-algorithm': 'zstd' }, 'a frame'),
  ],
  [
    'the entry compression/algorithm',
    payload({ encoding: 'json/plain', 'compression/algorithm': 'application/zstd' }, 'a frame'),
  ],
];
