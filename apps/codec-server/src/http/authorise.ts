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
 * @throws HttpError 401, or 429 for a caller above the rate limit; synchronously, or through the promise
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
  rates.request(caller);
  return caller;
}

/**
 * Checks a permission before the handler runs. A denial is recorded in the audit.
 * @param caller as `identify` returned it
 * @param about further fields of the audit entry of a denial: the run, the namespace of the request
 * @returns undefined where the caller has the permission; else a promise that rejects with HttpError 403
 */
export function authorise(
  c: Context<Env>,
  { access, audit }: Authority,
  caller: Caller,
  permission: Permission,
  namespace: string | undefined,
  about?: Partial<Intent>,
): Promise<never> | undefined {
  if (access.allows(caller, permission, namespace)) return undefined;
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

/**
 * Returns the caller's justification for decrypting payloads of a namespace, see `justificationFor`. Call it before
 * anything is decrypted. A missing justification is recorded in the audit.
 *
 * @param what the request, with its run where that is known
 * @throws HttpError as `justificationFor`
 */
export async function requireJustification(
  c: Context<Env>,
  { access, audit }: Authority,
  what: Omit<Intent, 'caller' | 'peer'> & { readonly namespace: string },
  given: string | undefined,
): Promise<string | undefined> {
  try {
    return justificationFor(access, what.namespace, given);
  } catch (error) {
    if (error instanceof HttpError && error.code === 'justification_required')
      await audit.denied({ ...what, caller: c.get('caller'), peer: clientAddress(c) }, error.code);
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
