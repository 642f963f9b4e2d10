import type { Payload } from '@temporal-kms/histories/payloads';
import { HttpError } from '../errors.ts';

/**
 * Maximum number of metadata entries in a payload. Formats and SDKs write at most three entries: `encoding`,
 * `encrypted-dek` and `kms-key` in the format `envelope`, or two entries and the marker of another layer.
 * External storage writes an entry for each object, and there is usually only one object.
 */
export const MAX_ENTRIES = 64;
/**
 * Maximum length of a metadata key in characters. The longest key that Temporal uses is
 * `__temporal_system_payload`.
 */
export const MAX_KEY = 1_024;

/** Memory in bytes for a payload and for each of its entries, in addition to their content. */
export const PAYLOAD_COST = 512;
export const ENTRY_COST = 320;

/** Returns the number of bytes in a payload's data and metadata. */
export const payloadBytes = ({ data, metadata }: Payload): number =>
  Object.entries(metadata ?? {}).reduce(
    (sum, [key, { length }]) => sum + key.length + length,
    data?.length ?? 0,
  );

/** Whether a payload has more metadata entries or external payloads than the limit. */
export const hasTooManyEntries = ({ metadata, externalPayloads }: Payload): boolean =>
  Object.keys(metadata ?? {}).length > MAX_ENTRIES || (externalPayloads?.length ?? 0) > MAX_ENTRIES;

/** @param at where the payload is in the body */
export function tooManyEntries(at: string): HttpError {
  return tooLarge(`${at} has more than ${MAX_ENTRIES} entries, the limit for a payload`);
}

export function keyTooLong(at: string): HttpError {
  return tooLarge(`${at} has a key of more than ${MAX_KEY} characters`);
}

export function tooManyPayloads(max: number): HttpError {
  return tooLarge(
    `The body contains at least ${max + 1} payloads, and the limit for a request is ${max}; send fewer per request`,
  );
}

const tooLarge = (what: string): HttpError => new HttpError(413, 'too_large', `${what}.`);
