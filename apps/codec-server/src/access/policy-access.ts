import type { Permission } from '@temporal-kms/codec-api';
import type { JWTPayload } from 'jose';
import type { Logger } from 'pino';
import { withCause } from '../errors.ts';
import { writeToLog } from '@temporal-kms/node-utils/log-entry';
import { outageLogs } from '@temporal-kms/node-utils/outage-log';
import type { Access, Caller, Credentials, SignIn } from './access.ts';
import { fetchJson, issuerKeyring, type IssuerKeys } from './issuer-keys.ts';
import {
  type Issuer,
  namespacesIn,
  type Policy,
  readPolicy,
  type Rule,
  type TemporalPermissions,
} from './policy.ts';
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

/** Returns an `Access` that authenticates callers by token and permits only what the policy grants. */
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

  // A caller object that was not created here has no grants, whatever its fields contain.
  const grants = new WeakMap<Caller, Grants>();
  const callerOf = async ({ issuer, verify }: TokenVerifier, token: string): Promise<Caller> => {
    const verified = await verify(token);
    const caller = toCaller(issuer, verified);
    grants.set(caller, grantsOf(policy, issuer, verified.claims));
    return caller;
  };
  // Each header has its own cache, because a token that is valid in one header may be invalid in the other.
  const assertions = new TokenCache<Caller>(now);
  const bearerTokens = new TokenCache<Caller>(now);

  const signIn = signInOf(policy);
  return {
    authenticate: (request: Credentials) => {
      // Behind Google's proxy, the header Authorization may contain a token for the proxy itself.
      const assertion = iap && iapAssertion(request);
      if (iap && assertion !== undefined) {
        const proxy = iap;
        return assertions.get(assertion, (token) => callerOf(proxy, token));
      }
      return bearerTokens.get(bearerToken(request), async (token) => {
        const known = bearers.get(claimedIssuer(token) ?? '');
        if (!known) throw invalidToken("the policy does not list the token's issuer");
        return callerOf(known, token);
      });
    },
    allows: (caller, permission, namespace) => grants.get(caller)?.has(permission, namespace) ?? false,
    reveal: (namespace) => policy.namespaces[namespace]?.reveal ?? policy.reveal,
    revealMinutes: (namespace) => policy.namespaces[namespace]?.revealMinutes ?? policy.revealMinutes,
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
  const from = dashboard && issuers[dashboard.issuer];
  // Stryker disable next-line LogicalOperator: the policy contains the dashboard's issuer.
  if (!dashboard || !from) return undefined;
  const { clientId, scopes, resource, parameters } = dashboard;
  return {
    issuer: from.issuer,
    clientId,
    scopes,
    ...(resource !== undefined && { resource }),
    ...(parameters !== undefined && { parameters }),
    token: from.tokens === 'id' ? 'id' : 'access',
  };
}

