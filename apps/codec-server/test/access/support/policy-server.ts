import type { Policy } from '../../../src/access/policy.ts';
import type { RunningServer } from '../../../src/server/listen.ts';
import { type Kms, serve } from '../../support/stack.ts';
import { accessOf, type Issuers, issuersOf } from './issuers.ts';
import { emptyTemporal } from './server.ts';

/**
 * Starts a server with a policy, and with issuers that publish their keys in memory.
 * @param deps other parts of the application, in place of the defaults
 */
export async function servePolicy(
  kms: Kms,
  policy: Policy,
  deps: Parameters<typeof serve>[1] = {},
): Promise<{ readonly server: RunningServer; readonly issuers: Issuers }> {
  const issuers = await issuersOf(policy, Date.now);
  return {
    issuers,
    server: await serve(kms, { temporal: emptyTemporal, access: accessOf(policy, issuers), ...deps }),
  };
}
