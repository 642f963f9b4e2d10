import type { Permission } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { Access, Caller } from '../access/access.ts';
import type { Audit, Intent } from '../audit/audit.ts';
import type { Env } from './context.ts';
import { clientAddress } from './client-address.ts';
import type { RateLimits } from './rate-limits.ts';
import { HttpError } from '../errors.ts';

export interface Authority {
  readonly access: Access;
  readonly audit: Audit;
  readonly rates: RateLimits;
}

/**
 * Who is it. Somebody who isn't known stands in the request log only, or anybody could fill the audit.
 * @throws HttpError 401, or 429 for a caller who has asked too often, at once or by the promise
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
 * Asked before any handler: may they. What is refused to somebody known is audited.
 * @param caller as `identify` gave it
 * @param about what the audit entry of a refusal contains besides: the run, the namespace of the request
 */
export function authorise(
  c: Context<Env>,
  { access, audit }: Authority,
  caller: Caller,
  permission: Permission,
  namespace: string | undefined,
  about?: About,
): Promise<never> | undefined {
  if (access.allows(caller, permission, namespace)) return undefined;
  return refuse(c, audit, caller, permission, namespace, about);
}

type About = Partial<Intent>;

async function refuse(
  c: Context<Env>,
  audit: Audit,
  caller: Caller,
  permission: Permission,
  namespace: string | undefined,
  about: About = {},
): Promise<never> {
  const intent = { ...about, operation: permission, caller, peer: clientAddress(c), namespace };
  await audit.denied(intent, 'forbidden');
  const where = namespace === undefined ? '' : ` in namespace "${namespace}"`;
  throw new HttpError(
    403,
    'forbidden',
    `You may not ${verbs[permission]}${where}. Ask whoever runs this server.`,
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
