import type { Context } from 'hono';
import type { ZodType } from 'zod';
import type { Env } from './context.ts';
import { DeepJsonError, parseJson } from './json-depth.ts';
import { badRequest, Refusal } from './refusal.ts';

/** Checks what came in; the refusal names the field, never the value. */
export function checked<T>(schema: ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const mistakes = result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim());
  throw badRequest(mistakes.join('; '));
}

export async function jsonBody(c: Context<Env>): Promise<unknown> {
  const text = await c.req.text();
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw badRequest(
      error instanceof DeepJsonError ? `Too deep: ${error.message}.` : 'The body is not JSON.',
    );
  }
}
