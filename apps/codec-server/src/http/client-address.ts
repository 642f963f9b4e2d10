import { isIP } from 'node:net';
import type { Context } from 'hono';
import type { Env } from './context.ts';

/**
 * Where a request comes from: the other end of the connection or, behind proxies that are trusted, what the first of them
 * says that its own other end was. A caller can write anything into `X-Forwarded-For`, but only to the left of that.
 * @returns absent where the app is driven without a port
 */
export function clientAddress(c: Context<Env>): string | undefined {
  const peer = c.env?.incoming?.socket.remoteAddress;
  const proxies = c.get('proxies');
  if (proxies === undefined) return peer;
  const forwarded = c.req.header('x-forwarded-for')?.split(',').at(-proxies)?.trim();
  return forwarded !== undefined && isIP(forwarded) > 0 ? forwarded : peer;
}
