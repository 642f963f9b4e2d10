import { createHash } from 'node:crypto';
import { invalidArgument, KmsError } from '../errors.ts';
import { tryCryptoKey, tryKeyRing, tryVersion } from '../names.ts';
import { matchesMember, isMember, type Caller } from './callers.ts';
import { isRole, roleGrants } from './roles.ts';

export interface Binding {
  readonly role: string;
  readonly members: readonly string[];
}

/** The log types of `google.iam.v1.AuditLogConfig`. */
export const logTypes = ['ADMIN_READ', 'DATA_WRITE', 'DATA_READ'] as const;

/**
 * Which Data Access audit logs of a service are turned on (`google.iam.v1.AuditConfig`). In the emulator,
 * only projects have audit configurations.
 */
export interface AuditConfig {
  readonly service: string;
  readonly auditLogConfigs: readonly {
    readonly logType: (typeof logTypes)[number];
    readonly exemptedMembers: readonly string[];
  }[];
}

/** The policy of a resource, without `version` and conditions. */
export interface Policy {
  readonly bindings: readonly Binding[];
  readonly auditConfigs?: readonly AuditConfig[];
}

interface Entry {
  readonly policy: Policy;
  readonly previous?: Policy;
  readonly until?: number;
}

const EMPTY: Policy = { bindings: [] };

/**
 * The policies of projects (`projects/p`), key rings and crypto keys. A resource inherits its parent's
 * policy.
 */
export class Policies {
  readonly #entries = new Map<string, Entry>();
  readonly #changed: () => void;

  constructor(changed: () => void = () => undefined) {
    this.#changed = changed;
  }

  get(resource: string): Policy {
    return this.#entries.get(resource)?.policy ?? EMPTY;
  }

  /**
   * Replaces a policy; the new policy takes effect after `delay` milliseconds.
   *
   * @throws KmsError INVALID_ARGUMENT if a role is unknown or a member has no type; ABORTED if `etag` does
   *   not match the current policy
   */
  set(resource: string, policy: Policy, now: number, delay = 0, etag?: Uint8Array): Policy {
    const current = this.get(resource);
    if (etag !== undefined && etag.length > 0 && !etagOf(current).equals(etag)) {
      throw new KmsError(
        'ABORTED',
        'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.',
      );
    }
    const { auditConfigs = [] } = policy;
    const checked: Policy = {
      bindings: merged(policy.bindings),
      ...(auditConfigs.length > 0 && { auditConfigs }),
    };
    this.#entries.set(
      resource,
      delay > 0
        ? { policy: checked, previous: this.#effective(resource, now), until: now + delay }
        : { policy: checked },
    );
    this.#changed();
    return checked;
  }

  /**
   * Returns whether a resource's policy, or a policy that the resource inherits, grants a permission to a
   * caller.
   */
  allows(caller: Caller, permission: string, resource: string, now: number): boolean {
    if (caller === 'owner') return true;
    return lineage(resource).some((name) =>
      this.#effective(name, now).bindings.some(
        ({ role, members }) =>
          roleGrants(role, permission) && members.some((member) => matchesMember(caller, member)),
      ),
    );
  }

  all(): [resource: string, policy: Policy][] {
    return [...this.#entries].map(([resource, { policy }]) => [resource, policy]);
  }

  #effective(resource: string, now: number): Policy {
    const entry = this.#entries.get(resource);
    if (entry === undefined) return EMPTY;
    const { policy, previous, until } = entry;
    return previous !== undefined && until !== undefined && now < until ? previous : policy;
  }
}

/** Returns the etag of a policy, which changes with the policy. The etag of an empty policy is `ACAB`. */
export function etagOf({ bindings, auditConfigs }: Policy): Buffer {
  if (bindings.length === 0 && auditConfigs === undefined) return Buffer.from('ACAB', 'base64');
  const content = auditConfigs === undefined ? bindings : [bindings, auditConfigs];
  return createHash('sha256').update(JSON.stringify(content)).digest().subarray(0, 8);
}

/** Returns a resource and all resources from which it inherits policies. */
function lineage(resource: string): string[] {
  const names = [resource];
  // A key version has no policy and inherits from its key.
  const version = tryVersion(resource);
  if (version !== undefined) names.push(version.parent);
  const key = tryCryptoKey(version?.parent ?? resource);
  if (key !== undefined) names.push(key.parent);
  const project = (key ?? tryKeyRing(resource))?.project ?? /^projects\/([^/]+)\//.exec(resource)?.[1];
  if (project !== undefined) names.push(`projects/${project}`);
  return names;
}

/**
 * Merges the bindings of each role into one binding, as Cloud IAM stores them, and drops bindings without
 * members.
 */
function merged(bindings: readonly Binding[]): Binding[] {
  const members = new Map<string, Set<string>>();
  for (const binding of bindings) {
    checkBinding(binding);
    members.set(binding.role, new Set([...(members.get(binding.role) ?? []), ...binding.members]));
  }
  return [...members]
    .filter(([, names]) => names.size > 0)
    .map(([role, names]) => ({ role, members: [...names].toSorted() }));
}

function checkBinding({ role, members }: Binding): void {
  if (!isRole(role)) throw invalidArgument(`Role ${role} is not supported for this resource.`);
  const wrong = members.find((member) => !isMember(member));
  if (wrong === undefined) return;
  throw invalidArgument(
    `The member ${wrong} is of an unknown type. Please set a valid type prefix for the member.`,
  );
}
