import type { Logger } from 'pino';
import { withCause } from '../errors.ts';
import { standings } from '../standing.ts';
import type { Access } from './access.ts';
import { policyAccess } from './policy-access.ts';
import { namespacesIn } from './policy/policy.ts';
import { readPolicy } from './policy/read.ts';
import { fetchJson } from './tokens/fetch-json.ts';
import { providerKeyring } from './tokens/provider-keys.ts';

export interface PolicyFileOptions {
  readonly log: Logger;
  /** Whether this server opens messages of a namespace. */
  readonly opens: (namespace: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const UNKNOWN = 'namespaces that the policy names and this server has no keys for: nobody can use them here';

const words = { fails: "an issuer's keys can't be had", works: "an issuer's keys can be had again" };

/**
 * Reads a policy file as often as it is called, for the access that the file describes. Issuers' keys are fetched
 * behind it, and kept from one reading to the next: a provider that is down keeps nobody from starting, and its callers
 * out.
 * @returns a function that throws StrictYamlError, and logs the digest of what it returns the access for
 */
export function accessLoader(file: string, { log, opens, now = Date.now }: PolicyFileOptions): () => Access {
  const standingOf = standings(log, words);
  const keysOf = providerKeyring({
    fetchJson,
    now,
    failed: (issuer, error) => standingOf(issuer).fails({ issuer, reason: withCause(error) }),
    fetched: (issuer) => standingOf(issuer).works({ issuer }),
  });
  return () => {
    const { policy, digest, size } = readPolicy(file);
    const unknown = namespacesIn(policy).filter((name) => !opens(name));
    if (unknown.length > 0) log.warn({ namespaces: unknown }, UNKNOWN);
    const access = policyAccess(policy, { now, keysOf });
    log.info({ file, sha256: digest, bytes: size }, 'policy in force');
    return access;
  };
}
