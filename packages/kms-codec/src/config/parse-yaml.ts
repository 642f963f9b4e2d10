import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  Scalar,
} from 'yaml';

/** A location in a file: keys and indexes, starting at the top level. */
export type YamlPath = readonly (string | number)[];

export interface YamlMistake {
  /** The line number, counted from 1; absent if the mistake concerns the whole file. */
  readonly line: number | undefined;
  readonly path: YamlPath;
  readonly message: string;
}

export interface ParsedYaml {
  /**
   * The parsed value, which consists of objects without a prototype, arrays, text, whole numbers and
   * booleans. Undefined if there are mistakes.
   */
  readonly value: unknown;
  readonly mistakes: readonly YamlMistake[];
  /** Returns the line of a location, or of the nearest enclosing location if the line is not known. */
  readonly lineOf: (path: YamlPath) => number | undefined;
}

/** Parses the subset of YAML that all YAML 1.1 and 1.2 parsers read the same way. Reports everything else. */
export function parseYaml(bytes: Uint8Array): ParsedYaml {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const mistakes = [{ line: undefined, path: [], message: 'is not valid UTF-8' }];
    return { value: undefined, mistakes, lineOf: () => undefined };
  }
  const parser = new Parser(text);
  const value = parser.parse();
  const { mistakes } = parser;
  return { value: mistakes.length > 0 ? undefined : value, mistakes, lineOf: (path) => parser.lineOf(path) };
}

const MAX_DEPTH = 16;
const MAX_MISTAKES = 100;
/**
 * Maximum length of a key up to its colon, in characters. Parsers look for the colon on the same line, within
 * 1,024 characters.
 */
const MAX_KEY = 500;
const TOO_DEEP = `is nested more than ${MAX_DEPTH} levels deep`;
const UNSAFE_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const WORDS = /^(y|n|yes|no|on|off|true|false|null)$/i;
const WHOLE_NUMBER = /^(0|-?[1-9][0-9]{0,14})$/;
/**
 * Matches the characters with which numbers, dates, nulls and merge keys begin, because YAML 1.1 and 1.2 read
 * them differently. Also matches question marks, because some parsers treat any question mark inside brackets
 * as the beginning of a key.
 */
const AMBIGUOUS = /^[-+.0-9~=<:]|\?/;
/**
 * Matches characters that are not printable in both YAML versions, tabs, and line ends that only one of the
 * versions knows.
 */
const FORBIDDEN =
  /[^\n\r\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]|\r(?!\n)/u;
/** Matches characters that an escape in double quotes can produce, but that no value needs. */
const CONTROL = /[\p{Cc}\p{Cs}\u2028\u2029\ufeff]/u;

