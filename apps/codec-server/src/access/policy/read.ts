import { readFileSync } from 'node:fs';
import { isNode, LineCounter, parseDocument } from 'yaml';
import { messageOf } from '../../error-text.ts';
import { type Policy, policy } from './policy.ts';

/** The policy can't be used; the message names its mistakes with line and place. What doesn't fit together comes after the rest. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}

/** @throws PolicyError when the file can't be read or holds a mistake */
export function readPolicy(file: string): Policy {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    throw new PolicyError(`POLICY_FILE can't be read: ${messageOf(error)}`);
  }
  return parsePolicy(content);
}

/** @throws PolicyError */
export function parsePolicy(content: string): Policy {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines });
  if (document.errors.length > 0) throw mistakes(document.errors.map(({ message }) => message));
  const result = policy.safeParse(document.toJS() ?? {});
  if (result.success) return result.data;

  const lineOf = (path: readonly PropertyKey[]): string => {
    // Something that is missing has no line; what it is missing in has.
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return `line ${lines.linePos(node.range[0]).line}: `;
    }
    return '';
  };
  throw mistakes(
    result.error.issues.flatMap((issue) => {
      // A key that isn't known stands where it is, and not where the map begins that holds it.
      const [unknown] = issue.code === 'unrecognized_keys' ? issue.keys : [];
      const where = lineOf(unknown === undefined ? issue.path : [...issue.path, unknown]);
      const missing = issue.path.length > 0 && !document.hasIn(issue.path);
      return `${where}${placeOf(issue.path)} ${missing ? 'is missing' : issue.message}`.trim();
    }),
  );
}

function mistakes(found: readonly string[]): PolicyError {
  const count = found.length === 1 ? 'A mistake' : `${found.length} mistakes`;
  return new PolicyError([`${count} in POLICY_FILE:`, ...found.map((text) => `  ${text}`)].join('\n'));
}

/** `rules[1].permissions[0]`. */
const placeOf = (path: readonly PropertyKey[]): string =>
  path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`,
    )
    .join('');
