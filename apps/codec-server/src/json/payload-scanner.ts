import type { Payload } from '@temporal-kms/histories/payloads';
import {
  ENTRY_COST,
  MAX_ENTRIES,
  MAX_KEY,
  PAYLOAD_COST,
  tooManyEntries,
  tooManyPayloads,
} from './payload.ts';
import type { Steps } from '../turns/slices.ts';
import { decodeBase64 } from './bytes.ts';

/**
 * Parses an `/encode` or `/decode` body in the form that Temporal's clients usually send: payloads that have
 * only metadata and data, and no JSON escape sequences. `JSON.parse` would first create a string for each
 * payload's data. For 256 KiB, that takes longer than decryption.
 * @param take called with the memory for a payload or an entry, in bytes, before the memory is allocated; may
 * throw
 * @returns undefined for any other body, valid or invalid, which `parseAnyPayloads` then parses
 * @throws HttpError 413 for too many payloads, or too many entries in a payload
 */
export function* scanPayloads(
  body: Buffer,
  maxPayloads: number,
  take: (bytes: number) => void = () => undefined,
): Steps<Payload[] | undefined> {
  const scanner = new Scanner(body);
  if (!scanner.take('{') || !scanner.take('"payloads"') || !scanner.take(':') || !scanner.take('['))
    return undefined;
  const payloads: Payload[] = [];
  do {
    if (payloads.length === maxPayloads) throw tooManyPayloads(maxPayloads);
    take(PAYLOAD_COST);
    const payload = scanPayload(scanner, payloads.length, take);
    if (payload === undefined) return undefined;
    payloads.push(payload);
    for (const decoding of scanner.large.splice(0)) if (!(yield* decoding)) return undefined;
    yield scanner.scanned();
  } while (scanner.take(','));
  return scanner.take(']') && scanner.take('}') && scanner.isAtEnd() ? payloads : undefined;
}

function scanPayload(scanner: Scanner, index: number, take: (bytes: number) => void): Payload | undefined {
  if (!scanner.take('{')) return undefined;
  const payload: Payload = {};
  do {
    if (payload.metadata === undefined && scanner.take('"metadata"')) {
      const metadata = scanner.take(':') ? scanMetadata(scanner, index, take) : undefined;
      if (metadata === undefined) return undefined;
      payload.metadata = metadata;
    } else if (payload.data === undefined && scanner.take('"data"')) {
      const data = scanner.take(':') ? scanner.base64() : undefined;
      if (data === undefined) return undefined;
      payload.data = data;
    } else {
      return undefined;
    }
  } while (scanner.take(','));
  return scanner.take('}') ? payload : undefined;
}

function scanMetadata(
  scanner: Scanner,
  index: number,
  take: (bytes: number) => void,
): Record<string, Uint8Array> | undefined {
  if (!scanner.take('{')) return undefined;
  const metadata: Record<string, Uint8Array> = {};
  let entries = 0;
  do {
    entries += 1;
    if (entries > MAX_ENTRIES) throw tooManyEntries(`payloads[${index}].metadata`);
    take(ENTRY_COST);
    const key = scanner.key();
    const value = key !== undefined && scanner.take(':') ? scanner.base64() : undefined;
    if (key === undefined || value === undefined) return undefined;
    metadata[key] = value;
  } while (scanner.take(','));
  return scanner.take('}') ? metadata : undefined;
}

/**
 * Matches keys without escapes, except `__proto__` and keys that begin with a digit, which JavaScript would
 * reorder.
 */
const KEY = /^[A-Za-z][\w./-]*$/;

/**
 * Reads expected tokens from bytes, one at a time. `JsonScanner` and `JsonCursor` would need the body as
 * text.
 */
class Scanner {
  readonly #body: Buffer;
  #at = 0;
  #before = 0;
  /** Steps that decode large base64. The scanner returns the buffers before these steps fill them. */
  readonly large: Steps<boolean>[] = [];

  constructor(body: Buffer) {
    this.#body = body;
  }

  /** Returns the number of bytes scanned since the previous call. */
  scanned(): number {
    const bytes = this.#at - this.#before;
    this.#before = this.#at;
    return bytes;
  }

  /** Skips white space, then the given token if it comes next. */
  take(token: string): boolean {
    this.#space();
    for (let n = 0; n < token.length; n += 1) {
      if (this.#body[this.#at + n] !== token.charCodeAt(n)) return false;
    }
    this.#at += token.length;
    return true;
  }

  isAtEnd(): boolean {
    this.#space();
    return this.#at === this.#body.length;
  }

  key(): string | undefined {
    // Recognises the most frequent key without allocating a string.
    if (this.take('"encoding"')) return 'encoding';
    const start = this.#string();
    // `parseAnyPayloads` reports a key that is too long.
    const key =
      start === undefined || this.#at - start > MAX_KEY
        ? ''
        : this.#body.toString('latin1', start, this.#at - 1);
    return KEY.test(key) ? key : undefined;
  }

  base64(): Buffer | undefined {
    const start = this.#string();
    return start === undefined ? undefined : decodeBase64(this.#body, start, this.#at - 1, this.large);
  }

  /**
   * Skips a string up to the next quotation mark. If that quotation mark is escaped, the content ends with a
   * backslash, and the caller rejects the content, because neither keys nor base64 contain backslashes.
   * @returns the index of the string's content
   */
  #string(): number | undefined {
    if (!this.take('"')) return undefined;
    const start = this.#at;
    const end = this.#body.indexOf(0x22, start);
    if (end === -1) return undefined;
    this.#at = end + 1;
    return start;
  }

  #space(): void {
    for (;;) {
      const byte = this.#body[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at += 1;
    }
  }
}
