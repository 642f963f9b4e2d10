import type { Context } from 'hono';
import type { ZodType } from 'zod';
import type { Env } from './context.ts';
import { parseJson } from '../json/bounded.ts';
import { badRequest } from '../refusal.ts';

/** Checks what came in; the refusal names the field, never the value. */
export function checked<T>(schema: ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const mistakes = result.error.issues.map(({ path, message }) => {
    const problem = path.length > 0 && valueAt(value, path) === undefined ? 'is missing' : message;
    return `${path.join('.')} ${problem}`.trim();
  });
  throw badRequest(mistakes.join('; '));
}

/** Zod's own words for an absent value speak of types. */
function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  return at;
}

/** @throws Refusal 400, 413 */
export async function jsonBody(c: Context<Env>): Promise<unknown> {
  return parseJson(await c.req.text());
}
