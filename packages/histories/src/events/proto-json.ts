import { escapeInText, escapeInvisible, payloadPlaceholder, type PayloadRef } from '@temporal-kms/codec-api';
import { isRecord } from '@temporal-kms/node-utils/is-record';

/*
 * These functions read proto3 JSON without a schema. They return `undefined` for a value that is missing or
 * has another type, so that the dashboard can show the rest of an event from a newer server.
 */

/** Returns the value at a path of member names. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), value);
}

/** Returns the single line of text at a path, such as a name or an id, with invisible characters escaped. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' && found !== '' ? escapeInvisible(found) : undefined;
}

/** Like `textAt`, but for text of several lines. Returns an empty string if the value is missing. */
export function linesAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? escapeInText(found) : '';
}

/**
 * Returns the number at a path. Also accepts a number in a string, because proto3 JSON writes 64-bit integers
 * as strings.
 */
export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  if (typeof found === 'number') return found;
  return typeof found === 'string' && /^-?\d{1,15}$/.test(found) ? Number(found) : undefined;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/**
 * Returns an RFC 3339 timestamp in milliseconds since 1970. The protos' zero values (years 0001 and 1970)
 * count as missing.
 */
export function millisOf(timestamp: unknown): number | undefined {
  if (typeof timestamp !== 'string') return undefined;
  const millis = Date.parse(timestamp);
  return Number.isFinite(millis) && millis > 0 ? millis : undefined;
}

export const millisAt = (value: unknown, ...path: readonly string[]) => millisOf(at(value, ...path));

/**
 * Returns a proto3 JSON Duration (`"3.5s"`) in milliseconds. Zero counts as missing, because servers send
 * unset timeouts as `"0s"`.
 */
export function durationAt(value: unknown, ...path: readonly string[]): number | undefined {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(textAt(value, ...path) ?? '');
  const millis = match ? Number(match[1]) * 1000 : 0;
  return millis > 0 ? millis : undefined;
}

/** Returns the payload ref of the placeholder at a path. */
export function refAt(value: unknown, ...path: readonly string[]): PayloadRef | undefined {
  return placeholderIn(at(value, ...path));
}

/** Returns the payload refs of all placeholders in a value, in document order. */
export function refsIn(value: unknown): PayloadRef[] {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (!isRecord(value)) return [];
  const own = placeholderIn(value);
  return own === undefined ? Object.values(value).flatMap(refsIn) : [own];
}

function placeholderIn(value: unknown): PayloadRef | undefined {
  // Checks for the placeholder's member first, because most values are not placeholders, and the schema
  // rejects values slowly.
  if (!isRecord(value) || typeof value['$payload'] !== 'string') return undefined;
  const found = payloadPlaceholder.safeParse(value);
  return found.success ? found.data.$payload : undefined;
}

/**
 * Returns the name of an enum value without its prefix (such as `RETRY_STATE_`), or undefined for the value
 * `UNSPECIFIED`.
 */
export function enumAt(prefix: string, value: unknown, ...path: readonly string[]): string | undefined {
  const found = textAt(value, ...path);
  if (found === undefined || found.endsWith('_UNSPECIFIED')) return undefined;
  return found.startsWith(prefix) ? found.slice(prefix.length) : found;
}
