import { createAudit } from '@temporal-kms/audit';
import type { Permission } from '@temporal-kms/codec-api';
import { Hono } from 'hono';
import { openAccess } from '../../src/access/access.ts';
import { authorise, type Grant } from '../../src/http/authorise.ts';
import type { Env } from '../../src/http/context.ts';
import { createRateLimits } from '../../src/http/rate-limits.ts';

/** Returns a grant from `authorise`, for a caller who may do everything. */
export async function grantOf<P extends Permission, N extends string | undefined>(
  permission: P,
  namespace: N,
): Promise<Grant<P, N>> {
  const granted = Promise.withResolvers<Grant<P, N>>();
  const authority = {
    access: openAccess,
    audit: createAudit({ write: async () => undefined }),
    rates: createRateLimits({}),
  };
  const app = new Hono<Env>().get('/', (c) => {
    granted.resolve(authorise(c, authority, { name: 'ana' }, permission, namespace));
    return c.text('');
  });
  await app.request('/');
  return await granted.promise;
}
