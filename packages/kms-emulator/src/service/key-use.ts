import { crc32c } from '../crypto/crc32c.ts';
import type { ProtectionLevel } from '../model/algorithms.ts';
import { invalidArgument } from '../model/errors.ts';
import type { KeyVersion } from '../model/key-version.ts';
import { tryCryptoKey } from '../model/names.ts';
import type { Context } from './context.ts';

/* Helpers for the operations that use key material. */

/** Maximum size of plaintext, of additional data, and of data to sign. */
export const MAX_BYTES = 64 * 1024;

export function materialOf({ material = '' }: KeyVersion): Buffer {
  return Buffer.from(material, 'base64');
}

export function useQuota(context: Context, level: ProtectionLevel, keyName: string): void {
  const project = tryCryptoKey(keyName)?.project ?? '';
  context.conditions.quotas.use(level === 'HSM' ? 'hsm' : 'software', project, context.now);
}

export function checkSize(field: string, data: Uint8Array, max: number): void {
  if (data.length <= max) return;
  throw invalidArgument(`The field ${field} must be no larger than ${max} bytes; it has ${data.length}.`);
}

/**
 * Returns whether the request contains a checksum.
 * @throws KmsError INVALID_ARGUMENT if the checksum is wrong
 */
export function verify(field: string, data: Uint8Array, expected: number | undefined): boolean {
  if (expected === undefined) return false;
  if (crc32c(data) === expected) return true;
  throw invalidArgument(`The checksum in field ${field}_crc32c did not match the data in field ${field}.`);
}