class Parser {
  readonly mistakes: YamlMistake[] = [];
  readonly #text: string;
  readonly #counter = new LineCounter();
  readonly #lines = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
    this.#counter.addNewLine(0);
    for (const { index } of text.matchAll(/\n/g)) this.#counter.addNewLine(index + 1);
  }

  parse(): unknown {
    this.#checkText();
    if (this.mistakes.length > 0) return undefined;
    try {
      return this.#document();
    } catch (error) {
      // The yaml library recurses and may overflow the stack.
      if (!(error instanceof RangeError)) throw error;
      return this.#report(TOO_DEEP);
    }
  }

  lineOf(path: YamlPath): number | undefined {
    for (let length = path.length; length > 0; length -= 1) {
      const line = this.#lines.get(JSON.stringify(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return undefined;
  }

  #report(message: string, offset?: number, path: YamlPath = []): undefined {
    const line = offset === undefined ? undefined : this.#counter.linePos(offset).line;
    if (this.mistakes.length < MAX_MISTAKES) this.mistakes.push({ line, path, message });
  }

  #checkText(): void {
    const character = FORBIDDEN.exec(this.#text);
    if (character) {
      const code = (character[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      const help = code === '0009' ? '; use spaces' : '';
      this.#report(`contains the character U+${code}, which is not allowed${help}`, character.index);
    }
    const directive = /^%/m.exec(this.#text);
    if (directive) this.#report('contains a YAML directive (%), which is not allowed', directive.index);
    const end = /(^|\n)\.\.\.(\r?\n)*$/.exec(this.#text);
    if (!end) {
      this.#report('does not end with a line that contains only ..., so it may be incomplete; add that line');
    }
    const earlier = /^\.\.\./m.exec(this.#text.slice(0, end?.index));
    if (end && earlier) this.#report('has an end marker (...) before its end', earlier.index);
  }

  #document(): unknown {
    const documents = parseAllDocuments(this.#text, {
      prettyErrors: false,
      schema: 'failsafe',
      uniqueKeys: false,
      keepSourceTokens: true,
    });
    for (const { errors } of documents) {
      for (const { message, pos } of errors) {
        if (!this.#isCommentLine(message, pos[0])) this.#report(`is not valid YAML: ${message}`, pos[0]);
      }
    }
    const [document, second] = documents;
    if (second) this.#report('contains a second YAML document; only one is allowed', second.range[0]);
    if (this.mistakes.length > 0) return undefined;
    const { contents = null } = document ?? {};
    if (contents === null || (isScalar(contents) && contents.source === '')) return this.#report('is empty');
    return this.#value(contents, []);
  }

  /**
   * Whether the yaml library (2.9) wrongly reports that a comment at the beginning of a line in brackets needs
   * white space before it.
   */
  #isCommentLine(message: string, offset: number): boolean {
    return message.startsWith('Comments must be separated') && this.#text.startsWith('\n#', offset - 1);
  }

  #value(node: unknown, path: YamlPath): unknown {
    if (path.length > MAX_DEPTH) return this.#report(TOO_DEEP, undefined, path);
    if (isAlias(node)) return this.#report('is a YAML alias (*), which is not allowed', startOf(node), path);
    if (!isScalar(node) && !isCollection(node)) return this.#report('has no value', undefined, path);
    const { anchor, tag } = node;
    if (anchor !== undefined) {
      this.#report('has a YAML anchor (&), which is not allowed', startOf(node), path);
    }
    if (tag !== undefined) this.#report('has a YAML tag (!), which is not allowed', startOf(node), path);
    if (isScalar(node)) return this.#scalar(node, path);
    if (!isSeq(node)) return this.#mapping(node, path);
    return node.items.map((item, index) => {
      const place = [...path, index];
      this.#noteLine(place, item);
      return this.#value(item, place);
    });
  }

  #mapping(node: Node, path: YamlPath): unknown {
    const entries: Record<string, unknown> = Object.create(null);
    for (const { key, value, srcToken } of isMap(node) ? node.items : []) {
      const name = this.#value(key, path);
      if (typeof name !== 'string') {
        this.#report('has a key that is not text: put it in quotes', startOf(key), path);
        continue;
      }
      if (srcToken?.start.some(({ type }) => type === 'explicit-key-ind')) {
        this.#report('has a key that begins with ?, which is not allowed', startOf(key), path);
      }
      this.#checkColon(key, path);
      const place = [...path, name];
      if (UNSAFE_NAMES.has(name)) this.#report('has a name that is not allowed', startOf(key), place);
      else if (name in entries) this.#report('is there twice', startOf(key), place);
      this.#noteLine(place, key);
      const inside = this.#value(value, place);
      if (!UNSAFE_NAMES.has(name)) entries[name] = inside;
    }
    return entries;
  }

  #checkColon(key: unknown, path: YamlPath): void {
    const [start = 0, end = 0] = (isNode(key) && key.range) || [];
    const [colon] = /^ *:/.exec(this.#text.slice(end, end + MAX_KEY)) ?? [];
    if (colon !== undefined && codePoints(this.#text.slice(start, end) + colon) <= MAX_KEY) return;
    this.#report(
      `has a key without a colon after it in the first ${MAX_KEY} characters of its line`,
      start,
      path,
    );
  }

  #scalar(node: Scalar, path: YamlPath): string | number | boolean | undefined {
    const { type, source = '', value } = node;
    const [start = 0, end = 0] = node.range ?? [];
    if (type === Scalar.PLAIN) {
      if (source === '') return this.#report('has no value', start, path);
      if (WHOLE_NUMBER.test(source)) return Number(source);
      if (source === 'true' || source === 'false') return source === 'true';
      if (AMBIGUOUS.test(source) || WORDS.test(source)) {
        return this.#report(`is ambiguous without quotes: quote ${source}`, start, path);
      }
    }
    const text = String(value);
    if (this.#text.slice(start, end).includes('\n')) {
      return this.#report('continues on the next line: put it in quotes, on one line', start, path);
    }
    if (CONTROL.test(text)) return this.#report('contains a control character', start, path);
    return text;
  }

  #noteLine(path: YamlPath, node: unknown): void {
    const start = startOf(node);
    if (start !== undefined) this.#lines.set(JSON.stringify(path), this.#counter.linePos(start).line);
  }
}

const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined);

/** Returns the length in code points, which is how Python counts. */
const codePoints = (text: string): number => Array.from(text).length;
