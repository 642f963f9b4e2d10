import { escapeInText, escapeInvisible, payloadPlaceholder, type PayloadRef } from '@temporal-kms/codec-api';

/**
 * Reads proto3 JSON whose shape is only known by convention: every function answers `undefined` for what isn't there
 * or isn't of the wanted kind, so that an event of a newer server is shown in part and never breaks a page.
 */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), value);
}

/** A name, an id or another text of one line, for reading: what can't be seen in it is escaped. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' && found !== '' ? escapeInvisible(found) : undefined;
}

/** The same for a text of several lines. */
export function linesAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? escapeInText(found) : '';
}

/** Numbers, and the strings that proto3 JSON writes for 64-bit integers. */
export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  if (typeof found === 'number') return found;
  return typeof found === 'string' && /^-?\d{1,15}$/.test(found) ? Number(found) : undefined;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** Milliseconds since 1970 of an RFC 3339 timestamp; the protos' zero time (0001 or 1970) counts as absent. */
export function millisOf(timestamp: unknown): number | undefined {
  if (typeof timestamp !== 'string') return undefined;
  const millis = Date.parse(timestamp);
  return Number.isFinite(millis) && millis > 0 ? millis : undefined;
}

export const millisAt = (value: unknown, ...path: readonly string[]) => millisOf(at(value, ...path));

/** Milliseconds of a proto3 JSON Duration (`"3.5s"`); zero counts as absent, as unset timeouts are sent as `"0s"`. */
export function durationAt(value: unknown, ...path: readonly string[]): number | undefined {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(textAt(value, ...path) ?? '');
  const millis = match ? Number(match[1]) * 1000 : 0;
  return millis > 0 ? millis : undefined;
}

export function refAt(value: unknown, ...path: readonly string[]): PayloadRef | undefined {
  const found = payloadPlaceholder.safeParse(at(value, ...path));
  return found.success ? found.data.$payload : undefined;
}

/** Every placeholder below a value, in the order in which it is written. */
export function refsIn(value: unknown): PayloadRef[] {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (!isRecord(value)) return [];
  const own = payloadPlaceholder.safeParse(value);
  return own.success ? [own.data.$payload] : Object.values(value).flatMap(refsIn);
}

/** `RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED` with the prefix `RETRY_STATE_` removed; undefined when unspecified. */
export function enumAt(prefix: string, value: unknown, ...path: readonly string[]): string | undefined {
  const found = textAt(value, ...path);
  if (found === undefined || found.endsWith('_UNSPECIFIED')) return undefined;
  return found.startsWith(prefix) ? found.slice(prefix.length) : found;
}
