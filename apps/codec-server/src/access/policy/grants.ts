import type { JWTPayload } from 'jose';
import type { Permission } from '@temporal-kms/codec-api';
import { claimTexts, type TextsOf } from './claim-texts.ts';
import type { Issuer, TemporalPermissions } from './issuer.ts';
import type { Policy, Rule } from './policy.ts';

/** What one caller may do. */
export class Grants {
  readonly #everywhere = new Set<Permission>();
  readonly #byNamespace = new Map<string, Set<Permission>>();

  give(namespaces: '*' | readonly string[], permissions: readonly Permission[]): void {
    const sets = namespaces === '*' ? [this.#everywhere] : namespaces.map((name) => this.#of(name));
    for (const set of sets) for (const permission of permissions) set.add(permission);
  }

  /** Without a namespace: whether it is given anywhere. */
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

/** What a checked token's claims give: the rules that match, and Temporal's own claims where the issuer's are taken. */
export function grantsOf(policy: Policy, issuer: Issuer, claims: JWTPayload): Grants {
  const grants = new Grants();
  const textsOf = claimTexts(claims);
  for (const rule of policy.rules) {
    if (policy.issuers[rule.issuer] === issuer && matches(rule, textsOf)) {
      grants.give(rule.namespaces, rule.permissions);
    }
  }
  if (issuer.temporal) giveTemporal(grants, issuer.temporal, claims);
  return grants;
}

const matches = (rule: Rule, textsOf: TextsOf): boolean =>
  Object.entries(rule.match).every(([claim, wanted]) => {
    const found = textsOf(claim);
    return wanted.some((value) => found.includes(value));
  });

/**
 * As Temporal's default claim mapper reads them (common/authorization/default_jwt_claim_mapper.go): `namespace:role`,
 * the role in any case, the namespace up to the first colon. Roles don't include one another: the policy lists what
 * each gives.
 */
function giveTemporal(
  grants: Grants,
  { claim, system, roles }: TemporalPermissions,
  claims: JWTPayload,
): void {
  const held = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (!Array.isArray(held)) return;
  for (const item of held) {
    const [, namespace, role] = typeof item === 'string' ? (/^([^:]+):(.+)$/.exec(item) ?? []) : [];
    const given = roles.get(role?.toLowerCase() ?? '');
    if (namespace === undefined || !given) continue;
    if (!SYSTEM.has(namespace)) grants.give([namespace], given);
    else if (system === 'every-namespace') grants.give('*', given);
  }
}

// The server's name for it, and that of Temporal's documentation.
const SYSTEM: ReadonlySet<string> = new Set(['temporal-system', 'system']);
