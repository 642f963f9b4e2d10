import type { Context } from 'hono';
import type { ZodType } from 'zod';
import { bodyOf } from './body.ts';
import type { Env } from './context.ts';
import { parseJson } from '../json/bounded.ts';
import { badRequest } from '../errors.ts';

/** Checks what came in; the refusal names the field, never the value. */
export function validate<T>(schema: ZodType<T>, value: unknown): T {
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

/**
 * Reads a JSON body of the history API.
 * @throws HttpError 400, 408, 413, 503 `busy`
 */
export async function jsonBody(c: Context<Env>): Promise<unknown> {
  const lease = c.get('memory').lease();
  try {
    const body = await bodyOf(c, lease);
    lease.take(body.length * JSON_COST);
    return parseJson(body.toString(), { base: MAX_VALUES });
  } finally {
    lease.release();
  }
}

/** Bytes of memory that parsing takes for each byte of JSON, beside what each value costs: text, and strings of it. */
const JSON_COST = 4;
/** Values of a body below `/api`: the longest that means something names 200 refs. */
const MAX_VALUES = 1_000;
