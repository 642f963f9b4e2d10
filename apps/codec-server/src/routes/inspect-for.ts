import type { Context } from 'hono';
import type { Access } from '../access/access.ts';
import type { Inspect } from '../history/payload-stub.ts';
import type { Env } from '../http/context.ts';

/**
 * `inspect` for the caller of a request: a message of a namespace where they may not decode shows
 * `namespace_not_permitted`, so that nobody needs to ask for it in vain.
 */
export function inspectFor(c: Context<Env>, access: Pick<Access, 'allows'>, inspect: Inspect): Inspect {
  const caller = c.get('caller');
  return (payload, context) => {
    const info = inspect(payload, context);
    const { namespace } = info;
    if (namespace === undefined || namespace === context.namespace) return info;
    return access.allows(caller, 'decode', namespace) ? info : { ...info, reason: 'namespace_not_permitted' };
  };
}