export interface PolicyFileOptions {
  readonly log: Logger;
  /** Whether this server can decrypt messages of a namespace. */
  readonly canDecrypt: (namespace: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const UNKNOWN =
  'the policy names namespaces that this server has no keys for; rules for these namespaces have no effect here';

const messages = { down: "issuer's keys unavailable", up: "issuer's keys available again" };

/**
 * Returns a function that reads the policy file, logs the file's digest and returns the `Access`, or
 * throws StrictYamlError. Issuers' keys are fetched in the background and survive a reload. An
 * unreachable issuer does not block startup; only callers with that issuer's tokens are rejected.
 */
export function accessLoader(
  file: string,
  { log, canDecrypt, now = Date.now }: PolicyFileOptions,
): () => Access {
  const outageOf = outageLogs(writeToLog(log), messages);
  const keysOf = issuerKeyring({
    fetchJson,
    now,
    failed: (issuer, error) => outageOf(issuer).down({ issuer, reason: withCause(error) }),
    fetched: (issuer) => outageOf(issuer).up({ issuer }),
  });
  return () => {
    const { policy, digest, size } = readPolicy(file);
    const unknown = namespacesIn(policy).filter((name) => !canDecrypt(name));
    if (unknown.length > 0) log.warn({ namespaces: unknown }, UNKNOWN);
    const access = policyAccess(policy, { now, keysOf });
    log.info({ file, sha256: digest, bytes: size }, 'policy in force');
    return access;
  };
}

/** The permissions of one caller. */
export class Grants {
  readonly #everywhere = new Set<Permission>();
  readonly #byNamespace = new Map<string, Set<Permission>>();

  grant(namespaces: '*' | readonly string[], permissions: readonly Permission[]): void {
    const sets = namespaces === '*' ? [this.#everywhere] : namespaces.map((name) => this.#of(name));
    for (const set of sets) for (const permission of permissions) set.add(permission);
  }

  /**
   * Returns whether a permission is granted in a namespace; without `namespace`, in at least one namespace.
   */
  has(permission: Permission, namespace: string | undefined): boolean {
    if (this.#everywhere.has(permission)) return true;
    if (namespace !== undefined) return this.#byNamespace.get(namespace)?.has(permission) ?? false;
    return [...this.#byNamespace.values()].some((set) => set.has(permission));
  }

  #of(namespace: string): Set<Permission> {
    const known = this.#byNamespace.get(namespace) ?? new Set();
    this.#byNamespace.set(namespace, known);
    return known;
  }
}

/**
 * Returns the permissions that a verified token's claims grant. Matching rules grant permissions, and so do
 * Temporal's own claims if the policy uses those claims.
 */
export function grantsOf(policy: Policy, issuer: Issuer, claims: JWTPayload): Grants {
  const grants = new Grants();
  const textsOf = claimTexts(claims);
  for (const rule of policy.rules) {
    if (policy.issuers[rule.issuer] === issuer && matches(rule, textsOf)) {
      grants.grant(rule.namespaces, rule.permissions);
    }
  }
  if (issuer.temporal) grantTemporal(grants, issuer.temporal, claims);
  return grants;
}

const matches = (rule: Rule, textsOf: TextsOf): boolean =>
  Object.entries(rule.match).every(([claim, accepted]) => {
    const texts = textsOf(claim);
    return accepted.some((value) => texts.includes(value));
  });

/**
 * Grants the permissions of roles in Temporal's claims. Like Temporal's default claim mapper
 * (common/authorization/default_jwt_claim_mapper.go), parses `namespace:role`, with the namespace up to the
 * first colon and the role in upper or lower case. No role includes another: the policy lists each role's
 * permissions.
 */
function grantTemporal(
  grants: Grants,
  { claim, system, roles }: TemporalPermissions,
  claims: JWTPayload,
): void {
  const items = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (!Array.isArray(items)) return;
  for (const item of items) {
    if (typeof item !== 'string') continue;
    const end = item.indexOf(':');
    const namespace = item.slice(0, end);
    const permissions = roles.get(item.slice(end + 1).toLowerCase());
    if (end < 1 || !permissions) continue;
    if (!SYSTEM.has(namespace)) grants.grant([namespace], permissions);
    else if (system === 'every-namespace') grants.grant('*', permissions);
  }
}

/** The system namespace's names in Temporal's code and in Temporal's documentation. */
const SYSTEM: ReadonlySet<string> = new Set(['temporal-system', 'system']);

/**
 * Returns the strings that a rule can match in a claim: the claim itself or, if it is a list, its elements.
 */
type TextsOf = (claim: string) => readonly string[];

/**
 * Returns a function that returns the strings of a claim in a verified token. A claim that is neither a
 * string nor a list contains no strings. An e-mail address is left out if any claim of the token marks it as
 * unverified, because many providers let people sign up with another person's address.
 */
function claimTexts(claims: JWTPayload): TextsOf {
  const trustsEmail = !marksEmailUnverified(claims);
  return (claim) => {
    // Stryker disable next-line all: the properties that every object inherits are not strings.
    if (!Object.hasOwn(claims, claim)) return [];
    const texts = valuesOf(claim, claims[claim]).filter((value) => typeof value === 'string');
    return trustsEmail ? texts : texts.filter((text) => !isEmail(claim, text));
  };
}

function valuesOf(claim: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  // `scope` is a space-separated list (RFC 8693 section 4.2). Entra calls this claim `scp`.
  if (typeof value === 'string' && (claim === 'scope' || claim === 'scp')) return value.split(' ');
  return [value];
}

/** Any claim can contain an address: `upn`, `preferred_username`, `sub`, or a claim whose name is a URL. */
const isEmail = (claim: string, text: string): boolean =>
  text.includes('@') || lettersOf(claim).includes('mail');

/**
 * Returns whether any claim about the verification of an address has a value other than JSON's `true` (OpenID
 * Connect Core 1.0, section 5.1). Claims may be nested, for example in the proxy's `gcip`, or in a profile
 * whose name is a URL. Strings and numbers do not count as true, because providers disagree about their
 * meaning.
 */
function marksEmailUnverified(claims: JWTPayload): boolean {
  const pending: object[] = [claims];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    for (const [name, inner] of Object.entries(value)) {
      if (inner !== true && isVerification(name)) return true;
      if (typeof inner === 'object' && inner !== null) pending.push(inner);
    }
  }
  return false;
}

/**
 * Matches providers' spellings of `email_verified`, including those in a URL, and Entra's "e-mail domain
 * owner verified".
 */
function isVerification(name: string): boolean {
  const letters = lettersOf(name);
  return (letters.includes('mail') && letters.includes('verif')) || letters === 'xmsedov';
}

/** Returns the letters of a claim's name in lower case, without the host if the name is a URL. */
const lettersOf = (name: string): string =>
  name
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '');
