import type { Logger } from 'pino';
import { withCause } from '../errors.ts';
import { outageLogs } from '../observability/log.ts';
import type { Access, Caller, Credentials, SignIn } from './access.ts';
import { claimTexts, type Grants, grantsOf } from './grants.ts';
import { fetchJson, issuerKeyring, type IssuerKeys } from './issuer-keys.ts';
import { type Issuer, namespacesIn, type Policy, readPolicy } from './policy.ts';
import {
  bearerToken,
  claimedIssuer,
  iapAssertion,
  invalidToken,
  TokenCache,
  type VerifiedToken,
  verifier,
  type VerifyToken,
} from './tokens.ts';

export interface PolicyAccessDeps {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly keysOf: (issuer: Issuer) => IssuerKeys;
}

interface TokenVerifier {
  readonly issuer: Issuer;
  readonly verify: VerifyToken;
}

/** Returns an access by tokens: callers are who their tokens name, and may do only what the policy grants. */
export function policyAccess(policy: Policy, { now, keysOf }: PolicyAccessDeps): Access {
  const bearers = new Map<string, TokenVerifier>();
  let iap: TokenVerifier | undefined;
  for (const issuer of Object.values(policy.issuers)) {
    const keys = keysOf(issuer);
    void keys.warm();
    const known = { issuer, verify: verifier(issuer, keys, now) };
    if (issuer.tokens === 'assertion') iap = known;
    else bearers.set(issuer.issuer, known);
  }

  // A caller that was not made here has no grants, whatever its fields are.
  const grants = new WeakMap<Caller, Grants>();
  const callerOf = async ({ issuer, verify }: TokenVerifier, token: string): Promise<Caller> => {
    const verified = await verify(token);
    const caller = toCaller(issuer, verified);
    grants.set(caller, grantsOf(policy, issuer, verified.claims));
    return caller;
  };
  // Two caches, because a token that is valid in one header may be invalid in the other.
  const assertions = new TokenCache<Caller>(now);
  const bearerTokens = new TokenCache<Caller>(now);

  const signIn = signInOf(policy);
  return {
    authenticate: (request: Credentials) => {
      // Behind the proxy, Authorization may hold a token for the proxy itself.
      const assertion = iap && iapAssertion(request);
      if (iap && assertion !== undefined) {
        const proxy = iap;
        return assertions.get(assertion, (token) => callerOf(proxy, token));
      }
      return bearerTokens.get(bearerToken(request), async (token) => {
        const known = bearers.get(claimedIssuer(token) ?? '');
        if (!known) throw invalidToken('its issuer is not one that the policy names');
        return callerOf(known, token);
      });
    },
    allows: (caller, permission, namespace) => grants.get(caller)?.has(permission, namespace) ?? false,
    reveal: (namespace) => policy.namespaces[namespace]?.reveal ?? policy.reveal,
    signIn: () => signIn,
  };
}

function toCaller(issuer: Issuer, { claims, expiresAt }: VerifiedToken): Caller {
  const [name] = claimTexts(claims)(issuer.name);
  return {
    name: name === undefined || name === '' ? claims.sub : name,
    issuer: issuer.issuer,
    subject: claims.sub,
    expiresAt,
  };
}

function signInOf({ dashboard, issuers }: Policy): SignIn | undefined {
  const issuer = dashboard && issuers[dashboard.issuer]?.issuer;
  if (!dashboard || issuer === undefined) return undefined;
  const { clientId, scopes, resource } = dashboard;
  return { issuer, clientId, scopes, ...(resource !== undefined && { resource }) };
}

export interface PolicyFileOptions {
  readonly log: Logger;
  /** Whether this server can decrypt messages of a namespace. */
  readonly opens: (namespace: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const UNKNOWN =
  'the policy names namespaces that this server has no keys for; their rules have no effect here';

const messages = { down: "issuer's keys unavailable", up: "issuer's keys available again" };

/**
 * Returns a function that reads the policy file and returns its access, logs the file's digest, and throws
 * StrictYamlError. The issuers' keys are fetched in the background and kept from one reading to the next: an unreachable
 * issuer does not block startup; only its callers are rejected.
 */
export function accessLoader(file: string, { log, opens, now = Date.now }: PolicyFileOptions): () => Access {
  const outageOf = outageLogs(log, messages);
  const keysOf = issuerKeyring({
    fetchJson,
    now,
    failed: (issuer, error) => outageOf(issuer).down({ issuer, reason: withCause(error) }),
    fetched: (issuer) => outageOf(issuer).up({ issuer }),
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
