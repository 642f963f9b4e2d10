import type { Logger } from 'pino';
import { withCause } from '../error-text.ts';
import { standings } from '../standing.ts';
import type { Access } from './access.ts';
import { policyAccess } from './policy-access.ts';
import { readPolicy } from './policy/read.ts';
import { fetchJson } from './tokens/fetch-json.ts';
import { providerKeyring } from './tokens/provider-keys.ts';

const words = { fails: "an issuer's keys can't be had", works: "an issuer's keys can be had again" };

/**
 * Reads a policy file as often as it is called, for the access that the file describes. Issuers' keys are fetched
 * behind it, and kept from one reading to the next: a provider that is down keeps nobody from starting, and its callers
 * out.
 * @returns throws PolicyError
 */
export function accessLoader(file: string, log: Logger, now: () => number = Date.now): () => Access {
  const standingOf = standings(log, words);
  const keysOf = providerKeyring({
    fetchJson,
    now,
    failed: (issuer, error) => standingOf(issuer).fails({ issuer, reason: withCause(error) }),
    fetched: (issuer) => standingOf(issuer).works({ issuer }),
  });
  return () => policyAccess(readPolicy(file), { now, keysOf });
}
