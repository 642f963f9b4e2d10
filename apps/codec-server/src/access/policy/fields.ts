import { isLoopback } from '@temporal-kms/config';
import { z } from 'zod';

export const text = z
  .string('must be text; put it into quotes')
  .min(1, 'is empty')
  .regex(/^(?!\s)(?!.*\s$)/, 'begins or ends with space, which no claim does');

/** A name or value that is compared as it stands. */
export const literalText = (message: string) => text.regex(/^[^*]*$/, message);

/** One text stands for a list of it. */
export const oneOrMany = <One extends z.ZodType<string>>(one: One) =>
  z
    .union([one, z.array(one).min(1, 'is empty')], { error: 'must be text, or a list of texts' })
    .transform((value): readonly string[] => (typeof value === 'string' ? [value] : value));

/** Keys that came in the clear could be anybody's, so http is for a provider on this machine only. */
export function isSafeUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && isLoopback(url.hostname.replace(/^\[(.*)\]$/, '$1'));
}
