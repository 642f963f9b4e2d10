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
 * Returns the caller. Requests without a valid token appear in the request log only: otherwise any client could fill
 * the audit.
 * @throws HttpError 401, or 429 for a caller with too many refused requests; synchronously, or through the promise
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
 * Proof that the caller of a request has a permission in a namespace. Only `authorise` creates one: the module exports
 * the type, not the class, and its private fields make every other object a type error. No handler of a route that
 * requires a permission runs without it.
 */
class Grant<P extends Permission, N extends string | undefined = string> {
  readonly #permission: P;
  readonly #namespace: N;

  constructor(permission: P, namespace: N) {
    this.#permission = permission;
    this.#namespace = namespace;
  }

  /** Whether a value is a grant at run time too, whatever its type says. */
  static isGrant(this: void, value: unknown): value is Grant<Permission, string | undefined> {
    return typeof value === 'object' && value !== null && #permission in value;
  }

  get permission(): P {
    return this.#permission;
  }

  /** Undefined: the caller has the permission in some namespace, which grants nothing in any specific namespace. */
  get namespace(): N {
    return this.#namespace;
  }
}
export type { Grant };
export const { isGrant } = Grant;

/** Returns what a grant permits. */
export type ForGrant<P extends Permission, T> = (grant: Grant<P>) => T;

/**
 * Returns a function that binds a capability to the namespace of a grant. Handlers get such functions, never what
 * `bind` closes over.
 * @returns throws Error for a grant of another permission
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

/** @throws Error unless `authorise` created the grant, for one of the permissions in a namespace */
export function requireGrant(grant: Grant<Permission>, permissions: readonly Permission[]): void {
  if (isGrant(grant) && permissions.includes(grant.permission) && grant.namespace !== undefined) return;
  throw new Error(`A grant to ${grant.permission} was used to ${permissions.join(' or ')}`);
}

/**
 * Checks a permission. A denial is recorded in the audit.
 * @param caller as `identify` returned it
 * @param about further fields of the audit entry of a denial: the run, the namespace of the request
 * @returns the grant; or a promise that rejects with HttpError 403
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
  audit: 'read the audit',
};

/** The permissions whose holders get plaintext. */
export type Decrypting = Extract<Permission, 'decode' | 'search' | 'export'>;

/**
 * Returns the caller's justification for decrypting payloads of a namespace, see `justificationFor`. Call it before
 * anything is decrypted. A missing justification is recorded in the audit.
 *
 * @param what further fields of the audit entry of a denial: the run, where that is known
 * @throws HttpError as `justificationFor`
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
 * Returns the trimmed justification for the audit; undefined where none is given and none is required.
 *
 * @param given the body's field `justification`, or the header `X-Reveal-Justification`; 1 to 500 characters
 * @throws HttpError 403 `justification_required` when the namespace reveals on demand and none is given; 400 when it is
 *   empty or too long
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
      '(temporal … --codec-header "X-Reveal-Justification=ticket 4711"). The audit records it.',
  );
}
