import type { Audit, Intent } from '@temporal-kms/audit';
import { justification, type Permission } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { z } from 'zod';
import type { Access, Caller } from '../access/access.ts';
import { HttpError } from '../errors.ts';
import { validate } from './bodies.ts';
import { clientAddress, type Env } from './context.ts';
import type { RateLimits } from './rate-limits.ts';

export interface Authority {
  readonly access: Access;
  readonly audit: Audit;
  readonly rates: RateLimits;
}

/**
 * Returns the caller. Requests without a valid token are recorded only in the request log, because otherwise
 * any client could fill the audit.
 * @throws HttpError 401, or 429 for a caller with too many refused requests, either synchronously or by
 *   rejecting the promise
 */
export function identify(
  c: Context<Env>,
  { access, rates }: Pick<Authority, 'access' | 'rates'>,
): Caller | Promise<Caller> {
  const caller = access.authenticate(c.req);
  return caller instanceof Promise
    ? caller.then((known) => remember(c, rates, known))
    : remember(c, rates, caller);
}

function remember(c: Context<Env>, rates: RateLimits, caller: Caller): Caller {
  c.set('caller', caller);
  c.set('account', rates.admit(caller));
  return caller;
}

/**
 * Proof that the caller of a request has a permission in a namespace. Only `authorise` creates grants: the
 * module exports the type, not the class, and the private fields make any other object a type error. The
 * handler of a route that requires a permission cannot run without a grant.
 */
class Grant<P extends Permission, N extends string | undefined = string> {
  readonly #permission: P;
  readonly #namespace: N;

  constructor(permission: P, namespace: N) {
    this.#permission = permission;
    this.#namespace = namespace;
  }

  /** Checks at run time whether a value is a grant, whatever its TypeScript type. */
  static isGrant(this: void, value: unknown): value is Grant<Permission, string | undefined> {
    return typeof value === 'object' && value !== null && #permission in value;
  }

  get permission(): P {
    return this.#permission;
  }

  /**
   * Undefined if the grant only states that the caller has the permission in some namespace. Such a grant
   * permits nothing in a specific namespace.
   */
  get namespace(): N {
    return this.#namespace;
  }
}
export type { Grant };
export const { isGrant } = Grant;

/** Returns the permission and namespace of a grant. */
export type ForGrant<P extends Permission, T> = (grant: Grant<P>) => T;

/**
 * Returns a function that binds a capability to a grant's namespace. Handlers get such functions, but not the
 * objects that `bind` uses.
 * @returns a function that throws Error for a grant of another permission
 */
export function forGrant<const P extends Permission, T>(
  permissions: readonly P[],
  bind: (namespace: string) => T,
): ForGrant<P, T> {
  return (grant) => {
    requireGrant(grant, permissions);
    return bind(grant.namespace);
  };
}

/** @throws Error unless `authorise` created the grant for one of the permissions and for a namespace */
export function requireGrant(grant: Grant<Permission>, permissions: readonly Permission[]): void {
  if (isGrant(grant) && permissions.includes(grant.permission) && grant.namespace !== undefined) return;
  throw new Error(`A grant of the permission ${grant.permission} was used for ${permissions.join(' or ')}`);
}

/**
 * Checks a permission, and records a denial in the audit.
 * @param caller the value that `identify` returned
 * @param about further fields of the audit entry for a denial, for example the run or the request's namespace
 * @returns the grant, or a promise that rejects with HttpError 403
 */
export function authorise<P extends Permission, N extends string | undefined>(
  c: Context<Env>,
  { access, audit }: Authority,
  caller: Caller,
  permission: P,
  namespace: N,
  about?: Partial<Intent>,
): Grant<P, N> | Promise<never> {
  if (access.allows(caller, permission, namespace)) return new Grant(permission, namespace);
  return deny(c, audit, caller, permission, namespace, about);
}

async function deny(
  c: Context<Env>,
  audit: Audit,
  caller: Caller,
  permission: Permission,
  namespace: string | undefined,
  about: Partial<Intent> = {},
): Promise<never> {
  const intent = { ...about, operation: permission, caller, peer: clientAddress(c), namespace };
  await audit.denied(intent, 'forbidden');
  const where = namespace === undefined ? '' : ` in namespace "${namespace}"`;
  throw new HttpError(
    403,
    'forbidden',
    `You may not ${verbs[permission]}${where}. Ask the operator of this server for the permission "${permission}".`,
  );
}

const verbs: Readonly<Record<Permission, string>> = {
  metadata: 'read workflows',
  decode: 'decode payloads',
  encode: 'encode payloads',
  search: 'search in decrypted history',
  export: 'export histories',
  query: 'run queries',
  audit: 'read the audit',
};

/** The permissions that give access to plaintext. */
export type Decrypting = Extract<Permission, 'decode' | 'search' | 'export'>;

/**
 * Returns the caller's justification for decrypting payloads of a namespace, see `justificationFor`. Call
 * this function before anything is decrypted. Records a missing justification in the audit.
 *
 * @param what further fields of the audit entry for a denial, for example the run
 * @throws the same HttpErrors as `justificationFor`
 */
export async function requireJustification(
  c: Context<Env>,
  { access, audit }: Authority,
  { permission: operation, namespace }: Grant<Decrypting>,
  what: Omit<Intent, 'caller' | 'peer' | 'operation' | 'namespace'>,
  given: string | undefined,
): Promise<string | undefined> {
  try {
    return justificationFor(access, namespace, given);
  } catch (error) {
    if (error instanceof HttpError && error.code === 'justification_required') {
      const intent = { ...what, operation, namespace, caller: c.get('caller'), peer: clientAddress(c) };
      await audit.denied(intent, error.code);
    }
    throw error;
  }
}

const justified = z.object({ justification });

/**
 * Returns the trimmed justification for the audit, or undefined if there is no justification and none is
 * required.
 *
 * @param given the body's field `justification`, or the header `X-Reveal-Justification`; 1 to 500 characters
 * @throws HttpError 403 `justification_required` if the namespace reveals payloads on demand and the justification is
 *   missing; 400 if it is empty or too long
 */
export function justificationFor(
  access: Pick<Access, 'reveal'>,
  namespace: string,
  given: string | undefined,
): string | undefined {
  if (given !== undefined) return validate(justified, { justification: given }).justification;
  if (access.reveal(namespace) === 'automatic') return undefined;
  throw new HttpError(
    403,
    'justification_required',
    `Payloads of namespace "${namespace}" are decrypted only with a justification of 1 to 500 characters. Send ` +
      '"justification" in the body, or the header X-Reveal-Justification to a codec endpoint ' +
      '(temporal … --codec-header "X-Reveal-Justification=ticket 4711"). The audit records the justification.',
  );
}
