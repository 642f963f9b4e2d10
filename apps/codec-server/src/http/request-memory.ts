import type { Context } from 'hono';
import { ClientDisconnected } from '../errors.ts';
import type { MemoryLease } from '../memory.ts';
import type { Env } from './context.ts';
import { reply } from './responses.ts';

/**
 * Returns a lease for the memory that a request holds until its response closes. If a test calls the app
 * without a port, the handler must end the lease itself.
 * @param mayBorrow false for a request that later waits for memory with another lease
 */
export function leaseOf(c: Context<Env>, mayBorrow = true): MemoryLease {
  const outgoing = c.env?.outgoing;
  if (outgoing?.destroyed === true) throw new ClientDisconnected();
  const lease = c.get('memory').lease(mayBorrow);
  outgoing?.once('close', () => lease.end());
  return lease;
}

/**
 * Memory in bytes per character of a JSON response: the text, and its bytes until the connection has taken
 * them.
 */
const RESPONSE_COST = 2;

/**
 * Responds with the result of `work` as JSON. The lease covers the memory for the work, and then the memory
 * for the response until the connection has taken it.
 */
export async function replyJsonWithin(
  c: Context<Env>,
  work: (lease: MemoryLease) => Promise<unknown>,
): Promise<Response> {
  const lease = leaseOf(c);
  try {
    const text = JSON.stringify(await work(lease));
    const bytes = text.length * RESPONSE_COST;
    lease.take(bytes);
    if (c.env?.outgoing === undefined) lease.end();
    else lease.shrinkTo(bytes);
    return reply(c, text, 'application/json');
  } catch (error) {
    lease.end();
    throw error;
  }
}
