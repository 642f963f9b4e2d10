import type { Access, Caller, Credentials, SignIn } from './access.ts';
import { claimTexts } from './policy/claim-texts.ts';
import { type Grants, grantsOf } from './policy/grants.ts';
import type { Issuer } from './policy/issuer.ts';
import type { Policy } from './policy/policy.ts';
import type { ProviderKeys } from './tokens/provider-keys.ts';
import { Remembered } from './tokens/remembered.ts';
import { bearerToken, claimedIssuer, iapAssertion } from './tokens/token-of.ts';
import { invalidToken } from './tokens/unauthenticated.ts';
import { type Verified, type Verify, verifier } from './tokens/verify.ts';

export interface PolicyAccessDeps {
  readonly now: () => number;
  readonly keysOf: (issuer: Issuer) => ProviderKeys;
}

interface Provider {
  readonly issuer: Issuer;
  readonly verify: Verify;
}

/** Callers are who their tokens say, and may do what the policy gives them; everything else is refused. */
export function policyAccess(policy: Policy, { now, keysOf }: PolicyAccessDeps): Access {
  const bearers = new Map<string, Provider>();
  let iap: Provider | undefined;
  for (const issuer of Object.values(policy.issuers)) {
    const keys = keysOf(issuer);
    void keys.warm();
    const provider = { issuer, verify: verifier(issuer, keys, now) };
    if (issuer.tokens === 'assertion') iap = provider;
    else bearers.set(issuer.issuer, provider);
  }

  // A caller that wasn't made here has no grants, whatever it says.
  const grants = new WeakMap<Caller, Grants>();
  const callerOf = async ({ issuer, verify }: Provider, token: string): Promise<Caller> => {
    const verified = await verify(token);
    const caller = toCaller(issuer, verified);
    grants.set(caller, grantsOf(policy, issuer, verified.claims));
    return caller;
  };
  // Two memories, since the same token may count in one header and not in the other.
  const asserted = new Remembered<Caller>(now);
  const borne = new Remembered<Caller>(now);

  const signIn = signInOf(policy);
  return {
    authenticate: (request: Credentials) => {
      // Behind the proxy Authorization may hold what was meant for the proxy itself.
      const assertion = iap && iapAssertion(request);
      if (iap && assertion !== undefined) {
        const proxy = iap;
        return asserted.get(assertion, (token) => callerOf(proxy, token));
      }
      return borne.get(bearerToken(request), async (token) => {
        const provider = bearers.get(claimedIssuer(token) ?? '');
        if (!provider) throw invalidToken('its issuer is not one that this server takes');
        return callerOf(provider, token);
      });
    },
    allows: (caller, permission, namespace) => grants.get(caller)?.has(permission, namespace) ?? false,
    reveal: (namespace) => policy.namespaces[namespace]?.reveal ?? policy.reveal,
    signIn: () => signIn,
  };
}

function toCaller(issuer: Issuer, { claims, expiresAt }: Verified): Caller {
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
