import { visible } from '../cli/terminal.ts';
import type { UnusedObject } from './compare-objects.ts';

/** Characters that `gcloud storage` interprets as a pattern or a generation. */
const PATTERN = /[*?#[\]]/;

/**
 * Returns an object's name as a line, or undefined if a program that reads lines could mistake the name for
 * another.
 */
export function nameLine({ object: { name } }: UnusedObject): string | undefined {
  return visible(name) === name && !PATTERN.test(name) ? `${name}\n` : undefined;
}

/** Returns an object as a line of JSON. */
export const jsonLine = ({ object: { type, bucket, object }, bytes, modified }: UnusedObject): string =>
  `${JSON.stringify({ type, bucket, object, bytes, modified: modified.toISOString() })}\n`;
