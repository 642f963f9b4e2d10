import { z } from 'zod';
import { BranchKeyStoreError, MAX_VALUE_BYTES } from './store.ts';
import { PROOF_BYTES } from './key-version-proof.ts';
import { MAX_CREATED } from './wrapped-branch-key.ts';
import { MAX_WRAPPED_KEY_BYTES, type WrappedKeyBytes } from '../crypto/wrapped-key.ts';

/*
 * Parses and serializes a store's value for one crypto key and namespace. The value is JSON, and parsing is
 * strict. Nothing in the value is trusted until Cloud KMS has unwrapped its keys and this library has
 * verified the keys' dates and versions.
 */

/** A wrapped branch key in a store. */
export interface StoredBranchKey {
  /** The branch key as wrapped by Cloud KMS. */
  readonly wrapped: WrappedKeyBytes;
  readonly keyVersion: number;
  /**
   * When the branch key was created, in milliseconds since 1970. Cloud KMS has wrapped the key together with
   * this date.
   */
  readonly created: number;
  /** Authenticates the key version (see `key-version-proof.ts`). */
  readonly proof: Uint8Array;
}

export interface BranchKeyEntry {
  readonly current: StoredBranchKey;
  /**
   * The branch key that will start to encrypt in a few minutes. In the meantime, every process unwraps it, so
   * that it is ready.
   */
  readonly next?: StoredBranchKey | undefined;
}

const VERSION = 1;

const base64 = (min: number, max: number) =>
  z
    .base64()
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
    .refine((bytes) => bytes.length >= min && bytes.length <= max);

const storedKey = z.strictObject({
  wrapped: base64(1, MAX_WRAPPED_KEY_BYTES),
  keyVersion: z.int().min(1).max(0xffff_ffff),
  created: z.int().min(0).max(MAX_CREATED),
  proof: base64(PROOF_BYTES, PROOF_BYTES),
});

const entrySchema = z.strictObject({
  version: z.literal(VERSION),
  current: storedKey,
  next: storedKey.optional(),
});

const versioned = z.looseObject({ version: z.number() });

/**
 * Parses a stored value.
 * @throws BranchKeyStoreError `unsupported_version`, `malformed`
 */
export function parseEntry(value: Uint8Array): BranchKeyEntry {
  const json = parseJson(value);
  const version = versioned.safeParse(json).data?.version;
  if (version !== undefined && version !== VERSION) {
    throw new BranchKeyStoreError(
      'unsupported_version',
      `The stored branch keys have the format version ${version}; this library supports only version ${VERSION}`,
    );
  }
  const parsed = entrySchema.safeParse(json);
  if (!parsed.success) {
    // Stryker disable next-line OptionalChaining,StringLiteral: zod returns an issue, and messages may change.
    const place = parsed.error.issues[0]?.path.join('.');
    throw new BranchKeyStoreError(
      'malformed',
      `The stored branch keys are malformed${place ? ` at ${place}` : ''}`,
    );
  }
  const { current, next } = parsed.data;
  return { current, next };
}

function parseJson(value: Uint8Array): unknown {
  if (value.length > MAX_VALUE_BYTES) {
    throw new BranchKeyStoreError(
      'malformed',
      `The stored branch keys have more than ${MAX_VALUE_BYTES} bytes`,
    );
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value));
  } catch {
    throw new BranchKeyStoreError('malformed', 'The stored branch keys are not JSON');
  }
}

/** Serializes an entry; the inverse of `parseEntry`. */
export function serializeEntry({ current, next }: BranchKeyEntry): Uint8Array {
  const entry = { version: VERSION, current: toJson(current), next: next && toJson(next) };
  return new Uint8Array(Buffer.from(JSON.stringify(entry)));
}

const toJson = ({ wrapped, keyVersion, created, proof }: StoredBranchKey) => ({
  wrapped: Buffer.from(wrapped).toString('base64'),
  keyVersion,
  created,
  proof: Buffer.from(proof).toString('base64'),
});
