import { createCipheriv, createHmac } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import { fixed, hex, payload, sha256, utf8 } from './bytes.ts';
import type { MadeHeader, VectorKmsAnswer } from './schema.ts';

export const key = (name: string): string =>
  `projects/acme/locations/global/keyRings/temporal-keys/cryptoKeys/${name}`;

export const namespaceTag = (namespace: string): Buffer =>
  sha256(utf8(`temporal-kms/v2/namespace\0${namespace}`)).subarray(0, 16);

export const workflowTag = (namespace: string, workflowId: string): Buffer =>
  sha256(utf8(`temporal-kms/v2/workflow\0${namespace}\0${workflowId}`)).subarray(0, 16);

export const keyId = (cryptoKey: string): Buffer => sha256(utf8(cryptoKey)).subarray(0, 8);

export const branchKeyAad = (tag: Uint8Array): Buffer =>
  Buffer.concat([utf8('temporal-kms/v2/branch-key\0'), tag]);

/** A branch key or data key, and bytes that represent its Cloud KMS ciphertext. */
export interface TestKey {
  readonly plaintext: Buffer;
  readonly wrapped: Buffer;
}

export const dataKey = (label: string): TestKey => ({
  plaintext: fixed(`data key ${label}`, 32),
  wrapped: fixed(`wrapped ${label}`, 113),
});

/**
 * Returns a branch key. The key's `plaintext` consists of the format version, the creation date in
 * milliseconds since 1970, and the 32 key bytes.
 */
export const branchKey = (label: string): TestKey => ({
  plaintext: Buffer.concat([
    Buffer.of(1),
    Buffer.from(1_790_000_000_000n.toString(16).padStart(12, '0'), 'hex'),
    fixed(`branch key ${label}`, 32),
  ]),
  wrapped: fixed(`wrapped branch key ${label}`, 120),
});

/** The default salt of a message. */
const SALT = fixed('salt', 16);

const hmac = (secret: Uint8Array, ...bytes: readonly Uint8Array[]): Buffer =>
  createHmac('sha256', secret).update(Buffer.concat(bytes)).digest();

/**
 * Derives a data key and its commitment with HKDF-SHA-256. The 48 bytes of output need two blocks of the
 * expansion.
 */
export function expanded({ plaintext }: TestKey, tag: Uint8Array, salt: Uint8Array = SALT) {
  const info = Buffer.concat([utf8('temporal-kms/v2/data-key\0'), tag]);
  const prk = hmac(salt, plaintext.subarray(7));
  const first = hmac(prk, info, Buffer.of(1));
  return { info, prk, dataKey: first, commitment: hmac(prk, first, info, Buffer.of(2)).subarray(0, 16) };
}

/** Derives a data key. */
export const derived = (branch: TestKey, tag: Uint8Array, salt?: Uint8Array): Buffer =>
  expanded(branch, tag, salt).dataKey;

/** Derives a data key's commitment. */
export const commitmentTo = (branch: TestKey, tag: Uint8Array, salt?: Uint8Array): Buffer =>
  expanded(branch, tag, salt).commitment;

export const unwraps = (
  cryptoKey: string,
  aad: Uint8Array,
  { wrapped, plaintext }: TestKey,
): VectorKmsAnswer => ({
  key: cryptoKey,
  aad: hex(aad),
  ciphertext: hex(wrapped),
  plaintext: hex(plaintext),
});

/**
 * Returns `nonce ‖ ciphertext ‖ tag` with a fixed nonce. A fixed nonce is safe only in tests, where each key
 * encrypts known messages.
 */
export function box(secret: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, nonceLabel: string): Buffer {
  const nonce = fixed(`nonce ${nonceLabel}`, 12);
  const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: 16 }).setAAD(aad);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

export interface HeaderV2 extends Omit<MadeHeader, 'salt' | 'commitment'> {
  readonly cryptoKey: string;
  readonly namespace: string;
  /** The salt. The default is {@link SALT}. */
  readonly salt?: Uint8Array | undefined;
  readonly branch: TestKey;
  /**
   * The commitment. The default is the commitment to the data key that is derived from the branch key, the
   * namespace and the salt.
   */
  readonly commitment?: Uint8Array | undefined;
}

export function headerV2(header: HeaderV2): Buffer {
  const { branch, salt = SALT } = header;
  const tag = namespaceTag(header.namespace);
  const bound = header.workflowId !== undefined;
  const flags = header.flags ?? (bound ? 1 : 0) | (header.compressed ? 2 : 0);
  const version = Buffer.alloc(4);
  version.writeUInt32BE(header.keyVersion ?? 1);
  const n = Buffer.alloc(2);
  n.writeUInt16BE(header.n ?? branch.wrapped.length);
  return Buffer.concat([
    Buffer.of(header.version ?? 2, flags),
    keyId(header.cryptoKey),
    version,
    tag,
    bound
      ? workflowTag(header.workflowNamespace ?? header.namespace, header.workflowId ?? '')
      : Buffer.alloc(0),
    salt,
    header.commitment ?? commitmentTo(branch, tag, salt),
    n,
    branch.wrapped,
  ]);
}

export const storedV2 = (data: Uint8Array, metadata: Record<string, string> = {}): Payload =>
  payload({ encoding: 'binary/envelope-kms-v2', ...metadata }, data);
