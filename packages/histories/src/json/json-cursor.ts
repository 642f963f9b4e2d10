import { HistoryFileError } from '../history-file-error.ts';
import { endOfString } from './end-of-string.ts';

/**
 * Moves through JSON text without building values, because a file may contain tens of MiB of payloads, and
 * because unparsed numbers keep their digits. (`JsonScanner` would visit every token of every payload.) The
 * cursor checks only brackets and strings. To check a value completely, pass its text to `JSON.parse`.
 */
export class JsonCursor {
  readonly text: string;
  #at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get at(): number {
    return this.#at;
  }

  /** Returns the next character that is not white space, or an empty string at the end. */
  peek(): string {
    for (;;) {
      const char = this.text.charAt(this.#at);
      if (char !== ' ' && char !== '\n' && char !== '\r' && char !== '\t') return char;
      this.#at += 1;
    }
  }

  /** If the next character is the given one, moves past it and returns true. */
  take(char: string): boolean {
    if (this.peek() !== char) return false;
    this.#at += 1;
    return true;
  }

  /** Moves over an object. `visit` must move over the value of each member. */
  object(visit: (key: string) => void): void {
    this.#expect('{');
    if (this.take('}')) return;
    do {
      const key = this.value();
      if (!key.startsWith('"')) throw this.#unexpected();
      this.#expect(':');
      visit(key.includes('\\') ? this.#parse(key) : key.slice(1, -1));
    } while (this.take(','));
    this.#expect('}');
  }

  /** Moves over an array. `visit` must move over each element. */
  array(visit: () => void): void {
    this.#expect('[');
    if (this.take(']')) return;
    do visit();
    while (this.take(','));
    this.#expect(']');
  }

  /** Moves over a value, and returns its text. */
  value(): string {
    this.peek();
    const start = this.#at;
    let depth = 0;
    for (;;) {
      switch (this.text.charAt(this.#at)) {
        case '':
          if (depth === 0 && this.#at > start) return this.text.slice(start);
          throw this.#unexpected();
        case '"':
          this.#at = this.#endOfString(this.#at + 1) + 1;
          break;
        case '{':
        case '[':
          depth += 1;
          this.#at += 1;
          continue;
        case '}':
        case ']':
          if (depth === 0) return this.#scalar(start);
          depth -= 1;
          this.#at += 1;
          break;
        case ',':
        case ':':
        case ' ':
        case '\n':
        case '\r':
        case '\t':
          if (depth === 0) return this.#scalar(start);
          this.#at += 1;
          continue;
        default:
          this.#at += 1;
          continue;
      }
      if (depth === 0) return this.text.slice(start, this.#at);
    }
  }

  #scalar(start: number): string {
    if (this.#at === start) throw this.#unexpected();
    return this.text.slice(start, this.#at);
  }

  #parse(text: string): string {
    try {
      return String(JSON.parse(text));
    } catch (error) {
      throw this.#unexpected(error);
    }
  }

  #endOfString(from: number): number {
    const end = endOfString(this.text, from);
    if (end >= 0) return end;
    this.#at = this.text.length;
    throw this.#unexpected();
  }

  #expect(char: string): void {
    if (!this.take(char)) throw this.#unexpected();
  }

  #unexpected(cause?: unknown): HistoryFileError {
    if (this.#at >= this.text.length)
      return new HistoryFileError('cut_off', 'The file is incomplete: its JSON is truncated.', { cause });
    const line = this.text.slice(0, this.#at).split('\n').length;
    return new HistoryFileError(
      'not_a_history',
      `The file is not JSON: there is a mistake in line ${line}.`,
      { cause },
    );
  }
}
