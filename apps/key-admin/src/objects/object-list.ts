import { visible } from '../cli/terminal.ts';
import type { UnusedObject } from './compare-objects.ts';

/** Characters that `gcloud storage` interprets as a pattern or a generation. */
const PATTERN = /[*?#[\]]/;

/**
 * Returns an object's name as a line, or undefined if a program that reads the line could mistake the name for another
 * name.
 */
export function nameLine({ object: { name } }: UnusedObject): string | undefined {
  return visible(name) === name && !PATTERN.test(name) ? `${name}\n` : undefined;
}

/** Returns an object as a line of JSON. @param price per GiB and month; undefined to leave out the cost */
export function jsonLine(
  { object: { type, bucket, object }, bytes, modified }: UnusedObject,
  price?: number,
): string {
  const cost = price === undefined ? {} : { costPerMonth: costPerMonth(bytes, price) };
  return `${JSON.stringify({ type, bucket, object, bytes, modified: modified.toISOString(), ...cost })}\n`;
}

/** Returns the cost of storing bytes for a month. @param price per GiB and month */
export const costPerMonth = (bytes: number, price: number): number => (bytes / 2 ** 30) * price;
