import { justification } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { z } from 'zod';
import type { Access } from '../access/access.ts';
import type { Intent } from '../audit/audit.ts';
import { HttpError } from '../errors.ts';
import type { Authority } from './authorise.ts';
import type { Env } from './context.ts';
import { clientAddress } from './client-address.ts';
import { validate } from './input.ts';

/**
 * Returns the caller's justification for decrypting payloads of a namespace, see `justificationFor`. Call it before
 * anything is decrypted. A missing justification is an error, and an entry in the audit.
 *
 * @param what the request, with its run where that is known
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

const body = z.object({ justification });

/**
 * Returns the trimmed justification for the audit; undefined where none is given and none is required.
 *
 * @param given the body's field `justification`, or the header `X-Reveal-Justification`; 1 to 500 characters
 * @throws HttpError 403 `justification_required` when the namespace reveals on demand and none is given; 400 when it is
 * empty or too long
 */
export function justificationFor(
  access: Pick<Access, 'reveal'>,
  namespace: string,
  given: string | undefined,
): string | undefined {
  if (given !== undefined) return validate(body, { justification: given }).justification;
  if (access.reveal(namespace) === 'automatic') return undefined;
  throw new HttpError(
    403,
    'justification_required',
    `Payloads of namespace "${namespace}" are decrypted only with a justification of 1 to 500 characters. Send ` +
      '"justification" in the body, or the header X-Reveal-Justification to a codec endpoint ' +
      '(temporal … --codec-header "X-Reveal-Justification=ticket 4711"). The audit records it.',
  );
}
