import type { Payload } from '../payload.ts';
import { decodeBase64 } from './base64.ts';

/**
 * Reads the body of `/encode` and `/decode` where it has the shape that Temporal's clients give it: payloads of nothing
 * but metadata and data, without escapes. `JSON.parse` would make a string of each data first, which at 256 KiB costs
 * more than opening it does.
 * @returns undefined for any other body, right or wrong, and for one of more payloads and metadata than `maxValues`: for
 * `parseJson` to judge
 */
export function scanPayloads(body: Buffer, maxValues: number): Payload[] | undefined {
  const scanner = new Scanner(body, maxValues);
  if (!scanner.take('{') || !scanner.take('"payloads"') || !scanner.take(':') || !scanner.take('['))
    return undefined;
  const payloads: Payload[] = [];
  do {
    const payload = scanPayload(scanner);
    if (payload === undefined) return undefined;
    payloads.push(payload);
  } while (scanner.take(','));
  return scanner.take(']') && scanner.take('}') && scanner.isAtEnd() ? payloads : undefined;
}

function scanPayload(scanner: Scanner): Payload | undefined {
  if (!scanner.take('{') || !scanner.mayHoldMore()) return undefined;
  const payload: Payload = {};
  do {
    if (payload.metadata === undefined && scanner.take('"metadata"')) {
      const metadata = scanner.take(':') ? scanMetadata(scanner) : undefined;
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

function scanMetadata(scanner: Scanner): Record<string, Uint8Array> | undefined {
  if (!scanner.take('{')) return undefined;
  const metadata: Record<string, Uint8Array> = {};
  do {
    const key = scanner.key();
    const value = key !== undefined && scanner.take(':') ? scanner.base64() : undefined;
    if (key === undefined || value === undefined || !scanner.mayHoldMore()) return undefined;
    metadata[key] = value;
  } while (scanner.take(','));
  return scanner.take('}') ? metadata : undefined;
}

/** No escapes, no digit in front (JavaScript would sort such a key), and not `__proto__`. */
const KEY = /^[A-Za-z][\w./-]*$/;

class Scanner {
  readonly #body: Buffer;
  #at = 0;
  #valuesLeft: number;

  constructor(body: Buffer, maxValues: number) {
    this.#body = body;
    this.#valuesLeft = maxValues;
  }

  /** Counts a value. */
  mayHoldMore(): boolean {
    this.#valuesLeft -= 1;
    return this.#valuesLeft >= 0;
  }

  /** Passes JSON's white space, and the token where it comes next. */
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
    // Nearly always; no string is made for it.
    if (this.take('"encoding"')) return 'encoding';
    const start = this.#string();
    const key = start === undefined ? '' : this.#body.toString('latin1', start, this.#at - 1);
    return KEY.test(key) ? key : undefined;
  }

  base64(): Buffer | undefined {
    const start = this.#string();
    return start === undefined ? undefined : decodeBase64(this.#body, start, this.#at - 1);
  }

  /**
   * Passes a string up to the next quotation mark; an escaped one leaves a backslash inside, which neither a key nor
   * base64 may hold.
   * @returns where its content starts
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
