/**
 * Called for each key, string, number and literal, in document order.
 * @param start index of the first character; for strings, after the quotation mark
 * @param end index after the last character
 * @param escaped whether the token contains escapes
 */
export type VisitToken = (place: 'key' | 'value', start: number, end: number, escaped: boolean) => void;

/**
 * A container around the current token, and the position in it: an array's index, or an object's last key.
 */
interface Container {
  readonly isArray: boolean;
  index: number;
  keyStart: number;
  keyEnd: number;
}

/**
 * Reads JSON text (RFC 8259) token by token without allocating values, because a payload of 2 MB may contain
 * a million values, and `JSON.parse` would need many times their size in memory. Takes linear time and does
 * not recurse.
 */
export class JsonScanner {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #containers: Container[] = [];
  /** Whether the last string contained escapes. `#stringEnd` sets it. */
  #escaped = false;

  constructor(text: string, maxDepth = Number.POSITIVE_INFINITY) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  /** The number of containers around the visited token. */
  get depth(): number {
    return this.#containers.length;
  }

  /**
   * Returns false for invalid JSON and for text that is nested deeper than `maxDepth`. In these cases,
   * `visit` may already have been called for the tokens before the error.
   */
  scan(visit: VisitToken): boolean {
    let at = 0;
    for (;;) {
      at = this.#skipSpace(at);
      const code = this.#text.charCodeAt(at);
      if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
        if (this.#containers.length >= this.#maxDepth) return false;
        const isArray = code === OPEN_ARRAY;
        this.#containers.push({ isArray, index: 0, keyStart: 0, keyEnd: 0 });
        at = this.#skipSpace(at + 1);
        if (this.#text.charCodeAt(at) === (isArray ? CLOSE_ARRAY : CLOSE_OBJECT)) {
          this.#containers.pop();
          at += 1;
        } else {
          if (!isArray) at = this.#key(at, visit);
          if (at < 0) return false;
          continue;
        }
      } else {
        at = this.#scalar(at, code, visit);
        if (at < 0) return false;
      }
      at = this.#toNextValue(at, visit);
      if (at < 0) return at === AT_END;
    }
  }

