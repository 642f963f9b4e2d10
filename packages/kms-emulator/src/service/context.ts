import type { Conditions } from '../conditions/conditions.ts';
import type { Delays, MaterialSource } from '../model/crypto-key.ts';
import { KmsError } from '../model/errors.ts';
import type { Caller } from '../model/iam/callers.ts';
import type { Permission } from '../model/iam/permissions.ts';
import { parseVersion } from '../model/names.ts';
import type { State } from '../model/state.ts';
import { text } from './fields.ts';

/**
 * The input of every RPC: the state, the time of the call, the caller, and the conditions that a test has
 * set.
 */
export interface Context {
  readonly state: State;
  readonly conditions: Conditions;
  readonly source: MaterialSource;
  readonly caller: Caller;
  /** Milliseconds since the epoch, the same for the whole call. */
  readonly now: number;
}

/**
 * The implementation of an RPC. Takes a request in Google's types, and returns a response or throws a {@link
 * KmsError}.
 */
export type Handler<Request, Response> = (request: Request, context: Context) => Response;

/**
 * Refuses a caller that lacks the permission, with Cloud KMS's error text. The check is made before the
 * lookup, so that the caller cannot distinguish a missing resource from a resource that it may not access.
 */
export function requirePermission(context: Context, permission: Permission, resource: string): void {
  const { state, caller, now } = context;
  if (state.policies.allows(caller, permission, resource, now)) return;
  throw new KmsError(
    'PERMISSION_DENIED',
    `Permission '${permission}' denied on resource '${resource}' (or it may not exist).`,
  );
}

/** Returns a version with its crypto key if the caller has the permission. */
export function permittedVersion(
  context: Context,
  permission: Permission,
  resource: string | null | undefined,
) {
  const { name } = parseVersion(text(resource));
  requirePermission(context, permission, name);
  return { name, ...context.state.keys.version(name) };
}

export function delaysOf({ conditions: { propagation } }: Pick<Context, 'conditions'>): Delays {
  const { disable, primary, generation } = propagation;
  return { disable: disable * 1000, primary: primary * 1000, generation: generation * 1000 };
}
