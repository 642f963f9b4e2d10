import { randomUUID } from 'node:crypto';

/** Strings of at least this many bytes are cut out. */
const LONG = 1_024;

/**
 * Maximum number of strings and escapes to examine, which bounds the time. Long strings after that point stay
 * in the JSON.
 */
const MAX_EXAMINED = 100_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** The position of a string's content in a body. */
interface Place {
  readonly start: number;
  readonly end: number;
}

/** A string that was cut out. */
interface CutString extends Place {
  /** The rest of the string, from its first escape on. Some clients escape the padding of base64. */
  readonly rest: string;
}

/**
 * JSON without its long strings. Most of a body consists of long strings, and parsing long strings would
 * block the event loop.
 */
export interface CutJson {
  /** The JSON, with a mark in place of each string that was cut out. */
  readonly text: string;
  /** Returns the string for a mark, or undefined for any other value. */
  find(value: string): CutString | undefined;
}

/**
 * Cuts long strings, up to their first escape, out of JSON, except for field names. Marks are unpredictable,
 * so that a caller cannot forge a mark.
 */
export function cutLongStrings(body: Buffer): CutJson {
  const mark = randomUUID();
  const places: Place[] = [];
  const kept: Buffer[] = [];
  let from = 0;
  for (const place of longStrings(body)) {
    kept.push(body.subarray(from, place.start), Buffer.from(`${mark}${places.push(place) - 1};`));
    from = place.end;
  }
  kept.push(body.subarray(from));
  return {
    text: new TextDecoder().decode(places.length === 0 ? body : Buffer.concat(kept)),
    find: (value) => {
      if (!value.startsWith(mark)) return undefined;
      const end = value.indexOf(';');
      const place = places[Number(value.slice(mark.length, end))];
      return place && { ...place, rest: value.slice(end + 1) };
    },
  };
}

/**
 * Yields the long strings in a body. Reads bytes, to avoid creating a large body's text, which `JsonScanner`
 * would need.
 */
function* longStrings(body: Buffer): Generator<Place, void> {
  let backslash = -1;
  let at = 0;
  for (let examined = 0; examined < MAX_EXAMINED; examined += 1) {
    const start = indexOrEnd(body, QUOTE, at) + 1;
    let quote = indexOrEnd(body, QUOTE, start);
    if (quote >= body.length) return;
    if (backslash < start) backslash = indexOrEnd(body, BACKSLASH, start);
    const end = Math.min(quote, backslash);
    for (; backslash < quote; backslash = indexOrEnd(body, BACKSLASH, backslash + 2)) {
      if (backslash + 1 === quote) quote = indexOrEnd(body, QUOTE, quote + 1);
      examined += 1;
      if (examined > MAX_EXAMINED) return;
    }
    if (end - start >= LONG && !isName(body, quote + 1)) yield { start, end };
    at = quote + 1;
  }
}

function indexOrEnd(body: Buffer, byte: number, from: number): number {
  const index = body.indexOf(byte, from);
  return index < 0 ? body.length : index;
}

function isName(body: Buffer, after: number): boolean {
  let at = after;
  while (body[at] === 0x20 || body[at] === 0x0a || body[at] === 0x0d || body[at] === 0x09) at += 1;
  return body[at] === COLON;
}
