import { invalidArgument } from '../model/errors.ts';

/*
 * Filters and orders of lists (cloud.google.com/kms/docs/sorting-and-filtering), in the grammar of
 * google.aip.dev/160 without functions: comparisons of fields, AND, OR, NOT and parentheses. OR takes
 * precedence over AND.
 */

type Predicate = (message: object) => boolean;
type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | ':';

/** Returns the predicate of a filter. An empty filter selects all items. @throws KmsError INVALID_ARGUMENT */
export function filterOf(filter: string): Predicate {
  if (filter.trim() === '') return () => true;
  const parser = new FilterParser(filter);
  return parser.parse();
}

/** Returns the comparator of an order such as `createTime desc, name`. @throws KmsError INVALID_ARGUMENT */
export function comparator(orderBy: string): (one: object, other: object) => number {
  const keys = orderBy.split(',').map((part) => {
    const match = /^\s*([A-Za-z][\w.]*)(?:\s+(asc|desc))?\s*$/.exec(part);
    if (match === null) throw invalidArgument(`The field order_by is invalid at '${part.trim()}'.`);
    return { path: match[1] ?? '', sign: match[2] === 'desc' ? -1 : 1 };
  });
  return (one, other) => {
    for (const { path, sign } of keys) {
      const order = compare(valueAt(one, path) ?? '', valueAt(other, path) ?? '');
      if (order !== 0) return sign * order;
    }
    return 0;
  };
}

class FilterParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Predicate {
    const predicate = this.#all();
    if (this.#take(/\s*$/y) === undefined) throw this.#wrong();
    return predicate;
  }

  #all(): Predicate {
    const parts = [this.#any()];
    while (this.#take(/\s+AND(?![\w.])/y) !== undefined) parts.push(this.#any());
    return (message) => parts.every((part) => part(message));
  }

  #any(): Predicate {
    const parts = [this.#one()];
    while (this.#take(/\s+OR(?![\w.])/y) !== undefined) parts.push(this.#one());
    return (message) => parts.some((part) => part(message));
  }

  #one(): Predicate {
    if (this.#take(/\s*(?:NOT(?![\w.])|-)/y) !== undefined) {
      const negated = this.#one();
      return (message) => !negated(message);
    }
    if (this.#take(/\s*\(/y) !== undefined) {
      const inner = this.#all();
      if (this.#take(/\s*\)/y) === undefined) throw this.#wrong();
      return inner;
    }
    const path = this.#take(/\s*([A-Za-z][\w.-]*)/y);
    const operator = this.#take(/\s*(!=|<=|>=|[=<>:])/y);
    const value =
      this.#take(/\s*"((?:[^"\\]|\\.)*)"/y)?.replaceAll(/\\(.)/g, '$1') ?? this.#take(/\s*([^\s()"]+)/y);
    if (path === undefined || value === undefined || !isOperator(operator)) throw this.#wrong();
    return (message) => matches(valueAt(message, path), operator, value);
  }

  /** If the next token matches, returns the pattern's group and advances past the token. */
  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match[1] ?? '';
  }

  #wrong() {
    return invalidArgument(`The field filter is invalid at character ${this.#at + 1}.`);
  }
}

const isOperator = (text: string | undefined): text is Operator =>
  text !== undefined && ['=', '!=', '<', '<=', '>', '>=', ':'].includes(text);

type Value = string | number | undefined;

function matches(value: Value, operator: Operator, wanted: string): boolean {
  if (operator === ':') {
    if (wanted === '*') return value !== undefined && value !== '';
    return String(value ?? '').includes(wanted);
  }
  if (value === undefined) return operator === '!=';
  const order = compare(value, typeof value === 'number' ? toNumber(wanted) : wanted);
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

function compare(one: NonNullable<Value>, other: NonNullable<Value>): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/**
 * Parses a duration (`86400s`) or a time (RFC 3339) into seconds (for a time, since 1970). Also accepts a
 * plain number.
 */
function toNumber(text: string): number {
  const number = /^-?\d+(\.\d+)?s?$/.test(text) ? Number.parseFloat(text) : Date.parse(text) / 1000;
  if (Number.isNaN(number))
    throw invalidArgument(`The field filter is invalid: '${text}' is not a time or number.`);
  return number;
}

/** Returns a field by its path in camelCase or snake_case. Times and durations are in seconds. */
function valueAt(message: object, path: string): Value {
  let value: unknown = message;
  for (const [depth, segment] of path.split('.').entries()) {
    if (typeof value !== 'object' || value === null) return undefined;
    // Label keys are used as they are, because they are not field names.
    const isLabel = depth > 0 && path.startsWith('labels.');
    const field = isLabel
      ? segment
      : segment.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    value = Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined;
  }
  if (typeof value === 'object' && value !== null && 'seconds' in value) {
    const nanos = 'nanos' in value ? Number(value.nanos) : 0;
    return Number(value.seconds) + nanos / 1e9;
  }
  if (typeof value === 'string' || typeof value === 'number') return value;
  return typeof value === 'boolean' ? String(value) : undefined;
}
