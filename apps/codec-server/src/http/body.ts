import type { Context } from 'hono';
import type { Env } from './context.ts';

/** The whole body, whose size the guard has looked at. */
export async function bodyOf(c: Context<Env>): Promise<Buffer> {
  return Buffer.from(await c.req.arrayBuffer());
}
