import { createHash } from 'node:crypto';
import { readTrustedFile } from '@temporal-kms/node-utils/trusted-files';
import type { z } from 'zod';
import { codeOf, messageOf, propertyOf } from '@temporal-kms/node-utils/error-details';
import { parseYaml, type ParsedYaml, type YamlMistake, type YamlPath } from './parse-yaml.ts';

/*
 * Reads keys files and policy files. The package exports this module only for the other packages in this
 * repository. interop/python implements the same reader, and packages/vectors tests both implementations.
 * docs/wire-formats.md describes the rules.
 */

export type { YamlMistake, YamlPath };

/** Thrown if a file has mistakes. The message and `mistakes` list all mistakes. */
export class StrictYamlError extends Error {
  override readonly name = 'StrictYamlError';
  readonly mistakes: readonly YamlMistake[];

  constructor(file: string, mistakes: readonly YamlMistake[]) {
    const count = mistakes.length === 1 ? 'A mistake' : `${mistakes.length} mistakes`;
    super([`${count} in ${file}:`, ...mistakes.map((mistake) => `  ${described(mistake)}`)].join('\n'));
    this.mistakes = mistakes;
  }
}

export interface StrictYaml {
  /** The value, which consists of objects without a prototype, arrays, text, whole numbers and booleans. */
  readonly value: unknown;
  /** SHA-256 of the file's bytes, in hex. */
  readonly digest: string;
  /** Size of the file, in bytes. */
  readonly size: number;
  /**
   * Parses the value with a schema and returns the result.
   * @throws StrictYamlError with the line and location of every mistake
   */
  check<T>(schema: z.ZodType<T>): T;
}

const MAX_BYTES = 2 ** 20;

/**
 * Reads a whole file. Rejects a file if other users could change it, if it changes while this function reads
 * it, or if its last line is not `...`.
 * @param name the file's name in messages, for example the variable that contains its path
 * @throws StrictYamlError
 */
export const readStrictYaml = (path: string, name: string = path): StrictYaml =>
  parseStrictYaml(readFile(path, name), name);

/**
 * Parses the bytes of a whole file.
 * @throws StrictYamlError
 */
export function parseStrictYaml(bytes: Uint8Array, name = 'the file'): StrictYaml {
  const parsed = parseYaml(bytes);
  const { value, mistakes } = parsed;
  if (mistakes.length > 0) throw new StrictYamlError(name, mistakes);
  return {
    value,
    digest: createHash('sha256').update(bytes).digest('hex'),
    size: bytes.length,
    check: (schema) => {
      const result = schema.safeParse(value, { error: worded });
      if (result.success) return result.data;
      const found = result.error.issues.map((issue) => schemaMistake(issue, parsed));
      throw new StrictYamlError(name, found);
    },
  };
}

/** Returns a mistake as text, such as `line 3: rules[1].permissions[0] is missing`. */
function described({ line, path, message }: YamlMistake): string {
  const place = path.map((part, index) =>
    typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${part}`,
  );
  return [line === undefined ? '' : `line ${line}:`, place.join(''), message].filter(Boolean).join(' ');
}

function readFile(path: string, name: string): Buffer {
  try {
    return readTrustedFile(path, MAX_BYTES);
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? `${path} does not exist` : messageOf(error);
    throw new StrictYamlError(name, [{ line: undefined, path: [], message: `cannot be read: ${why}` }]);
  }
}

function schemaMistake(issue: z.core.$ZodIssue, { value, lineOf }: ParsedYaml): YamlMistake {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const [unknown] = issue.code === 'unrecognized_keys' ? issue.keys : [];
  const line = lineOf(unknown === undefined ? path : [...path, unknown]);
  return { line, path, message: explained(issue, valueAt(value, path)) };
}

/** Maps zod's type names to YAML's terms. */
const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

/**
 * Returns a message that describes a mistake in the terms of YAML. Returns undefined if zod's own message is
 * clear.
 */
function worded(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected in kinds ? `must be ${kinds[issue.expected]}` : undefined;
    case 'invalid_key':
      return issue.issues[0]?.message;
    case 'invalid_union':
      return Array.isArray(issue.options) ? `must be one of ${issue.options.join(', ')}` : undefined;
    case 'too_small':
      return issue.origin !== 'number' && issue.minimum === 1 ? 'is empty' : undefined;
    case 'unrecognized_keys':
      return `has an unknown field: ${issue.keys.join(', ')}`;
    default:
      return undefined;
  }
}

function explained(issue: z.core.$ZodIssue, found: unknown): string {
  if (found === undefined && issue.code !== 'custom') return 'is missing';
  const unquoted = typeof found === 'number' || typeof found === 'boolean';
  if (issue.code === 'invalid_type' && issue.expected === 'string' && unquoted) {
    return `must be text, and ${found} is not: quote it`;
  }
  return issue.message;
}

function valueAt(value: unknown, path: YamlPath): unknown {
  return path.reduce<unknown>((inside, part) => propertyOf(inside, part), value);
}
