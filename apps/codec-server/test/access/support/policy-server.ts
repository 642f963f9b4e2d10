import type { Access } from '../../../src/access/access.ts';
import { policyAccess } from '../../../src/access/policy-access.ts';
import { issuerKeyring } from '../../../src/access/issuer-keys.ts';
import type { Policy } from '../../../src/access/policy.ts';
import type { RunningServer } from '../../../src/server/listen.ts';
import { type Kms, serve } from '../../support/stack.ts';
import { type Issuers, issuersOf } from './issuers.ts';
import { emptyTemporal } from './server.ts';

/** Returns the `Access` for a policy, with issuers that publish their keys in memory. */
export function accessOf(policy: Policy, issuers: Issuers): Access {
  const keysOf = issuerKeyring({
    fetchJson: issuers.fetchJson,
    now: Date.now,
    failed: (issuer, error) => {
      throw new Error(`The keys of ${issuer} could not be fetched: ${String(error)}`);
    },
  });
  return policyAccess(policy, { now: Date.now, keysOf });
}

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