  /**
   * Returns the JSON Pointer (RFC 6901) of the visited token. If the pointer would be longer than `maxLength`
   * characters, returns the pointer of the innermost container that fits.
   */
  pointer(maxLength: number): string {
    let pointer = '';
    for (const { isArray, index, keyStart, keyEnd } of this.#containers) {
      const token = isArray ? String(index) : unescaped(this.#text, keyStart, keyEnd);
      const next = `${pointer}/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (next.length > maxLength) return pointer;
      pointer = next;
    }
    return pointer;
  }

  /**
   * Moves from the end of a value to the start of the next value. Returns `AT_END` after the last value, and
   * `INVALID` for invalid text.
   */
  #toNextValue(from: number, visit: VisitToken): number {
    let at = from;
    for (;;) {
      at = this.#skipSpace(at);
      const container = this.#containers.at(-1);
      if (container === undefined) return at === this.#text.length ? AT_END : INVALID;
      const code = this.#text.charCodeAt(at);
      at += 1;
      if (code === COMMA) {
        container.index += 1;
        return container.isArray ? at : this.#key(this.#skipSpace(at), visit);
      }
      if (code !== (container.isArray ? CLOSE_ARRAY : CLOSE_OBJECT)) return INVALID;
      this.#containers.pop();
    }
  }

  /** Moves from a key's quotation mark to the character after its colon. */
  #key(start: number, visit: VisitToken): number {
    const container = this.#containers.at(-1);
    if (container === undefined || this.#text.charCodeAt(start) !== QUOTE) return INVALID;
    const end = this.#stringEnd(start + 1);
    if (end < 0) return INVALID;
    container.keyStart = start + 1;
    container.keyEnd = end;
    visit('key', start + 1, end, this.#escaped);
    const colon = this.#skipSpace(end + 1);
    return this.#text.charCodeAt(colon) === COLON ? colon + 1 : INVALID;
  }

  /** Moves from the first character of a string, number or literal to the character after it. */
  #scalar(start: number, code: number, visit: VisitToken): number {
    if (code === QUOTE) {
      const end = this.#stringEnd(start + 1);
      if (end < 0) return INVALID;
      visit('value', start + 1, end, this.#escaped);
      return end + 1;
    }
    const end = code === MINUS || isDigit(code) ? this.#numberEnd(start) : this.#wordEnd(start);
    if (end >= 0) visit('value', start, end, false);
    return end;
  }

  #stringEnd(start: number): number {
    this.#escaped = false;
    for (let at = start; at < this.#text.length; at += 1) {
      if (at === start + LONG) {
        const end = this.#plainEnd(start);
        if (end !== undefined) return end;
      }
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) return at;
      if (code < SPACE) return INVALID;
      if (code === BACKSLASH) {
        this.#escaped = true;
        at += 1;
        const escape = this.#text.charCodeAt(at);
        if (escape === LETTER_U) {
          for (const last = at + 4; at < last; at += 1)
            if (!isHexDigit(this.#text.charCodeAt(at + 1))) return INVALID;
        } else if (!ESCAPES.has(escape)) {
          return INVALID;
        }
      }
    }
    return INVALID;
  }

  /**
   * Like `#stringEnd`, but several times as fast, because V8's own functions check the characters.
   * @returns undefined if the string has escapes
   */
  #plainEnd(start: number): number | undefined {
    const end = this.#text.indexOf('"', start);
    if (end < 0) return INVALID;
    const string = this.#text.slice(start - 1, end + 1);
    if (string.includes('\\')) return undefined;
    try {
      JSON.parse(string);
      return end;
    } catch {
      return INVALID;
    }
  }

  #numberEnd(start: number): number {
    let at = this.#text.charCodeAt(start) === MINUS ? start + 1 : start;
    if (this.#text.charCodeAt(at) === ZERO) at += 1;
    else at = this.#digitsEnd(at);
    if (at >= 0 && this.#text.charCodeAt(at) === DOT) at = this.#digitsEnd(at + 1);
    if (at >= 0 && (this.#text.charCodeAt(at) | LOWER_CASE) === LETTER_E) {
      const sign = this.#text.charCodeAt(at + 1);
      at = this.#digitsEnd(sign === PLUS || sign === MINUS ? at + 2 : at + 1);
    }
    return at;
  }

  /** Returns the index after one or more digits. */
  #digitsEnd(start: number): number {
    let at = start;
    while (isDigit(this.#text.charCodeAt(at))) at += 1;
    return at === start ? INVALID : at;
  }

  #wordEnd(start: number): number {
    const word = WORDS.find((one) => this.#text.startsWith(one, start));
    return word === undefined ? INVALID : start + word.length;
  }

  #skipSpace(from: number): number {
    let at = from;
    for (;;) {
      const code = this.#text.charCodeAt(at);
      if (code !== SPACE && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
      at += 1;
    }
  }
}

/** Returns the value of the JSON string between two indexes, which exclude the quotation marks. */
export function unescaped(text: string, start: number, end: number): string {
  const value: unknown = JSON.parse(text.slice(start - 1, end + 1));
  return String(value);
}

/** Minimum length, in characters, of a string that takes the fast path, such as a payload's base64. */
const LONG = 4_096;

const INVALID = -1;
const AT_END = -2;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const LETTER_E = 0x65;
const LETTER_U = 0x75;
/** The bit that makes an ASCII letter lower case. */
const LOWER_CASE = 0x20;
const WORDS = ['true', 'false', 'null'];
const ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

const isDigit = (code: number): boolean => code >= ZERO && code <= 0x39;
const isHexDigit = (code: number): boolean => {
  const lower = code | LOWER_CASE;
  return isDigit(code) || (lower >= 0x61 && lower <= 0x66);
};
